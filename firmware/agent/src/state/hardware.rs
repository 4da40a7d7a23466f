//! The hardware that the device knows of: its own, which is the same on every target, so that equal scenarios give
//! equal events, and what somebody has plugged in.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A piece of hardware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hardware {
    /// What it is, e.g. `USB`.
    pub(crate) category: String,
    /// What kind of that, e.g. `Mass storage`.
    pub(crate) sub_category: String,
    /// What it calls itself.
    pub(crate) name: String,
}

const OWN: [(&str, &str, &str); 3] = [
    ("Network", "Interface", "net0"),
    ("Port", "Serial console", "tty0"),
    ("Sensor", "Temperature", "temp0"),
];

/// All of it.
pub(crate) struct AllHardware(Vec<Hardware>);

impl AllHardware {
    pub(super) fn new() -> Self {
        let own = OWN.map(|(category, sub_category, name)| Hardware {
            category: category.to_string(),
            sub_category: sub_category.to_string(),
            name: name.to_string(),
        });
        Self(own.into())
    }

    /// Something is plugged in; false when there is something of that name.
    pub(crate) fn plug_in(&mut self, hardware: Hardware) -> bool {
        let is_new = self.0.iter().all(|known| known.name != hardware.name);
        if is_new {
            self.0.push(hardware);
        }
        is_new
    }

    /// Something is pulled out.
    pub(crate) fn pull_out(&mut self, name: &str) {
        let plugged_in = self.0.split_off(OWN.len());
        self.0.extend(plugged_in.into_iter().filter(|hardware| hardware.name != name));
    }

    /// Everything, the device's own first.
    pub(crate) fn all(&self) -> &[Hardware] {
        &self.0
    }

    /// What is not the device's own.
    pub(crate) fn plugged_in(&self) -> &[Hardware] {
        self.0.get(OWN.len()..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stick(name: &str) -> Hardware {
        let text = ToString::to_string;
        Hardware { category: text("USB"), sub_category: text("Mass storage"), name: text(name) }
    }

    #[test]
    fn what_is_plugged_in_is_there_once_until_it_is_pulled_out() {
        let mut hardware = AllHardware::new();
        assert!(hardware.plugged_in().is_empty());
        assert!(hardware.plug_in(stick("stick")));
        assert!(!hardware.plug_in(stick("stick")));
        assert_eq!(hardware.plugged_in(), [stick("stick")]);
        assert_eq!(hardware.all().len(), OWN.len() + 1);
        hardware.pull_out("stick");
        assert!(hardware.plugged_in().is_empty());
    }

    #[test]
    fn nobody_pulls_out_what_is_the_device_s_own_or_plugs_in_its_double() {
        let mut hardware = AllHardware::new();
        assert!(!hardware.plug_in(stick("net0")));
        hardware.pull_out("net0");
        assert_eq!(hardware.all().len(), OWN.len());
    }
}
