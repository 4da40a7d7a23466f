//! A device opened a connection to an address that is in no network of its group's allow list.
//!
//! Outbound is what the agent states so; where it states no direction, a TCP or UDP flow with bytes sent from a
//! port on which the device does not listen. Multicast and broadcast are exempt. An empty list allows nothing.

use hilarm_model::AllowRuleType;

use crate::allow_list::{judge_flows, outbound};
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "outbound-connection-not-allowed",
    names: &[
        Name::new(Seed::EclipseThreadX, "Outbound connection to an IP that isn't allowed"),
        Name::new(Seed::AzureRtos, "Outbound connection to an IP that isn't allowed"),
        Name::new(Seed::SecurityModule, "Outbound connection to an IP that isn't allowed"),
        Name::new(
            Seed::CustomAlerts,
            "Custom alert - The outbound connection created to an IP that isn't allowed",
        ),
    ],
    scope: Scope::Device,
    class: Class::Custom,
    severity: Severity::Low,
    data_source: DataSource::MicroAgent,
    alert_type: "IoT_CA_ConnectionToIpNotAllowed",
    description: "A device opened a connection to an address outside the networks allowed to its security group.",
    remediation: &[
        "Investigate the logs of the device, find out where the connection comes from, and whether it is malicious.",
        "If it is, remove the malware and understand its source.",
        "If it is not, add the address to the allowed list.",
    ],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance::SEEDED,
    attack: &["T1071", "T1041", "T0869", "T0885"],
    boundary: Boundary::AllowListEntry,
    trigger: Trigger::AllowList {
        rule: AllowRuleType::ConnectionToIpNotAllowed,
        on: &[EventKind::SecurityMessageReceived],
        judge: |event, judgement| judge_flows(event, judgement, outbound),
    },
};

#[cfg(test)]
mod tests {
    use crate::Subject;
    use crate::tests::fixture::{DEVICE, World, allowing, flow, listening, report};
    use hilarm_model::AllowRuleType;

    const SLUG: &str = "outbound-connection-not-allowed";

    const RULE: AllowRuleType = AllowRuleType::ConnectionToIpNotAllowed;

    /// A device that may connect to these networks.
    fn world(networks: &[&str]) -> World {
        let mut world = World::provisioned(allowing(RULE, networks));
        world.start();
        world
    }

    #[test]
    fn fires_on_bytes_sent_to_an_address_outside_the_list() {
        let mut world = world(&["10.0.0.0/8"]);
        world.see(9, report(DEVICE, vec![flow("10.77.0.10", 5, 5), flow("198.51.100.7", 0, 1)]));
        let alert = world.only(SLUG);
        assert_eq!(alert.subject, Some(Subject::Address("198.51.100.7".parse().unwrap())));
        let facts = ["RemoteAddress", "RemotePort", "LocalPort", "SecurityGroup"];
        assert_eq!(facts.map(|fact| &*alert.facts[fact]), ["198.51.100.7", "1883", "49152", "default"]);
        assert_eq!(world.defender.considered(SLUG), 2);
    }

    #[test]
    fn at_the_boundary_the_exact_address_is_allowed_and_its_neighbours_are_not() {
        for (allowed, count) in
            [("198.51.100.7/32", 0), ("198.51.100.6/32", 1), ("198.51.100.8/32", 1), ("198.51.100.0/29", 0)]
        {
            let mut world = world(&[allowed]);
            world.see(9, report(DEVICE, vec![flow("::ffff:198.51.100.7", 1, 1)]));
            world.expect(SLUG, count);
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        let mut world = world(&[]);
        world.see(9, report(DEVICE, vec![flow("10.77.0.10", 5, 5)]));
        world.expect(SLUG, 1);
    }

    #[test]
    fn one_alert_a_device_and_address_an_hour() {
        let mut world = world(&[]);
        for second in [0, 1, 3599, 3600] {
            world.see(second, report(DEVICE, vec![flow("198.51.100.7", 1, 1)]));
        }
        world.see(3600, report(DEVICE, vec![flow("198.51.100.8", 1, 1)]));
        let counts: Vec<_> = world.alerts(SLUG).iter().map(|alert| (alert.count, alert.ordinal)).collect();
        assert_eq!(counts, [(3, 0), (1, 1), (1, 0)]);
    }

    #[test]
    fn stays_silent_without_a_rule_on_what_only_came_in_and_on_ports_the_device_listens_on() {
        let mut world = World::with_sas_device();
        world.see(1, report(DEVICE, vec![flow("198.51.100.7", 5, 5)]));
        world.expect(SLUG, 0);
        let mut world = self::world(&[]);
        world.see(1, report(DEVICE, vec![flow("198.51.100.7", 5, 0)]));
        world.see(2, listening(DEVICE, &[49152]));
        world.see(3, report(DEVICE, vec![flow("198.51.100.7", 5, 5)]));
        world.expect(SLUG, 0);
        world.see(4, listening(DEVICE, &[22]));
        world.see(5, report(DEVICE, vec![flow("198.51.100.7", 5, 5)]));
        world.expect(SLUG, 1);
    }
}
