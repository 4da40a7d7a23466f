//! The device dies by a bug of its own. What an attacker who found that bug would make of it is for another test;
//! this one shows that the harness tells how the device died.

use alloc::boxed::Box;
use alloc::string::ToString;

use hilarm_link::CommandError;

use super::{Behaviour, Param, ParamKind, Progress, Running};
use crate::device::Device;
use crate::io::{Crash, Now};

/// Every way, by the name that a scenario gives it.
const WAYS: [(&str, Crash); 5] = [
    ("null-write", Crash::NullWrite),
    ("stack-overflow", Crash::StackOverflow),
    ("panic", Crash::Panic),
    ("hang", Crash::Hang),
    ("watchdog", Crash::Watchdog),
];

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "crash",
    summary: "Crashes the firmware; a run cannot go on from there.",
    attack: &["T1499.004"],
    params: &[Param {
        name: "by",
        kind: ParamKind::Text,
        required: true,
        summary: "How: `null-write`, `stack-overflow`, `panic`, `hang` with interrupts off, or a starved `watchdog`.",
    }],
    start: |device, args, _| {
        let by = args.text("by").unwrap_or_default();
        let Some((_, crash)) = WAYS.iter().find(|(name, _)| *name == by) else {
            let expected = "null-write, stack-overflow, panic, hang or watchdog".to_string();
            return Err(CommandError::Argument { name: "by".to_string(), expected });
        };
        device.crash(*crash);
        Ok(Box::new(Crashed))
    },
};

struct Crashed;

impl Running for Crashed {
    fn progress(&mut self, _device: &Device) -> Progress {
        Progress::Finished
    }

    fn stop(&mut self, _device: &mut Device, _now: Now) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use hilarm_link::Value;

    #[test]
    fn every_way_is_asked_of_the_platform_and_no_other() {
        for (name, crash) in WAYS {
            let mut world = World::connected();
            world.run_behaviour("crash", &[("by".to_string(), Value::Text(name.to_string()))]).unwrap();
            assert_eq!(world.crashes(), [crash], "{name}");
        }
        let mut world = World::connected();
        let refused = world.run_behaviour("crash", &[("by".to_string(), Value::Text("boredom".to_string()))]);
        assert!(matches!(refused, Err(CommandError::Argument { .. })));
        assert_eq!(world.crashes(), []);
    }
}
