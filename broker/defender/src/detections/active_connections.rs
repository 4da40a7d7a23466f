//! The number of distinct connections that a device's agent reported leaves the range of its group.
//!
//! A connection is its protocol, local address and port, remote address and port; TCP and UDP have
//! connections, ICMP has none. One that several reports of a window name counts once in it.

use hilarm_model::{HubEvent, RangeRuleType};

use crate::counting::{Counting, flows, has_ports, security_events};
use crate::detection::{DataSource, Detection, FieldProvenance, Name, Seed};
use crate::kind::EventKind;
use crate::range_row::RangeRow;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = RangeRow {
    slug: "active-connections",
    names: &[
        Name::new(Seed::EclipseThreadX, "Number of active connections isn't in the allowed range"),
        Name::new(Seed::AzureRtos, "Number of active connections is not in the allowed range"),
        Name::new(Seed::SecurityModule, "Number of active connections is not in the allowed range"),
        Name::new(Seed::CustomAlerts, "Custom alert - The number of active connections is outside the allowed range"),
    ],
    rule: RangeRuleType::ActiveConnections,
    alert_type: "IoT_CA_ActiveConnectionsNotInAllowedRange",
    data_source: DataSource::MicroAgent,
    description: "Within one time window a device had fewer or more connections than the range configured for its security group allows.",
    remediation: &[
        "Investigate the logs of the device, find out where the connections come from, and whether they are malicious.",
        "If they are, remove the malware and understand its source.",
        "If they are not, add the source to the allowed connections.",
    ],
    erratum: None,
    provenance: FieldProvenance::SEEDED,
    attack: &["T1046", "T1498"],
    marks: &[],
    on: &[EventKind::SecurityMessageReceived],
    counts,
}
.detection();

fn counts(event: &HubEvent, counting: &mut Counting<'_>) {
    let Some((device, events)) = security_events(event) else { return };
    counting.connections(device, events.iter().flat_map(flows).filter(|flow| has_ports(flow)));
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{DEVICE, at, flow, heartbeat, report};
    use crate::tests::range_row::Row;
    use hilarm_model::{Flow, FlowProtocol, RangeRuleType};

    const ROW: Row = Row {
        slug: "active-connections",
        rule: RangeRuleType::ActiveConnections,
        event: |device, number| report(device, vec![connection(1000 + number as u16)]),
    };

    fn connection(local_port: u16) -> Flow {
        Flow { local_port, ..flow("198.51.100.7", 1, 1) }
    }

    #[test]
    fn fires_above_the_maximum_and_below_the_minimum() {
        ROW.fires();
    }

    #[test]
    fn at_the_boundary_both_ends_of_the_range_are_allowed() {
        ROW.allows_both_ends();
    }

    #[test]
    fn a_connection_counts_once_a_window_however_often_it_is_reported() {
        let mut world = ROW.world(0, 2);
        for second in 0..9 {
            let mapped = Flow { remote_address: "::ffff:198.51.100.7".parse().unwrap(), ..connection(1) };
            world.see(second, report(DEVICE, vec![connection(1), connection(2), mapped]));
        }
        world.expect(ROW.slug, 0);
        world.see(60, report(DEVICE, vec![connection(3), connection(4)]));
        world.expect(ROW.slug, 0);
        world.see(61, report(DEVICE, vec![connection(1)]));
        assert_eq!(world.only(ROW.slug).start, at(60), "a new window counts anew");
    }

    #[test]
    fn each_element_of_the_five_tuple_tells_connections_apart() {
        let first = connection(1);
        let others = [
            Flow { protocol: FlowProtocol::Udp, ..first.clone() },
            Flow { local_address: "10.42.0.9".parse().unwrap(), ..first.clone() },
            Flow { local_port: 2, ..first.clone() },
            Flow { remote_address: "198.51.100.8".parse().unwrap(), ..first.clone() },
            Flow { remote_port: 2, ..first.clone() },
        ];
        for other in others {
            let mut world = ROW.world(0, 1);
            world.see(1, report(DEVICE, vec![first.clone(), other]));
            world.expect(ROW.slug, 1);
        }
    }

    #[test]
    fn stays_silent_on_icmp_and_on_other_reports() {
        let icmp =
            |host: u8| Flow { protocol: FlowProtocol::Icmp, ..flow(&format!("198.51.100.{host}"), 1, 1) };
        ROW.stays_silent_on([report(DEVICE, (0..9).map(icmp).collect()), heartbeat(DEVICE)]);
    }
}
