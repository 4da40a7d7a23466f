//! A list of networks made ready for look-ups: disjoint ranges, found by bisection, however long the list is.
//!
//! An IPv4-mapped IPv6 address is the IPv4 address. An IPv6 network of its own never covers IPv4: `::/0`
//! means every IPv6 address.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// The networks of a threat list or of an allow list.
#[derive(Debug, Default)]
pub(crate) struct AddressIndex {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// First and last address of each range, ascending, disjoint.
type Ranges<A> = Vec<(A, A)>;

impl From<&[IpNet]> for AddressIndex {
    fn from(list: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Ranges::new(), Ranges::new());
        for network in list {
            match canonical(*network) {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self { v4: merged(v4), v6: merged(v6) }
    }
}

impl AddressIndex {
    /// Whether a listed network holds the address, which must be canonical ([`IpAddr::to_canonical`]).
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => any_holds(&self.v4, address.to_bits()),
            IpAddr::V6(address) => any_holds(&self.v6, address.to_bits()),
        }
    }
}

fn any_holds<A: Ord>(ranges: &[(A, A)], address: A) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| address <= *last)
}

/// A network within `::ffff:0:0/96` as the IPv4 network that it is.
fn canonical(network: IpNet) -> IpNet {
    let mapped = Ipv6Addr::to_ipv4_mapped;
    match network {
        IpNet::V6(net) if net.prefix_len() >= 96 => {
            let inner = mapped(&net.network()).map(|address| Ipv4Net::new(address, net.prefix_len() - 96));
            inner.and_then(Result::ok).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

fn merged<A: Copy + Ord>(mut ranges: Ranges<A>) -> Ranges<A> {
    ranges.sort_unstable();
    let mut merged = Ranges::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_threat_list;

    fn holds(list: &str, address: &str) -> bool {
        let index = AddressIndex::from(&parse_threat_list(list).unwrap().networks[..]);
        index.holds(address.parse::<IpAddr>().unwrap().to_canonical())
    }

    #[test]
    fn a_network_holds_its_first_and_last_address_and_no_neighbour() {
        let list = "198.51.100.0/24\n2001:db8::/64";
        for (address, held) in [
            ("198.51.99.255", false),
            ("198.51.100.0", true),
            ("198.51.100.255", true),
            ("198.51.101.0", false),
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("2001:db8::", true),
            ("2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::", false),
        ] {
            assert_eq!(holds(list, address), held, "{address}");
        }
    }

    #[test]
    fn nested_and_overlapping_networks_count_as_one() {
        let list = "203.0.113.0/24\n203.0.113.0/30\n203.0.113.64/26\n192.0.2.1";
        assert!(holds(list, "203.0.113.255") && holds(list, "203.0.113.5") && holds(list, "192.0.2.1"));
        assert!(!holds(list, "192.0.2.2"));
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_on_either_side() {
        assert!(holds("198.51.100.7", "::ffff:198.51.100.7"));
        assert!(holds("::ffff:198.51.100.0/120", "198.51.100.7"));
        assert!(!holds("::ffff:198.51.100.0/120", "198.51.101.7"));
    }

    #[test]
    fn the_whole_of_ipv6_is_not_the_whole_of_ipv4() {
        assert!(holds("::/0", "2001:db8::1") && !holds("::/0", "198.51.100.7"));
        assert!(holds("0.0.0.0/0", "198.51.100.7") && !holds("0.0.0.0/0", "2001:db8::1"));
    }
}
