//! An allow list of a security group made ready for look-ups, which flows go which way, and their judgement.
//!
//! A list of the wrong kind for its rule (names for addresses, or the reverse) allows nothing, as an empty
//! one does: the API refuses such a rule, a journal may hold one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hilarm_model::{AllowList, Flow, FlowDirection, HubEvent};

use crate::address_index::AddressIndex;
use crate::alert::Subject;
use crate::counting::{flows, has_ports, security_events};
use crate::judgement::Judgement;
use crate::roster::Listening;

/// What an allow-list rule allows.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    networks: AddressIndex,
    names: BTreeSet<String>,
}

impl From<&AllowList> for Allowed {
    fn from(list: &AllowList) -> Self {
        match list {
            AllowList::Networks(networks) => {
                Self { networks: AddressIndex::from(&networks[..]), names: BTreeSet::new() }
            }
            AllowList::Names(names) => {
                Self { networks: AddressIndex::default(), names: names.iter().cloned().collect() }
            }
        }
    }
}

impl Allowed {
    /// Whether a canonical address is allowed.
    pub(crate) fn address(&self, address: IpAddr) -> bool {
        self.networks.holds(address)
    }

    /// Whether a name is allowed, letter by letter.
    pub(crate) fn name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether an executable is allowed, by its path or by its base name.
    pub(crate) fn executable(&self, path: &str) -> bool {
        self.name(path) || path.rsplit(['/', '\\']).next().is_some_and(|base| self.name(base))
    }
}

/// Opened by the device: stated so, or, where the agent states no direction, bytes went out from a port on
/// which the device does not listen. Multicast and broadcast are nobody's connection.
pub(crate) fn outbound(flow: &Flow, listening: &Listening) -> bool {
    let guessed = flow.bytes_out > 0 && !listening.contains(&(flow.protocol, flow.local_port));
    directed(flow, FlowDirection::Out, guessed)
}

/// Opened by the other side: stated so, or bytes came in on a port on which the device listens.
pub(crate) fn inbound(flow: &Flow, listening: &Listening) -> bool {
    let guessed = flow.bytes_in > 0 && listening.contains(&(flow.protocol, flow.local_port));
    directed(flow, FlowDirection::In, guessed)
}

/// Raises an alert for each flow of the kind whose remote address the device's group does not allow.
pub(crate) fn judge_flows(
    event: &HubEvent,
    judgement: &mut Judgement<'_>,
    is_of_kind: fn(&Flow, &Listening) -> bool,
) {
    let Some((device, events)) = security_events(event) else { return };
    let Some((allowed, group)) = judgement.allow_list(device) else { return };
    for flow in events.iter().flat_map(flows) {
        if !is_of_kind(flow, judgement.listening(device)) {
            continue;
        }
        judgement.consider();
        let address = flow.remote_address.to_canonical();
        if !allowed.address(address) {
            judgement.raise(device, Some(Subject::Address(address)), |facts| {
                facts.insert("SecurityGroup", group.clone());
                facts.insert("RemoteAddress", address.to_string());
                facts.insert("RemotePort", flow.remote_port.to_string());
                facts.insert("LocalPort", flow.local_port.to_string());
            });
        }
    }
}

fn directed(flow: &Flow, direction: FlowDirection, guessed: bool) -> bool {
    has_ports(flow)
        && !for_many(flow.remote_address.to_canonical())
        && flow.direction.map_or(guessed, |stated| stated == direction)
}

/// Multicast or limited broadcast. The broadcast address of a network is not told from a host's without its
/// prefix, which no event holds.
fn for_many(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::flow;
    use hilarm_model::FlowProtocol;

    #[test]
    fn a_stated_direction_decides_over_bytes_and_ports() {
        let nothing = Listening::new();
        let stated = |direction| Flow { direction: Some(direction), ..flow("198.51.100.7", 0, 0) };
        assert!(outbound(&stated(FlowDirection::Out), &nothing));
        assert!(!inbound(&stated(FlowDirection::Out), &nothing));
        let sent = Flow { direction: Some(FlowDirection::In), ..flow("198.51.100.7", 5, 5) };
        assert!(inbound(&sent, &nothing) && !outbound(&sent, &nothing));
    }

    #[test]
    fn without_a_direction_the_listening_ports_decide() {
        let listening = Listening::from([(FlowProtocol::Tcp, 49152)]);
        let both = flow("198.51.100.7", 5, 5);
        assert!(inbound(&both, &listening) && !outbound(&both, &listening));
        assert!(outbound(&both, &Listening::new()) && !inbound(&both, &Listening::new()));
        let udp = Flow { protocol: FlowProtocol::Udp, ..both };
        assert!(outbound(&udp, &listening), "it listens on TCP only");
    }

    #[test]
    fn multicast_broadcast_and_icmp_are_nobodys_connection() {
        for address in ["224.0.0.251", "239.255.255.250", "255.255.255.255", "ff02::1", "::ffff:224.0.0.1"] {
            assert!(!outbound(&flow(address, 0, 5), &Listening::new()), "{address}");
        }
        let icmp = Flow { protocol: FlowProtocol::Icmp, ..flow("198.51.100.7", 5, 5) };
        assert!(!outbound(&icmp, &Listening::new()));
    }

    #[test]
    fn a_list_of_the_wrong_kind_allows_nothing() {
        let names = Allowed::from(&AllowList::Names(vec!["198.51.100.7".into()]));
        assert!(!names.address("198.51.100.7".parse().unwrap()));
        let networks = Allowed::from(&AllowList::Networks(vec!["198.51.100.7/32".parse().unwrap()]));
        assert!(!networks.name("198.51.100.7"));
    }
}
