//! Mutants of lists: networks that lose or gain an address at either end, entries that are not looked up, and
//! the size from which on an allowed network is too large.

use std::net::Ipv4Addr;

use hilarm_defender::{Boundary, Rule, Trigger};
use hilarm_model::{AllowList, AllowRuleType, FilterAction, HubEvent};
use ipnet::{IpNet, Ipv4Net, Ipv4Subnets};

use super::super::mutant::Mutant;

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
        Mutant::seeing(row, &format!("listed network: {change}"), move |event| {
            if let HubEvent::ThreatListLoaded(list) = event {
                list.networks = moved(&list.networks, ends);
            }
        })
    };
    ENDS.into_iter().map(mutant).collect()
}

fn allow_list(row: &Rule, rule: AllowRuleType) -> Vec<Mutant> {
    let mut mutants = vec![
        allowing(row, rule, "first entry not looked up", |list| match list {
            AllowList::Networks(networks) => drop(networks.drain(..networks.len().min(1))),
            AllowList::Names(names) => drop(names.drain(..names.len().min(1))),
        }),
        allowing(row, rule, "last entry not looked up", |list| match list {
            AllowList::Networks(networks) => drop(networks.pop()),
            AllowList::Names(names) => drop(names.pop()),
        }),
    ];
    match rule {
        AllowRuleType::ConnectionToIpNotAllowed | AllowRuleType::ConnectionFromIpNotAllowed => {
            mutants.extend(networks(row, rule));
        }
        AllowRuleType::ProcessNotAllowed => mutants.extend(executables(row, rule)),
        AllowRuleType::LocalUserNotAllowed => {}
    }
    mutants
}

/// A row to which its allow lists look different.
fn allowing(
    row: &Rule,
    rule: AllowRuleType,
    change: &str,
    list: impl Fn(&mut AllowList) + Send + Sync + 'static,
) -> Mutant {
    Mutant::seeing(row, change, move |event| {
        if let HubEvent::SecurityGroupConfigured { group, .. } = event
            && let Some(known) = group.allow_lists.get_mut(&rule)
        {
            list(known);
        }
    })
}

fn networks(row: &Rule, rule: AllowRuleType) -> impl Iterator<Item = Mutant> {
    let empty = allowing(row, rule, "an empty list allows everything", |list| {
        if *list == AllowList::Networks(Vec::new()) {
            *list = AllowList::Networks(vec![IpNet::V4(Ipv4Net::default())]);
        }
    });
    let ends = ENDS.into_iter().map(move |(change, ends)| {
        allowing(row, rule, &format!("allowed network: {change}"), move |list| {
            if let AllowList::Networks(networks) = list {
                *networks = moved(networks, ends);
            }
        })
    });
    std::iter::once(empty).chain(ends)
}

fn executables(row: &Rule, rule: AllowRuleType) -> [Mutant; 2] {
    let no_base_names = allowing(row, rule, "no entry is a base name", |list| {
        if let AllowList::Names(names) = list {
            names.retain(|name| name.contains('/'));
        }
    });
    let only_base_names = allowing(row, rule, "the folder of an executable does not matter", |list| {
        if let AllowList::Names(names) = list {
            let base = |name: &String| name.rsplit('/').next().map(str::to_owned);
            names.extend(names.iter().filter_map(base).collect::<Vec<_>>());
        }
    });
    [no_base_names, only_base_names]
}

fn network_rules(row: &Rule) -> Vec<Mutant> {
    vec![
        prefixes(row, "65,536 addresses are too many: addresses >= max", |prefix| prefix.saturating_sub(1)),
        prefixes(row, "131,072 addresses are not too many", |prefix| (prefix + 1).min(32)),
        Mutant::seeing(row, "rules that deny count, too", |event| {
            if let HubEvent::NetworkRulesChanged(rules) = event {
                rules.rules.iter_mut().for_each(|rule| rule.action = FilterAction::Allow);
            }
        }),
    ]
}

/// A row to which the networks of rules have prefixes of other lengths.
fn prefixes(row: &Rule, change: &str, length: fn(u8) -> u8) -> Mutant {
    Mutant::seeing(row, change, move |event| {
        let HubEvent::NetworkRulesChanged(rules) = event else { return };
        for rule in &mut rules.rules {
            if let IpNet::V4(network) = rule.network
                && let Ok(other) = Ipv4Net::new(network.addr(), length(network.prefix_len()))
            {
                rule.network = IpNet::V4(other.trunc());
            }
        }
    })
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
