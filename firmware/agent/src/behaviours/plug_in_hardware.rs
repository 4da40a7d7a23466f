//! Somebody plugs something into the device.

use alloc::boxed::Box;
use alloc::string::String;

use super::{Behaviour, Param, ParamKind, Progress, Running, not_now};
use crate::device::Device;
use crate::io::Now;
use crate::state::Hardware;

/// As long as the name of a USB device may be.
const NAME_CHARS_MAX: usize = 126;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "plug-in-hardware",
    summary: "Plugs hardware into the device, a USB stick by default, until the behaviour is stopped.",
    attack: &["T1200", "T1091"],
    params: &[
        Param {
            name: "name",
            kind: ParamKind::Text,
            required: false,
            summary: "What it calls itself; `USB flash drive` by default.",
        },
        Param {
            name: "category",
            kind: ParamKind::Text,
            required: false,
            summary: "What it is; `USB` by default.",
        },
        Param {
            name: "sub_category",
            kind: ParamKind::Text,
            required: false,
            summary: "What kind of that; `Mass storage` by default.",
        },
    ],
    start: |device, args, _| {
        let text = |name: &str, default: &str| {
            args.text(name).unwrap_or(default).chars().take(NAME_CHARS_MAX).collect::<String>()
        };
        let name = text("name", "USB flash drive");
        let hardware = Hardware {
            category: text("category", "USB"),
            sub_category: text("sub_category", "Mass storage"),
            name: name.clone(),
        };
        if !device.state.hardware.plug_in(hardware) {
            return Err(not_now("there is hardware of that name"));
        }
        Ok(Box::new(PluggedIn { name, told: false }))
    },
};

struct PluggedIn {
    name: String,
    told: bool,
}

impl Running for PluggedIn {
    fn progress(&mut self, _device: &Device) -> Progress {
        if core::mem::replace(&mut self.told, true) { Progress::UnderWay } else { Progress::DoneForNow }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        device.state.hardware.pull_out(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use hilarm_link::{CommandError, Value};

    use crate::testing::World;

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.to_string(), Value::Text(value.to_string()))
    }

    #[test]
    fn a_stick_is_told_with_everything_else_when_it_comes_and_is_missing_when_it_went() {
        let mut world = World::connected();
        world.run_behaviour("plug-in-hardware", &[]).unwrap();
        world.run_for_s(150);
        let told = |world: &World| -> Vec<String> {
            let hardware = world.security_events("ConnectedHardware");
            hardware.iter().map(|piece| piece["HardwareName"].as_str().unwrap().to_string()).collect()
        };
        assert_eq!(told(&world), ["net0", "tty0", "temp0", "USB flash drive"]);
        world.stop_behaviour("plug-in-hardware").unwrap();
        world.run_for_s(120);
        assert_eq!(told(&world)[4..], ["net0", "tty0", "temp0"]);
    }

    #[test]
    fn what_it_is_can_be_said_and_the_device_s_own_cannot_be_doubled() {
        let mut world = World::connected();
        let doubled = world.run_behaviour("plug-in-hardware", &[text("name", "net0")]);
        assert!(matches!(doubled, Err(CommandError::NotNow { .. })), "{doubled:?}");
        let args = [text("name", "Rubber duck"), text("sub_category", "Keyboard")];
        world.run_behaviour("plug-in-hardware", &args).unwrap();
        world.run_for_s(150);
        let hardware = world.security_events("ConnectedHardware");
        let duck = hardware.last().unwrap();
        assert_eq!(
            (&duck["HardwareCategory"], &duck["HardwareSubCategory"]),
            (&"USB".into(), &"Keyboard".into())
        );
    }
}
