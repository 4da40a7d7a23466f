//! The table of the device's firewall. From the factory it lets nothing in and everything out; the first rule that
//! covers a connection decides.

use alloc::vec::Vec;

/// A chain of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    /// Connections to the device.
    Input,
    /// Connections of the device.
    Output,
}

/// A rule for TCP connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Where it stands.
    pub(crate) chain: Chain,
    /// Whether it lets through what it covers.
    pub(crate) allows: bool,
    /// The device's port; nothing for all of them.
    pub(crate) port: Option<u16>,
}

const FACTORY_RULES: [Rule; 2] = [
    Rule { chain: Chain::Input, allows: false, port: None },
    Rule { chain: Chain::Output, allows: true, port: None },
];

/// The firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Firewall {
    enabled: bool,
    rules: Vec<Rule>,
}

impl Firewall {
    pub(super) fn new() -> Self {
        Self { enabled: true, rules: FACTORY_RULES.into() }
    }

    /// Turns it on or off; whether that changed anything.
    pub(crate) fn enable(&mut self, enabled: bool) -> bool {
        core::mem::replace(&mut self.enabled, enabled) != enabled
    }

    /// Lets connections to a port in, before all other rules; whether there was no such rule.
    pub(crate) fn let_in(&mut self, port: u16) -> bool {
        let rule = Rule { chain: Chain::Input, allows: true, port: Some(port) };
        let is_new = !self.rules.contains(&rule);
        if is_new {
            self.rules.insert(0, rule);
        }
        is_new
    }

    /// Takes the rule for a port away.
    pub(crate) fn close(&mut self, port: u16) {
        self.rules.retain(|rule| rule.port != Some(port));
    }

    /// Whether it is on.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The rules, the first to be looked at first.
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a connection from outside reaches a port.
    pub(crate) fn admits(&self, port: u16) -> bool {
        let covers = |rule: &&Rule| rule.chain == Chain::Input && rule.port.is_none_or(|own| own == port);
        !self.enabled || self.rules.iter().find(covers).is_none_or(|rule| rule.allows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_factory_nothing_comes_in() {
        let firewall = Firewall::new();
        assert!(firewall.is_enabled());
        assert!(!firewall.admits(22));
    }

    #[test]
    fn a_port_let_in_is_open_until_it_is_closed_and_no_other_is() {
        let mut firewall = Firewall::new();
        assert!(firewall.let_in(2323));
        assert!(!firewall.let_in(2323));
        assert!(firewall.admits(2323) && !firewall.admits(22));
        firewall.close(2323);
        assert_eq!(firewall, Firewall::new());
    }

    #[test]
    fn a_firewall_that_is_off_admits_everything() {
        let mut firewall = Firewall::new();
        assert!(firewall.enable(false));
        assert!(!firewall.enable(false));
        assert!(firewall.admits(22));
        assert!(firewall.enable(true));
        assert!(!firewall.admits(22));
    }
}
