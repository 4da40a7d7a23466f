//! The device's firewall lets in what it should not.

use alloc::boxed::Box;

use super::{Behaviour, Param, ParamKind, Progress, Running, not_now};
use crate::device::Device;
use crate::io::Now;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "weaken-firewall",
    summary: "Turns the firewall off, or lets connections to one port in, until the behaviour is stopped.",
    attack: &["T1562.004"],
    params: &[Param {
        name: "port",
        kind: ParamKind::Int { min: 1, max: 65_535 },
        required: false,
        summary: "The port to let in; without one the firewall is turned off.",
    }],
    start: |device, args, _| {
        let port = args.int("port", 0)?;
        let firewall = &mut device.state.firewall;
        let (changed, hole) = match port {
            0 => (firewall.enable(false), Hole::Everything),
            port => (firewall.let_in(port), Hole::Port(port)),
        };
        if !changed {
            return Err(not_now("the firewall lets that in already"));
        }
        Ok(Box::new(Weakened { hole, told: false }))
    },
};

enum Hole {
    Everything,
    Port(u16),
}

struct Weakened {
    hole: Hole,
    told: bool,
}

impl Running for Weakened {
    fn progress(&mut self, _device: &Device) -> Progress {
        if core::mem::replace(&mut self.told, true) { Progress::UnderWay } else { Progress::DoneForNow }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        match self.hole {
            Hole::Everything => {
                device.state.firewall.enable(true);
            }
            Hole::Port(port) => device.state.firewall.close(port),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{World, int};

    #[test]
    fn a_firewall_turned_off_is_told_once_and_again_when_it_is_back() {
        let mut world = World::connected();
        world.run_behaviour("weaken-firewall", &[]).unwrap();
        world.run_for_s(300);
        let rules = world.security_events("FirewallConfiguration");
        assert_eq!(rules.len(), 2, "{rules:?}");
        assert!(rules.iter().all(|rule| rule["Enabled"] == false));
        world.stop_behaviour("weaken-firewall").unwrap();
        world.run_for_s(300);
        let rules = world.security_events("FirewallConfiguration");
        assert_eq!(rules.len(), 4, "{rules:?}");
        assert!(rules[2..].iter().all(|rule| rule["Enabled"] == true));
    }

    #[test]
    fn a_port_let_in_stands_before_the_rule_that_denies_and_the_baseline_notices() {
        let mut world = World::connected();
        world.run_behaviour("weaken-firewall", &[int("port", 2323)]).unwrap();
        world.run_behaviour("open-port", &[int("port", 2323)]).unwrap();
        world.run_for_s(150);
        let rules = world.security_events("FirewallConfiguration");
        assert_eq!((&rules[0]["Action"], &rules[0]["DestinationPort"]), (&"Allow".into(), &"2323".into()));
        assert_eq!((&rules[1]["Action"], &rules[1]["Direction"]), (&"Deny".into(), &"In".into()));
        let checks = world.security_events("OSBaseline");
        let failed: alloc::vec::Vec<_> =
            checks.iter().filter(|check| check["Result"] == "Fail").map(|check| &check["CceId"]).collect();
        assert_eq!(failed, ["hilarm-nothing-let-in", "hilarm-no-port-exposed"]);
    }
}
