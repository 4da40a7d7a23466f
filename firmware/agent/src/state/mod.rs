//! What somebody at the device's console would find: local users and who tried to sign in, tasks, connections,
//! listening ports, the firewall, hardware, the agent's log and its counts. Behaviours change it; collectors read it, and are
//! the only ones to make security events of it.
//!
//! What happened is kept until a collector takes it, within bounds: the oldest is lost first, and counted.

mod agent_log;
mod connections;
mod firewall;
mod happenings;
mod hardware;
mod statistics;
mod tasks;
mod users;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use agent_log::AgentLog;
pub(crate) use connections::Connections;
pub(crate) use firewall::{Chain, Firewall, Rule};
pub(crate) use happenings::Noted;
pub(crate) use hardware::{AllHardware, Hardware};
pub(crate) use statistics::{MessageCount, QueueCount, Statistics};
pub(crate) use tasks::{AGENT, AGENT_EXECUTABLE, CONSOLE, CONSOLE_EXECUTABLE, Tasks};
pub(crate) use users::{LocalUser, Users};

use crate::random::Random;

/// The state of the device beside its connection to the hub.
pub(crate) struct DeviceState {
    /// Local users.
    pub(crate) users: Users,
    /// Tasks.
    pub(crate) tasks: Tasks,
    /// Connections.
    pub(crate) connections: Connections,
    /// The firewall.
    pub(crate) firewall: Firewall,
    /// Hardware.
    pub(crate) hardware: AllHardware,
    /// The agent's log.
    pub(crate) log: AgentLog,
    /// The agent's counts of its own work.
    pub(crate) statistics: Statistics,
    listening: BTreeSet<u16>,
    /// Whether the last collection told of a port, so that the next has to tell of its end.
    told_of_ports: bool,
}

impl DeviceState {
    /// An honest device that has just booted: two users, its tasks, no port open.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            users: Users::new(seed),
            tasks: Tasks::new(),
            connections: Connections::default(),
            firewall: Firewall::new(),
            hardware: AllHardware::new(),
            log: AgentLog::default(),
            statistics: Statistics::default(),
            listening: BTreeSet::new(),
            told_of_ports: false,
        }
    }

    /// Listens on a TCP port; whether it did not before.
    pub(crate) fn listen(&mut self, port: u16) -> bool {
        self.listening.insert(port)
    }

    /// Listens on a TCP port no longer.
    pub(crate) fn close_port(&mut self, port: u16) {
        self.listening.remove(&port);
    }

    /// The TCP ports open now.
    pub(crate) fn listening(&self) -> impl Iterator<Item = u16> {
        self.listening.iter().copied()
    }

    /// The TCP ports open now; nothing when there is none and was none the last time, unless `asked`.
    pub(crate) fn take_listening_ports(&mut self, asked: bool) -> Option<Vec<u16>> {
        let told = core::mem::replace(&mut self.told_of_ports, !self.listening.is_empty());
        (asked || told || self.told_of_ports).then(|| self.listening().collect())
    }
}

/// The password that a user was given at the factory. Who knows it is another question.
pub(crate) fn factory_password(seed: u64, user: &str) -> String {
    let mut component = String::from("password of ");
    component.push_str(user);
    let bytes: [u8; 8] = Random::new(seed, &component).bytes();
    bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_while_one_is_open_and_once_more_when_the_last_has_closed() {
        let mut state = DeviceState::new(42);
        assert_eq!(state.take_listening_ports(false), None);
        assert!(state.listen(4444));
        assert!(!state.listen(4444));
        assert_eq!(state.take_listening_ports(false), Some(Vec::from([4444])));
        assert_eq!(state.take_listening_ports(false), Some(Vec::from([4444])));
        state.close_port(4444);
        assert_eq!(state.take_listening_ports(false), Some(Vec::new()));
        assert_eq!(state.take_listening_ports(false), None);
        assert_eq!(state.take_listening_ports(true), Some(Vec::new()));
    }
}
