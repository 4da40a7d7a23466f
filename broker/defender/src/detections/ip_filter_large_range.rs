//! A network rule lets in a large range of addresses.
//!
//! Large is more than 65,536 IPv4 addresses, a prefix shorter than /16; the knob
//! `allowed_network_addresses_max` moves it. IPv6 networks are not judged: the seeds mean IPv4.

use std::collections::BTreeSet;

use hilarm_model::{FilterAction, FilterRule, HubEvent, Tuning};
use ipnet::IpNet;

use crate::alert::shortened;
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::kind::EventKind;
use crate::posture::{Finding, Posture};

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "ip-filter-large-range",
    names: &[
        Name::new(Seed::EclipseThreadX, "IP filter rule includes a large IP range"),
        Name::new(Seed::AzureRtos, "IP filter rule includes a large IP range"),
        Name::new(Seed::SecurityModule, "IP filter rule includes large IP range"),
    ],
    scope: Scope::Hub,
    class: Class::Recommendation,
    severity: Severity::Medium,
    data_source: DataSource::IotHub,
    alert_type: "IoT_IPFilter_PermissiveRule",
    description: "A network rule of the IoT Hub lets in more addresses than any one site has.",
    remediation: &["Replace the rule by rules for the networks of the devices."],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance::RECOMMENDED,
    attack: &["T1133"],
    boundary: Boundary::PrefixLength,
    trigger: Trigger::Posture {
        on: &[EventKind::NetworkRulesChanged, EventKind::DefenderTuned],
        begin: || Box::new(LargeRange::default()),
    },
};

/// The rules in force.
#[derive(Debug, Default)]
struct LargeRange(Vec<FilterRule>);

impl Posture for LargeRange {
    fn see(&mut self, event: &HubEvent, _: Tuning) -> bool {
        if let HubEvent::NetworkRulesChanged(rules) = event {
            self.0.clone_from(&rules.rules);
        }
        true
    }

    fn finding(&self, tuning: Tuning) -> Option<Finding> {
        let large = |rule: &&FilterRule| {
            let addresses = addresses(rule);
            rule.action == FilterAction::Allow && addresses > tuning.allowed_network_addresses_max
        };
        let objects: BTreeSet<_> = self.0.iter().filter(large).map(|rule| shortened(&rule.name)).collect();
        (!objects.is_empty()).then(|| Finding { objects, ..Finding::default() })
    }
}

/// How many IPv4 addresses a rule covers.
fn addresses(rule: &FilterRule) -> u64 {
    match rule.network {
        IpNet::V4(network) => 1 << (32 - u32::from(network.prefix_len())),
        IpNet::V6(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{World, network_rules};
    use hilarm_model::FilterAction::{Allow, Deny};
    use hilarm_model::{HubEvent, Tuning};

    const SLUG: &str = "ip-filter-large-range";

    #[test]
    fn fires_on_a_large_range_names_the_rules_and_resolves_without_them() {
        let mut world = World::default();
        world.start();
        let large = [(Allow, "10.42.0.0/24"), (Allow, "10.0.0.0/8"), (Allow, "0.0.0.0/0")];
        world.see(1, network_rules(Deny, &large));
        let objects = &world.active(SLUG).unwrap().finding.objects;
        assert_eq!(objects.iter().collect::<Vec<_>>(), ["rule-1", "rule-2"]);
        world.see(2, network_rules(Deny, &large[..1]));
        assert!(world.resolved(SLUG).is_some());
    }

    #[test]
    fn at_the_boundary_a_prefix_of_16_is_healthy_and_one_of_15_is_not() {
        for (network, weak) in [("10.42.0.0/16", false), ("10.42.0.0/15", true), ("2001:db8::/32", false)] {
            let mut world = World::default();
            world.see(-1, network_rules(Deny, &[(Allow, network)]));
            world.start();
            assert_eq!(world.active(SLUG).is_some(), weak, "{network}");
        }
    }

    #[test]
    fn the_knob_moves_the_boundary() {
        let mut world = World::default();
        world.see(-1, network_rules(Deny, &[(Allow, "10.42.0.0/24")]));
        world.start();
        assert!(world.active(SLUG).is_none());
        let tuning = Tuning { allowed_network_addresses_max: 255, ..Tuning::default() };
        world.see(1, HubEvent::DefenderTuned(tuning));
        assert!(world.active(SLUG).is_some());
    }

    #[test]
    fn stays_silent_on_large_ranges_that_are_kept_out() {
        let mut world = World::default();
        world.see(-1, network_rules(Deny, &[(Deny, "0.0.0.0/0")]));
        world.start();
        assert!(world.active(SLUG).is_none());
    }
}
