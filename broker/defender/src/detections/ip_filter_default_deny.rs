//! The hub lets in addresses that no network rule names.
//!
//! With `networkRuleSets` its stated default decides. In the older model of `ipFilterRules` there is no default:
//! the first rule that covers everything must reject; without one, whatever no rule names gets in.

use hilarm_model::{FilterAction, FilterRule, HubEvent, NetworkRules, Tuning};
use ipnet::IpNet;

use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::kind::EventKind;
use crate::posture::{Finding, Posture};

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "ip-filter-default-deny",
    names: &[
        Name::new(Seed::EclipseThreadX, "The Default IP filter policy should be set to deny"),
        Name::new(Seed::AzureRtos, "The Default IP filter policy should be set to deny"),
        Name::new(Seed::SecurityModule, "The Default IP filter policy should be set to deny"),
    ],
    scope: Scope::Hub,
    class: Class::Recommendation,
    severity: Severity::Medium,
    data_source: DataSource::IotHub,
    alert_type: "IoT_IPFilter_DenyAll",
    description: "The network rules of the IoT Hub let in every address that no rule names.",
    remediation: &[
        "Set the default action of the network rules to deny, and allow the networks of the devices.",
    ],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance::RECOMMENDED,
    attack: &["T1133"],
    boundary: Boundary::None("the default is deny or it is not"),
    trigger: Trigger::Posture {
        on: &[EventKind::NetworkRulesChanged],
        begin: || Box::new(DefaultDeny::default()),
    },
};

/// The rules in force; a new hub has none, and lets everybody in.
#[derive(Debug, Default)]
struct DefaultDeny(NetworkRules);

impl Posture for DefaultDeny {
    fn see(&mut self, event: &HubEvent, _: Tuning) -> bool {
        let HubEvent::NetworkRulesChanged(rules) = event else { return false };
        self.0.clone_from(rules);
        true
    }

    fn finding(&self, _: Tuning) -> Option<Finding> {
        let last = self.0.rules.iter().find(|rule| covers_all_of_ipv4(rule)).map(|rule| rule.action);
        let default = if self.0.stated { Some(self.0.default_action) } else { last };
        (default != Some(FilterAction::Deny)).then(Finding::default)
    }
}

fn covers_all_of_ipv4(rule: &FilterRule) -> bool {
    matches!(rule.network, IpNet::V4(network) if network.prefix_len() == 0)
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{World, at, network_rules, unstated_rules};
    use hilarm_model::FilterAction::{Allow, Deny};

    const SLUG: &str = "ip-filter-default-deny";

    #[test]
    fn fires_on_a_hub_that_lets_everybody_in_and_resolves_when_the_default_is_deny() {
        let mut world = World::default();
        world.start();
        assert_eq!(world.active(SLUG).unwrap().since, at(0));
        world.see(5, network_rules(Deny, &[(Allow, "10.42.0.0/24")]));
        assert_eq!(world.resolved(SLUG).unwrap().changed, at(5));
        world.see(9, network_rules(Allow, &[]));
        let again = world.active(SLUG).unwrap();
        assert_eq!((again.since, again.episodes, again.raised_by), (at(9), 2, 2));
    }

    #[test]
    fn at_the_boundary_only_a_first_rule_that_rejects_everything_is_a_default_of_the_older_model() {
        for (rules, weak) in [
            (&[(Allow, "10.0.0.0/8"), (Deny, "0.0.0.0/0")][..], false),
            (&[(Allow, "10.0.0.0/8"), (Deny, "0.0.0.0/1")], true),
            (&[(Allow, "0.0.0.0/0"), (Deny, "0.0.0.0/0")], true),
            (&[(Deny, "0.0.0.0/0"), (Allow, "0.0.0.0/0")], false),
            (&[(Allow, "10.0.0.0/8")], true),
            (&[], true),
        ] {
            let mut world = World::default();
            world.see(-1, unstated_rules(rules));
            world.start();
            assert_eq!(world.active(SLUG).is_some(), weak, "{rules:?}");
        }
    }

    #[test]
    fn stays_silent_on_provisioning_before_monitoring() {
        let mut world = World::default();
        world.see(-2, network_rules(Allow, &[]));
        world.see(-1, network_rules(Deny, &[]));
        world.start();
        assert!(world.active(SLUG).is_none() && world.resolved(SLUG).is_none());
    }
}
