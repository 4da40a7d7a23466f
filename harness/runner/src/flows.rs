//! The agents' claims against the network's truth: connections that devices made, answered or
//! not, and reported to nobody.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hilarm_model::{DeviceId, HubEvent, SecurityPayload};
use hilarm_network::NetworkFact;

use crate::journal::{Entry, HarnessRecord, Journal};

/// A TCP connection to a remote address and port, by its device. Local ports are left out: a device that
/// connects to the same service twice says so once.
type Remote = (DeviceId, IpAddr, u16);

/// Connections of the network that no security message names, in the order of devices and addresses.
pub(crate) fn unreported(journal: &Journal) -> Vec<Remote> {
    let mut made: BTreeSet<Remote> = BTreeSet::new();
    let mut reported: BTreeSet<Remote> = BTreeSet::new();
    let scenario = &journal.header().scenario;
    for line in journal.lines() {
        match &line.entry {
            Entry::Harness(HarnessRecord::Network {
                device,
                fact:
                    NetworkFact::ConnectionOpened { remote, .. }
                    | NetworkFact::ConnectionRefused { remote, .. }
                    | NetworkFact::ConnectionSwallowed { remote, .. },
            }) => {
                // What a clone reports bears the identity that it presents.
                let identity = scenario.identity_of(device).clone();
                made.insert((identity, IpAddr::V4(*remote.ip()), remote.port()));
            }
            Entry::Hub(record) => {
                let HubEvent::SecurityMessageReceived { device, events, .. } = &record.event else {
                    continue;
                };
                for event in events {
                    let SecurityPayload::NetworkActivity(flows) = &event.payload else { continue };
                    reported.extend(
                        flows.iter().map(|flow| (device.clone(), flow.remote_address, flow.remote_port)),
                    );
                }
            }
            Entry::Harness(_) => {}
        }
    }
    made.difference(&reported).cloned().collect()
}
