//! The true list of flows, against which a device's own reports are compared.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use hilarm_model::Monotonic;
use serde::{Deserialize, Serialize};

use crate::LinkId;

/// Flows kept at most; a device that opens more is still counted in facts.
const FLOWS_MAX: usize = 65_536;

/// Transport protocol of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One flow between a device and an address, whether or not anything answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrueFlow {
    /// The device's link.
    pub link: LinkId,
    /// TCP or UDP.
    pub protocol: FlowProtocol,
    /// The device's end.
    pub local: SocketAddrV4,
    /// The other end.
    pub remote: SocketAddrV4,
    /// Payload bytes towards the device: TCP stream bytes (ciphertext under TLS) counted once however often
    /// they were sent, or UDP payload.
    pub bytes_in: u64,
    /// Payload bytes from the device.
    pub bytes_out: u64,
    /// When its first packet reached the network.
    pub first: Monotonic,
    /// When payload last passed.
    pub last: Monotonic,
}

/// The number of a flow in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowNumber(usize);

/// All flows in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct FlowLedger {
    flows: Vec<TrueFlow>,
    datagrams: BTreeMap<(LinkId, SocketAddrV4, SocketAddrV4), FlowNumber>,
}

impl FlowLedger {
    /// Begins a TCP flow: each connection is one.
    pub(crate) fn begin(
        &mut self,
        link: LinkId,
        protocol: FlowProtocol,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        now: Monotonic,
    ) -> FlowNumber {
        let number = FlowNumber(self.flows.len());
        if self.flows.len() < FLOWS_MAX {
            let (bytes_in, bytes_out) = (0, 0);
            self.flows.push(TrueFlow {
                link,
                protocol,
                local,
                remote,
                bytes_in,
                bytes_out,
                first: now,
                last: now,
            });
        }
        number
    }

    /// The UDP flow between two ends, begun if there was none.
    pub(crate) fn datagram(
        &mut self,
        link: LinkId,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        now: Monotonic,
    ) -> FlowNumber {
        if let Some(number) = self.datagrams.get(&(link, local, remote)) {
            return *number;
        }
        let number = self.begin(link, FlowProtocol::Udp, local, remote, now);
        if self.datagrams.len() < FLOWS_MAX {
            self.datagrams.insert((link, local, remote), number);
        }
        number
    }

    pub(crate) fn count(&mut self, number: FlowNumber, bytes_in: usize, bytes_out: usize, now: Monotonic) {
        if let Some(flow) = self.flows.get_mut(number.0) {
            flow.bytes_in += bytes_in as u64;
            flow.bytes_out += bytes_out as u64;
            flow.last = now;
        }
    }

    pub(crate) fn bytes(&self, number: FlowNumber) -> (u64, u64) {
        self.flows.get(number.0).map_or((0, 0), |flow| (flow.bytes_in, flow.bytes_out))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &TrueFlow> {
        self.flows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn at(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), port)
    }

    #[test]
    fn datagrams_between_the_same_ends_are_one_flow_and_connections_are_not() {
        let mut ledger = FlowLedger::default();
        let now = Monotonic::from_micros(5);
        let one = ledger.datagram(LinkId(0), at(1), at(2), now);
        let two = ledger.datagram(LinkId(0), at(1), at(2), now);
        ledger.count(one, 10, 1, now);
        ledger.count(two, 10, 1, Monotonic::from_micros(9));
        assert_eq!(ledger.bytes(one), (20, 2));
        for _ in 0..2 {
            ledger.begin(LinkId(0), FlowProtocol::Tcp, at(1), at(2), now);
        }
        assert_eq!(ledger.iter().count(), 3);
        assert_eq!(ledger.iter().next().unwrap().last, Monotonic::from_micros(9));
    }

    #[test]
    fn flows_beyond_the_bound_are_not_kept() {
        let mut ledger = FlowLedger::default();
        for _ in 0..FLOWS_MAX + 10 {
            let number = ledger.begin(LinkId(0), FlowProtocol::Tcp, at(1), at(2), Monotonic::default());
            ledger.count(number, 1, 1, Monotonic::default());
        }
        assert_eq!(ledger.iter().count(), FLOWS_MAX);
    }
}
