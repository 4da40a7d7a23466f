//! The agent as its platform sees it.

use alloc::collections::VecDeque;
use alloc::string::ToString;

use hilarm_link::{DeviceConfig, DeviceEvent, FromDevice};

use crate::flows::FlowTable;
use crate::io::{Input, Now, Output};

/// One device: hub client, collectors and running behaviours.
pub struct Agent {
    flows: FlowTable,
    outbox: VecDeque<Output>,
}

impl Agent {
    /// A device that has just booted. Its first output is [`DeviceEvent::Booted`].
    pub fn new(_config: DeviceConfig, target: &'static str, boot_nonce: u64) -> Self {
        let booted = DeviceEvent::Booted {
            target: target.to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            nonce: boot_nonce,
        };
        let outbox = VecDeque::from([Output::ToHarness(FromDevice::Event(booted))]);
        Self { flows: FlowTable::default(), outbox }
    }

    /// Takes an input.
    pub fn handle_input(&mut self, _input: Input, _now: Now) {}

    /// Does what is due; afterwards [`Agent::poll_timeout`] lies ahead of `now`.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// The next output, until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// When to call [`Agent::handle_timeout`], in monotonic microseconds; nothing = only on input.
    pub fn poll_timeout(&self, _now: Now) -> Option<u64> {
        None
    }

    /// The flow table, for the network stack to feed.
    pub fn flows(&mut self) -> &mut FlowTable {
        &mut self.flows
    }
}
