//! Mutants of lists: networks that lose or gain an address at either end, entries that are not looked up, and
//! the size from which on an allowed network is too large.

use std::net::Ipv4Addr;

use hilarm_defender::{Boundary, Rule, Trigger};
use hilarm_model::{AllowList, AllowRuleType, FilterAction, HubEvent, SecurityPayload};
use ipnet::{IpNet, Ipv4Net, Ipv4Subnets};

use super::super::mutant::Mutant;
use super::seeing;

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    match (&row.detection.trigger, row.detection.boundary) {
        (Trigger::AllowList { rule, .. }, _) => allow_list(row, *rule),
        (_, Boundary::ThreatPrefix) => threat_list(row),
        (_, Boundary::PrefixLength) => network_rules(row),
        _ => Vec::new(),
    }
}

/// The first and the last address of a network, moved.
type MoveEnds = fn(u32, u32) -> (u64, u64);

/// What happens to the ends of a network.
const ENDS: [(&str, MoveEnds); 4] = [
    ("first address not in it", |first, last| (u64::from(first) + 1, u64::from(last))),
    ("last address not in it", |first, last| (u64::from(first), u64::from(last).wrapping_sub(1))),
    ("address below it in it", |first, last| (u64::from(first.saturating_sub(1)), u64::from(last))),
    ("address above it in it", |first, last| (u64::from(first), u64::from(last.saturating_add(1)))),
];

/// The networks with their ends moved.
fn moved(networks: &[IpNet], ends: MoveEnds) -> Vec<IpNet> {
    let cut = |network: &IpNet| -> Vec<IpNet> {
        let IpNet::V4(network) = network else { return vec![*network] };
        let (first, last) = ends(network.network().to_bits(), network.broadcast().to_bits());
        match (u32::try_from(first), u32::try_from(last)) {
            (Ok(first), Ok(last)) if first <= last => {
                let (first, last) = (Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(last));
                Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
            }
            _ => Vec::new(),
        }
    };
    networks.iter().flat_map(cut).collect()
}

fn threat_list(row: &Rule) -> Vec<Mutant> {
    let mutant = |(change, ends): (&str, MoveEnds)| {
        seeing(row, &format!("listed network: {change}"), move |event| {
            if let HubEvent::ThreatListLoaded(list) = event {
                list.networks = moved(&list.networks, ends);
            }
        })
    };
    ENDS.into_iter().map(mutant).collect()
}

fn allow_list(row: &Rule, rule: AllowRuleType) -> Vec<Mutant> {
    let changed = move |change: &str, with: fn(&mut AllowList)| {
        seeing(row, change, move |event| {
            if let HubEvent::SecurityGroupConfigured { group, .. } = event
                && let Some(list) = group.allow_lists.get_mut(&rule)
            {
                with(list);
            }
        })
    };
    let of_networks =
        matches!(rule, AllowRuleType::ConnectionToIpNotAllowed | AllowRuleType::ConnectionFromIpNotAllowed);
    let mut mutants = vec![
        changed("first entry not looked up", |list| match list {
            AllowList::Networks(networks) => drop(networks.drain(..networks.len().min(1))),
            AllowList::Names(names) => drop(names.drain(..names.len().min(1))),
        }),
        changed("last entry not looked up", |list| match list {
            AllowList::Networks(networks) => drop(networks.pop()),
            AllowList::Names(names) => drop(names.pop()),
        }),
    ];
    if of_networks {
        mutants.push(changed("an empty list allows everything", |list| {
            if *list == AllowList::Networks(Vec::new()) {
                *list = AllowList::Networks(vec![IpNet::V4(Ipv4Net::default())]);
            }
        }));
        mutants.extend(ENDS.into_iter().map(|(change, ends)| {
            seeing(row, &format!("allowed network: {change}"), move |event| {
                if let HubEvent::SecurityGroupConfigured { group, .. } = event
                    && let Some(AllowList::Networks(networks)) = group.allow_lists.get_mut(&rule)
                {
                    *networks = moved(networks, ends);
                }
            })
        }));
    }
    if rule == AllowRuleType::ProcessNotAllowed {
        mutants.push(changed("no entry is a base name", |list| {
            if let AllowList::Names(names) = list {
                names.retain(|name| name.contains('/'));
            }
        }));
        mutants.push(seeing(row, "the folder of an executable does not matter", |event| {
            if let HubEvent::SecurityGroupConfigured { group, .. } = event
                && let Some(AllowList::Names(names)) =
                    group.allow_lists.get_mut(&AllowRuleType::ProcessNotAllowed)
            {
                let bases: Vec<_> =
                    names.iter().filter_map(|name| name.rsplit('/').next().map(str::to_owned)).collect();
                names.extend(bases);
            }
        }));
    }
    mutants
}

fn network_rules(row: &Rule) -> Vec<Mutant> {
    let changed = |change: &str, with: fn(Ipv4Net) -> u8| {
        seeing(row, change, move |event| {
            let HubEvent::NetworkRulesChanged(rules) = event else { return };
            for rule in &mut rules.rules {
                if let IpNet::V4(network) = rule.network
                    && let Ok(other) = Ipv4Net::new(network.addr(), with(network))
                {
                    rule.network = IpNet::V4(other.trunc());
                }
            }
        })
    };
    vec![
        changed("65,536 addresses are too many: addresses >= max", |network| {
            network.prefix_len().saturating_sub(1)
        }),
        changed("131,072 addresses are not too many", |network| (network.prefix_len() + 1).min(32)),
        seeing(row, "rules that deny count, too", |event| {
            if let HubEvent::NetworkRulesChanged(rules) = event {
                rules.rules.iter_mut().for_each(|rule| rule.action = FilterAction::Allow);
            }
        }),
    ]
}

/// Whether a payload reports ports on which a device listens.
pub(super) fn is_listening_ports(payload: &SecurityPayload) -> bool {
    matches!(payload, SecurityPayload::ListeningPorts(_))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn holds(networks: &[IpNet], address: &str) -> bool {
        let address: IpAddr = address.parse().unwrap();
        networks.iter().any(|network| network.contains(&address))
    }

    #[test]
    fn each_end_of_a_network_moves_by_one_address() {
        let network: Vec<IpNet> = vec!["198.51.100.0/24".parse().unwrap()];
        let probes = ["198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"];
        let held = |at: usize| probes.map(|probe| holds(&moved(&network, ENDS[at].1), probe));
        assert_eq!(held(0), [false, false, true, false]);
        assert_eq!(held(1), [false, true, false, false]);
        assert_eq!(held(2), [true, true, true, false]);
        assert_eq!(held(3), [false, true, true, true]);
    }

    #[test]
    fn a_single_address_that_loses_an_end_is_gone() {
        let network: Vec<IpNet> = vec!["198.51.100.7/32".parse().unwrap()];
        assert_eq!(moved(&network, ENDS[0].1), []);
        assert_eq!(moved(&network, ENDS[1].1), []);
    }
}
