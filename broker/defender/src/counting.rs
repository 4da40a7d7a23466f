//! What a range rule may do with an event: say whose count it is. It can do nothing else.

use hilarm_model::{DeviceId, Flow, FlowProtocol, HubEvent, Profile, SecurityEvent, SecurityPayload, Tuning};

use crate::ledger::Position;
use crate::ranges::Unit;
use crate::roster::DeviceIndex;
use crate::state::State;

/// Unregistered ids that are counted for, in a whole run; further ones are not, which
/// [`crate::Defender::overflowed`] says. A claimed id costs memory, and anybody can claim one.
pub(crate) const STRANGERS_MAX: usize = 65_536;

/// One event before one range rule.
#[derive(Debug)]
pub struct Counting<'a> {
    pub(crate) slot: usize,
    pub(crate) state: &'a mut State,
    pub(crate) considered: &'a mut u64,
    pub(crate) position: Position,
}

impl Counting<'_> {
    /// One more for the device. What a stranger sends counts for no device.
    pub fn one(&mut self, device: &DeviceId) {
        self.consider();
        if let Some(index) = self.find(device) {
            self.count(index, Unit::Event);
        }
    }

    /// One more for the id that a peer claimed, also when no such device is registered.
    pub fn claimed(&mut self, device: &DeviceId) {
        self.consider();
        let State { roster, ranges, ledger, monitoring, .. } = &mut *self.state;
        let known = roster.find(device);
        if known.is_none() && !(*monitoring && ranges.counts_strangers(self.slot)) {
            return;
        }
        if known.is_none() && roster.strangers() >= STRANGERS_MAX {
            ledger.overflow();
            return;
        }
        let index = known.unwrap_or_else(|| roster.intern(device));
        self.count(index, Unit::Claim);
    }

    /// One more for the device for each connection that was not counted in the window before.
    pub fn connections<'f>(&mut self, device: &DeviceId, flows: impl Iterator<Item = &'f Flow>) {
        let index = self.find(device);
        for flow in flows {
            self.consider();
            if let Some(index) = index {
                self.count(index, Unit::Connection(flow));
            }
        }
    }

    /// The profile in force.
    pub fn profile(&self) -> Profile {
        self.state.settings.profile
    }

    /// The knobs in force.
    pub fn tuning(&self) -> Tuning {
        self.state.settings.tuning
    }

    fn consider(&mut self) {
        *self.considered += u64::from(self.state.monitoring);
    }

    /// The device, where the rule is enabled for anybody.
    fn find(&self, device: &DeviceId) -> Option<DeviceIndex> {
        if self.state.ranges.is_enabled(self.slot) { self.state.roster.find(device) } else { None }
    }

    fn count(&mut self, index: DeviceIndex, unit: Unit<'_>) {
        let State { roster, ranges, ledger, .. } = &mut *self.state;
        ranges.count((roster, ledger), self.slot, (index, unit), self.position);
    }
}

/// The flows of a security event.
pub(crate) fn flows(event: &SecurityEvent) -> &[Flow] {
    match &event.payload {
        SecurityPayload::NetworkActivity(flows) => flows,
        _ => &[],
    }
}

/// The device of a security message and its events; nothing for another event.
pub(crate) fn security_events(event: &HubEvent) -> Option<(&DeviceId, &[SecurityEvent])> {
    match event {
        HubEvent::SecurityMessageReceived { device, events, .. } => Some((device, events)),
        _ => None,
    }
}

/// TCP and UDP have connections; ICMP has none.
pub(crate) fn has_ports(flow: &Flow) -> bool {
    matches!(flow.protocol, FlowProtocol::Tcp | FlowProtocol::Udp)
}
