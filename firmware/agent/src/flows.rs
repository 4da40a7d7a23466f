//! The flows that the device's network stack has seen since the last collection, by 5-tuple.
//!
//! Like the original agent, the table holds 64 flows unless configured otherwise; when it is full, new flows
//! *and* byte updates are lost until the next collection empties it (`spec/defender.md`, 1). That blind spot
//! is kept on purpose.

mod frame;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Which way a frame went, as the device sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the device.
    Incoming,
    /// From the device.
    Outgoing,
}

/// Transport protocol of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlowProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP; its ports are 0.
    Icmp,
}

/// The 5-tuple of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowKey {
    /// Transport protocol.
    pub protocol: FlowProtocol,
    /// The device's address.
    pub local_address: [u8; 4],
    /// The device's port.
    pub local_port: u16,
    /// Address of the other side.
    pub remote_address: [u8; 4],
    /// Port of the other side.
    pub remote_port: u16,
}

/// A flow with the bytes it carried since the last collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Which flow.
    pub key: FlowKey,
    /// IP payload bytes received.
    pub bytes_in: u32,
    /// IP payload bytes sent.
    pub bytes_out: u32,
}

/// The flows since the last collection.
#[derive(Debug)]
pub struct FlowTable {
    flows: BTreeMap<FlowKey, (u32, u32)>,
    flows_max: usize,
}

impl FlowTable {
    /// A table for so many flows between two collections.
    pub(crate) fn new(flows_max: usize) -> Self {
        Self { flows: BTreeMap::new(), flows_max }
    }

    /// Sees an Ethernet frame. Anything that is not unicast IPv4 with TCP, UDP or ICMP is passed over;
    /// outgoing multicast counts, incoming does not.
    pub fn observe_frame(&mut self, direction: Direction, ethernet_frame: &[u8]) {
        if let Some((key, bytes)) = frame::parse(direction, ethernet_frame) {
            match direction {
                Direction::Incoming => self.observe(key, bytes, 0),
                Direction::Outgoing => self.observe(key, 0, bytes),
            }
        }
    }

    /// Sees bytes of a flow; for platforms without frames.
    pub fn observe(&mut self, key: FlowKey, bytes_in: u32, bytes_out: u32) {
        if self.flows.len() >= self.flows_max {
            return;
        }
        let bytes = self.flows.entry(key).or_default();
        bytes.0 = bytes.0.saturating_add(bytes_in);
        bytes.1 = bytes.1.saturating_add(bytes_out);
    }

    /// The TCP flow from an own address and port, if the table knows one.
    pub(crate) fn tcp_from(&self, (address, port): ([u8; 4], u16)) -> Option<FlowKey> {
        let is_it = |key: &&FlowKey| {
            key.protocol == FlowProtocol::Tcp && key.local_address == address && key.local_port == port
        };
        self.flows.keys().find(is_it).copied()
    }

    /// Empties the table; flows come in the order of their keys.
    pub(crate) fn take(&mut self) -> Vec<Flow> {
        core::mem::take(&mut self.flows)
            .into_iter()
            .map(|(key, (bytes_in, bytes_out))| Flow { key, bytes_in, bytes_out })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(remote_port: u16) -> FlowKey {
        FlowKey {
            protocol: FlowProtocol::Tcp,
            local_address: [10, 42, 0, 2],
            local_port: 49152,
            remote_address: [192, 0, 2, 1],
            remote_port,
        }
    }

    #[test]
    fn bytes_of_one_flow_add_up_and_a_collection_starts_over() {
        let mut table = FlowTable::new(64);
        table.observe(key(1), 10, 0);
        table.observe(key(1), 5, 7);
        assert_eq!(table.take(), [Flow { key: key(1), bytes_in: 15, bytes_out: 7 }]);
        assert_eq!(table.take(), []);
    }

    #[test]
    fn a_flow_is_found_by_its_own_end_while_the_table_knows_it() {
        let mut table = FlowTable::new(1);
        table.observe(key(443), 1, 1);
        assert_eq!(table.tcp_from(([10, 42, 0, 2], 49152)), Some(key(443)));
        assert_eq!(table.tcp_from(([10, 42, 0, 2], 49153)), None);
        assert_eq!(table.tcp_from(([10, 42, 0, 3], 49152)), None);
        table.take();
        assert_eq!(table.tcp_from(([10, 42, 0, 2], 49152)), None);
    }

    #[test]
    fn byte_counts_saturate() {
        let mut table = FlowTable::new(64);
        table.observe(key(1), u32::MAX, 0);
        table.observe(key(1), 1, 0);
        assert_eq!(table.take()[0].bytes_in, u32::MAX);
    }

    #[test]
    fn a_full_table_loses_new_flows_and_byte_updates() {
        let mut table = FlowTable::new(64);
        for port in 0..64 {
            table.observe(key(port), 1, 0);
        }
        table.observe(key(9999), 1, 0);
        table.observe(key(0), 1, 0);
        let flows = table.take();
        assert_eq!(flows.len(), 64);
        assert!(flows.iter().all(|flow| flow.bytes_in == 1));
    }
}
