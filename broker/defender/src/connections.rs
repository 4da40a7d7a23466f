//! The distinct connections of a device in a window.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hilarm_model::{Flow, FlowProtocol};

/// Remote address and port, local address and port, protocol. An IPv4-mapped IPv6 address is the IPv4 address.
type Connection = (IpAddr, u16, IpAddr, u16, FlowProtocol);

/// Distinct connections that are counted; beyond, the count stays.
const CONNECTIONS_MAX: usize = 65_536;

/// A set of connections. A device has a few in a window, between IPv4 addresses: these are kept in one line of
/// a cache, and any others elsewhere.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Connections {
    /// Ordinal of their window; 0 of none.
    pub(crate) ordinal: u32,
    few: [Option<Packed>; 2],
    others: BTreeSet<Connection>,
}

/// A connection between IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    remote: u32,
    local: u32,
    remote_port: u16,
    local_port: u16,
    protocol: FlowProtocol,
}

impl Connections {
    /// Of the window with this ordinal, none so far.
    pub(crate) fn of(ordinal: u32) -> Self {
        Self { ordinal, ..Self::default() }
    }

    /// Takes in the connection of a flow; answers whether it is new, and there was room for it.
    pub(crate) fn insert(&mut self, flow: &Flow) -> bool {
        let (remote, local) = (flow.remote_address.to_canonical(), flow.local_address.to_canonical());
        let &Flow { remote_port, local_port, protocol, .. } = flow;
        if let (IpAddr::V4(remote), IpAddr::V4(local)) = (remote, local) {
            let (remote, local) = (remote.to_bits(), local.to_bits());
            let packed = Packed { remote, local, remote_port, local_port, protocol };
            for (taken, place) in self.few.iter_mut().enumerate() {
                match place {
                    Some(known) if *known == packed => return false,
                    Some(_) => (),
                    None if taken + self.others.len() >= CONNECTIONS_MAX => return false,
                    None => {
                        *place = Some(packed);
                        return true;
                    }
                }
            }
        }
        self.len() < CONNECTIONS_MAX && self.others.insert((remote, remote_port, local, local_port, protocol))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.few.iter().flatten().count() + self.others.len()
    }

    /// Whether not all of them are in the line.
    pub(crate) fn are_many(&self) -> bool {
        !self.others.is_empty()
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
    fn a_device_has_one_line_of_a_cache() {
        assert_eq!((size_of::<Connections>(), align_of::<Connections>()), (64, 64));
        let mut connections = Connections::default();
        for (number, many) in [(1, false), (2, false), (3, true)] {
            assert!(connections.insert(&Flow { local_port: number, ..flow("198.51.100.7", 1, 1) }));
            assert_eq!(connections.are_many(), many);
        }
    }

    #[test]
    fn there_is_room_for_so_many_whatever_their_addresses() {
        let numbered = |number: usize| Flow { local_port: number as u16, ..flow("2001:db8::7", 1, 1) };
        let mut connections = Connections::default();
        assert!((0..CONNECTIONS_MAX - 1).all(|number| connections.insert(&numbered(number))));
        assert!(connections.insert(&flow("198.51.100.7", 1, 1)));
        assert!(!connections.insert(&flow("198.51.100.8", 1, 1)));
        assert!(!connections.insert(&numbered(CONNECTIONS_MAX - 1)));
        assert_eq!(connections.len(), CONNECTIONS_MAX);
    }

    #[test]
    fn byte_counts_are_no_part_of_a_connection_and_a_mapped_address_is_no_other_one() {
        let mut connections = Connections::default();
        assert!(connections.insert(&flow("198.51.100.7", 1, 1)));
        assert!(!connections.insert(&flow("198.51.100.7", 9, 0)));
        assert!(!connections.insert(&flow("::ffff:198.51.100.7", 1, 1)));
    }
}
