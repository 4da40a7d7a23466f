//! The network's face.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use hilarm_model::{DeviceId, Monotonic, Now};

use crate::flow::FlowLedger;
use crate::sink::Sinks;
use crate::{Endpoint, Faults, Input, LinkId, Medium, NetworkConfig, Output, SinkRecord, TrueFlow};

/// The virtual network of one run.
pub struct Network {
    config: NetworkConfig,
    outputs: VecDeque<Output>,
    flows: FlowLedger,
    sinks: Sinks,
    links: u32,
}

impl Network {
    /// A network without devices.
    pub fn new(config: NetworkConfig, _seed: u64) -> Self {
        Self {
            config,
            outputs: VecDeque::new(),
            flows: FlowLedger::default(),
            sinks: Sinks::default(),
            links: 0,
        }
    }

    /// Attaches a device with its address.
    pub fn attach(&mut self, _device: DeviceId, _medium: Medium, _address: Ipv4Addr) -> LinkId {
        self.links += 1;
        LinkId(self.links - 1)
    }

    /// Takes an input.
    pub fn handle_input(&mut self, _input: Input, _now: Now) {}

    /// Does what is due.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// The next output, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle_timeout` next.
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        None
    }

    /// Replaces a link's faults; what is already under way keeps its delay.
    pub fn set_faults(&mut self, _link: LinkId, _faults: Faults) {}

    /// The address the hub sees a link's later connections come from; nothing for the device's own.
    pub fn set_source(&mut self, _link: LinkId, _source: Option<Ipv4Addr>) {}

    /// What a name resolves to from now on; nothing makes it unknown.
    pub fn set_name(&mut self, _host: String, _address: Option<Ipv4Addr>) {}

    /// What stands behind an address from now on; connections that are up stay.
    pub fn set_endpoint(&mut self, _at: SocketAddrV4, _endpoint: Endpoint) {}

    /// All flows in the order in which they began.
    pub fn flows(&self) -> impl Iterator<Item = &TrueFlow> {
        self.flows.iter()
    }

    /// What the sink at this address received.
    pub fn sink(&self, at: SocketAddrV4) -> Option<&SinkRecord> {
        self.sinks.get(at)
    }

    /// Writes the capture as pcapng, TLS secrets included.
    pub fn write_capture(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let _ = &self.config;
        out.flush()
    }

    /// Plaintext bytes that the hub was given from a link and gave to it.
    pub fn hub_plaintext_bytes(&self, _link: LinkId) -> (u64, u64) {
        (0, 0)
    }
}
