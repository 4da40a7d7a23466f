//! What an honest device of this kind is checked for. The checks are ours: no public list has any for it, so that their
//! ids are no CCE numbers. The firewall they look at is a table that is reported and not enforced: no packet is ever
//! dropped by it, and a port that is "exposed" says what the table would let in.

use super::{EventCollector, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::{BaselineCheck, Payload};
use crate::state::{Chain, DeviceState};

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "OSBaseline",
    priority: Priority::Low,
    tells: Tells::Changes(|device| Payload::OsBaseline(checks(&device.state).into())),
};

fn checks(state: &DeviceState) -> [BaselineCheck; 5] {
    let firewall = &state.firewall;
    let lets_in = firewall.rules().iter().any(|rule| rule.chain == Chain::Input && rule.allows);
    let check = |id, severity, description, passed| BaselineCheck { id, description, severity, passed };
    [
        check("hilarm-firewall-on", "Critical", "the firewall is on", firewall.is_enabled()),
        check("hilarm-nothing-let-in", "Important", "no rule of the firewall lets anything in", !lets_in),
        check(
            "hilarm-no-port-exposed",
            "Critical",
            "no port that the device listens on can be reached from outside",
            !state.listening().any(|port| firewall.admits(port)),
        ),
        check("hilarm-factory-users", "Warning", "no user was added", state.users.added() == 0),
        check(
            "hilarm-nothing-plugged-in",
            "Warning",
            "no hardware is plugged in",
            state.hardware.plugged_in().is_empty(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Hardware;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn failed(state: &DeviceState) -> Vec<&'static str> {
        checks(state).into_iter().filter(|check| !check.passed).map(|check| check.id).collect()
    }

    fn stick() -> Hardware {
        let [category, sub_category, name] = ["USB", "Mass storage", "stick"].map(ToString::to_string);
        Hardware { category, sub_category, name }
    }

    #[test]
    fn a_device_from_the_factory_passes_every_check() {
        assert_eq!(failed(&DeviceState::new(42)), [""; 0]);
    }

    #[test]
    fn each_change_fails_its_own_check() {
        let fails = |id: &str, change: fn(&mut DeviceState) -> bool| {
            let mut state = DeviceState::new(42);
            assert!(change(&mut state));
            assert_eq!(failed(&state), [id]);
        };
        fails("hilarm-firewall-on", |state| state.firewall.enable(false));
        fails("hilarm-nothing-let-in", |state| state.firewall.let_in(2323));
        fails("hilarm-factory-users", |state| state.users.add("backdoor", "x"));
        fails("hilarm-nothing-plugged-in", |state| state.hardware.plug_in(stick()));
    }

    #[test]
    fn a_listening_port_is_exposed_only_where_the_firewall_admits_it() {
        let mut state = DeviceState::new(42);
        state.listen(2323);
        assert_eq!(failed(&state), [""; 0]);
        state.firewall.let_in(22);
        assert_eq!(failed(&state), ["hilarm-nothing-let-in"]);
        state.firewall.let_in(2323);
        assert_eq!(failed(&state), ["hilarm-nothing-let-in", "hilarm-no-port-exposed"]);
    }
}
