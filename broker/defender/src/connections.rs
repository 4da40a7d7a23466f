//! The distinct connections of a device in a window.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hilarm_model::Flow;

/// A set of connections: protocol, local address and port, remote address and port. An IPv4-mapped IPv6
/// address is the IPv4 address.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// Between IPv4 addresses: remote address, local address, ports and protocol in one number. Most are.
    v4: BTreeSet<u128>,
    /// Remote address, local address, ports and protocol of the others.
    others: BTreeSet<(IpAddr, IpAddr, u64)>,
}

impl Connections {
    /// Takes in the connection of a flow; answers whether it is new.
    pub(crate) fn insert(&mut self, flow: &Flow) -> bool {
        let ports =
            u64::from(flow.local_port) << 24 | u64::from(flow.remote_port) << 8 | flow.protocol as u64;
        match (flow.remote_address.to_canonical(), flow.local_address.to_canonical()) {
            (IpAddr::V4(remote), IpAddr::V4(local)) => {
                let addresses = u128::from(remote.to_bits()) << 32 | u128::from(local.to_bits());
                self.v4.insert(addresses << 40 | u128::from(ports))
            }
            (remote, local) => self.others.insert((remote, local, ports)),
        }
    }
}

#[cfg(test)]
impl Connections {
    pub(crate) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.others.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::flow;
    use hilarm_model::FlowProtocol;

    /// A flow, and every flow that differs from it in one part of its connection.
    fn alike(local: &str, remote: &str, others: [&str; 2]) -> Vec<Flow> {
        let address = |text: &str| text.parse().unwrap();
        let flow = Flow { local_address: address(local), ..flow(remote, 1, 1) };
        let neighbour = |port: u16| port ^ 1;
        vec![
            flow.clone(),
            Flow { protocol: FlowProtocol::Udp, ..flow.clone() },
            Flow { local_port: neighbour(flow.local_port), ..flow.clone() },
            Flow { remote_port: neighbour(flow.remote_port), ..flow.clone() },
            Flow { local_port: flow.remote_port, remote_port: flow.local_port, ..flow.clone() },
            Flow { local_address: address(others[0]), ..flow.clone() },
            Flow { remote_address: address(others[1]), ..flow.clone() },
            Flow { local_address: address(remote), remote_address: address(local), ..flow },
        ]
    }

    #[test]
    fn connections_that_differ_in_one_part_are_told_apart_and_equal_ones_are_not() {
        let v4 = alike("10.42.0.2", "198.51.100.7", ["10.42.0.3", "198.51.100.8"]);
        let v6 = alike("2001:db8::2", "2001:db8::7", ["2001:db8::3", "2001:db8::8"]);
        let mixed = alike("10.42.0.2", "2001:db8::7", ["10.42.0.3", "2001:db8::8"]);
        let mut connections = Connections::default();
        for flow in v4.iter().chain(&v6).chain(&mixed) {
            assert!(connections.insert(flow), "{flow:?}");
        }
        for flow in v4.iter().chain(&v6).chain(&mixed) {
            assert!(!connections.insert(flow), "{flow:?}");
        }
    }

    #[test]
    fn byte_counts_are_no_part_of_a_connection_and_a_mapped_address_is_no_other_one() {
        let mut connections = Connections::default();
        assert!(connections.insert(&flow("198.51.100.7", 1, 1)));
        assert!(!connections.insert(&flow("198.51.100.7", 9, 0)));
        assert!(!connections.insert(&flow("::ffff:198.51.100.7", 1, 1)));
    }
}
