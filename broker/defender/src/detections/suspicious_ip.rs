//! A device's agent reports a flow whose remote address is on the loaded threat-intelligence list.
//!
//! Either direction, any protocol; the subject is the address, so each address has its own alert.

use hilarm_model::{DeviceId, Flow, HubEvent, SecurityEvent, SecurityPayload};

use crate::address_index::AddressIndex;
use crate::alert::Subject;
use crate::detection::{
    Boundary, Class, DataSource, Detection, Document, FieldProvenance, Name, Provenance, Scope, Seed,
    Severity, Trigger, Watch,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

const NAME: &str = "Communication with a suspicious IP address detected";

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "suspicious-ip",
    names: &[
        Name::new(Seed::EclipseThreadX, NAME),
        Name::new(Seed::AzureRtos, NAME),
        Name::new(Seed::SecurityModule, NAME),
    ],
    scope: Scope::Device,
    class: Class::BuiltIn,
    severity: Severity::Medium,
    data_source: DataSource::MicroAgent,
    alert_type: "IoT_TiConnection",
    description: "The device exchanged traffic with an address that threat intelligence calls suspicious.",
    remediation: &[
        "Verify whether the connection is legitimate.",
        "If it is not, block the address and examine the device.",
    ],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance {
        severity: Provenance::Documented(Document::PublishedList),
        data_source: Provenance::Inferred,
        alert_type: Provenance::Documented(Document::PublishedList),
        description: Provenance::Documented(Document::PublishedList),
        remediation: Provenance::Documented(Document::PublishedList),
        trigger: Provenance::Inferred,
        attack: Provenance::Decided,
    },
    attack: &["T1071", "T1041", "T0869", "T0885"],
    boundary: Boundary::ThreatPrefix,
    trigger: Trigger::Stateful {
        on: &[EventKind::ThreatListLoaded, EventKind::SecurityMessageReceived],
        begin: || Box::new(SuspiciousIp::default()),
    },
};

/// The list in force; empty until one is loaded.
#[derive(Debug, Default)]
struct SuspiciousIp {
    listed: AddressIndex,
}

impl Watch for SuspiciousIp {
    fn see(&mut self, event: &HubEvent, judgement: &mut Judgement<'_>) {
        match event {
            HubEvent::ThreatListLoaded(list) => self.listed = AddressIndex::from(&list.networks[..]),
            HubEvent::SecurityMessageReceived { device, events, .. } => {
                for flow in events.iter().flat_map(flows) {
                    judgement.consider();
                    self.judge(device, flow, judgement);
                }
            }
            _ => (),
        }
    }
}

impl SuspiciousIp {
    fn judge(&self, device: &DeviceId, flow: &Flow, judgement: &mut Judgement<'_>) {
        let address = flow.remote_address.to_canonical();
        if self.listed.holds(address) {
            judgement.raise(device, Some(Subject::Address(address)), |facts| {
                facts.insert("RemoteAddress", address.to_string());
                facts.insert("RemotePort", flow.remote_port.to_string());
                facts.insert("LocalPort", flow.local_port.to_string());
            });
        }
    }
}

fn flows(event: &SecurityEvent) -> &[Flow] {
    match &event.payload {
        SecurityPayload::NetworkActivity(flows) => flows,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use crate::alert::Subject;
    use crate::tests::fixture::{DEVICE, World, at, flow, heartbeat, report, threats};

    const SLUG: &str = "suspicious-ip";

    fn world(list: &str) -> World {
        let mut world = World::with_sas_device();
        world.see(0, threats(list));
        world
    }

    #[test]
    fn fires_on_a_reported_flow_in_either_direction() {
        for (bytes_in, bytes_out) in [(0, 1), (1, 0), (5, 7)] {
            let mut world = world("198.51.100.7");
            world.see(9, report(DEVICE, vec![flow("198.51.100.7", bytes_in, bytes_out)]));
            let alert = world.only(SLUG);
            assert_eq!(alert.subject, Some(Subject::Address("198.51.100.7".parse().unwrap())));
            assert_eq!((alert.start, alert.facts["RemoteAddress"].as_str()), (at(9), "198.51.100.7"));
            assert_eq!((&*alert.facts["RemotePort"], &*alert.facts["LocalPort"]), ("1883", "49152"));
        }
    }

    #[test]
    fn at_the_boundary_only_addresses_within_the_prefix_fire() {
        for (address, count) in [
            ("198.51.100.127", 0),
            ("198.51.100.128", 1),
            ("198.51.100.191", 1),
            ("198.51.100.192", 0),
            ("::ffff:198.51.100.128", 1),
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", 0),
            ("2001:db8::1", 1),
        ] {
            let mut world = world("198.51.100.128/26\n2001:db8::/32");
            world.see(9, report(DEVICE, vec![flow(address, 1, 1)]));
            world.expect(SLUG, count);
        }
    }

    #[test]
    fn stays_silent_on_other_addresses_without_a_list_and_after_the_list_was_replaced() {
        let mut world = world("198.51.100.7");
        world.see(1, report(DEVICE, vec![flow("10.77.0.10", 5, 5)]));
        world.see(2, heartbeat(DEVICE));
        world.see(3, threats(""));
        world.see(4, report(DEVICE, vec![flow("198.51.100.7", 5, 5)]));
        world.expect(SLUG, 0);
        assert_eq!(world.defender.considered(SLUG), 2, "a heartbeat reports no flow");
        let mut world = World::with_sas_device();
        world.see(1, report(DEVICE, vec![flow("198.51.100.7", 5, 5)]));
        world.expect(SLUG, 0);
    }

    #[test]
    fn each_address_has_an_alert_of_its_own_and_a_mapped_address_is_no_other_one() {
        let mut world = world("198.51.100.0/24");
        let addresses = ["198.51.100.1", "198.51.100.2", "::ffff:198.51.100.1", "198.51.100.2"];
        world.see(1, report(DEVICE, addresses.map(|address| flow(address, 1, 1)).to_vec()));
        world.expect(SLUG, 2);
        assert_eq!(world.defender.alerts().iter().map(|alert| alert.count).collect::<Vec<_>>(), [2, 2]);
    }
}
