//! Somebody opened a connection to a device from an address that is in no network of its group's allow list.
//!
//! Beyond the seeds: the management API has the rule `ConnectionFromIpNotAllowed`. Inbound is what the agent
//! states so; where it states no direction, a TCP or UDP flow with bytes received on a port on which the device
//! listens.

use hilarm_model::AllowRuleType;

use crate::allow_list::{inbound, judge_flows};
use crate::detection::{
    Boundary, Class, DataSource, Detection, Document, FieldProvenance, Name, Provenance, Scope, Seed,
    Severity, Trigger,
};
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "inbound-connection-not-allowed",
    names: &[Name::new(Seed::Beyond, "Inbound connection from an IP that isn't allowed")],
    scope: Scope::Device,
    class: Class::Custom,
    severity: Severity::Low,
    data_source: DataSource::MicroAgent,
    alert_type: "IoT_CA_ConnectionFromIpNotAllowed",
    description: "Somebody connected to a device from an address outside the networks allowed to its security group.",
    remediation: &[
        "Investigate the logs of the device, find out where the connection comes from, and whether it is malicious.",
        "If it is, remove the malware and understand its source.",
        "If it is not, add the address to the allowed list.",
    ],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance {
        severity: Provenance::Inferred,
        data_source: Provenance::Inferred,
        alert_type: Provenance::Inferred,
        description: Provenance::Documented(Document::ManagementApi),
        remediation: Provenance::Decided,
        trigger: Provenance::Decided,
        attack: Provenance::Decided,
    },
    attack: &["T1133"],
    boundary: Boundary::AllowListEntry,
    trigger: Trigger::AllowList {
        rule: AllowRuleType::ConnectionFromIpNotAllowed,
        on: &[EventKind::SecurityMessageReceived],
        judge: |event, judgement| judge_flows(event, judgement, inbound),
    },
};

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, World, allowing, flow, listening, report};
    use hilarm_model::{AllowRuleType, Flow};

    const SLUG: &str = "inbound-connection-not-allowed";

    const RULE: AllowRuleType = AllowRuleType::ConnectionFromIpNotAllowed;

    /// A device that listens on the port of [`flow`] and may be connected to from these networks.
    fn world(networks: &[&str]) -> World {
        let mut world = World::provisioned(allowing(RULE, networks));
        world.see(-1, listening(DEVICE, &[49152]));
        world.start();
        world
    }

    #[test]
    fn fires_on_bytes_received_on_a_port_the_device_listens_on() {
        let mut world = world(&["10.0.0.0/8"]);
        world.see(9, report(DEVICE, vec![flow("10.77.0.10", 5, 5), flow("198.51.100.7", 1, 0)]));
        assert_eq!(world.only(SLUG).facts["RemoteAddress"], "198.51.100.7");
    }

    #[test]
    fn at_the_boundary_the_exact_address_is_allowed_and_its_neighbours_are_not() {
        for (allowed, count) in [("198.51.100.7/32", 0), ("198.51.100.6/32", 1), ("198.51.100.8/32", 1)] {
            let mut world = world(&[allowed]);
            world.see(9, report(DEVICE, vec![flow("198.51.100.7", 1, 1)]));
            world.expect(SLUG, count);
        }
    }

    #[test]
    fn stays_silent_on_connections_that_the_device_opened() {
        let mut world = world(&[]);
        world.see(1, report(DEVICE, vec![Flow { local_port: 50_000, ..flow("198.51.100.7", 5, 5) }]));
        world.see(2, report(DEVICE, vec![flow("198.51.100.7", 0, 5)]));
        world.expect(SLUG, 0);
    }
}
