//! What a step waits for: the journal line that says that it has happened.

use hilarm_hub::MethodTicket;
use hilarm_link::DeviceEvent;
use hilarm_model::{DeviceId, HubEvent, Protocol, TwinSection};
use hilarm_scenario::{Disposition, EventMatch, Transport};

use crate::journal::{Entry, HarnessRecord, Line};
use crate::matching::matches;

/// An event that ends a step.
pub(super) enum Goal {
    Event(EventMatch),
    /// The device is in, or has used up its tries.
    ConnectionSettled(DeviceId),
    /// The hub has let the device in.
    LetIn(DeviceId),
    Closed(DeviceId),
    Answered(DeviceId, u32),
    TwinRead(DeviceId),
    Reported(DeviceId),
    /// The hub has refused a request of the device with this code.
    Refused(DeviceId, u32),
    Telemetry(DeviceId, Transport),
    Settled(DeviceId, Disposition),
    Uploaded(DeviceId),
    /// A direct method has its outcome, and the refusal that is wanted, if one is.
    Method(MethodTicket, Option<u32>),
}

impl Goal {
    pub(super) fn is_met(&self, line: &Line) -> bool {
        match (self, &line.entry) {
            (Self::Event(wanted), _) => matches(wanted, line),
            (
                Self::ConnectionSettled(wanted),
                Entry::Harness(HarnessRecord::DeviceEvent { device, event }),
            ) => device == wanted && matches!(event, DeviceEvent::Connected { .. } | DeviceEvent::GaveUp),
            (
                Self::Answered(wanted, number),
                Entry::Harness(HarnessRecord::CommandAnswered { device, id, .. }),
            ) => device == wanted && id == number,
            (Self::LetIn(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::ConnectionAccepted { device, .. } if device == wanted)
            }
            (Self::Closed(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::ConnectionClosed { device: Some(device), .. } if device == wanted)
            }
            (Self::TwinRead(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::TwinRead { device, .. } if device == wanted)
            }
            (Self::Reported(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::TwinUpdated { device, section: TwinSection::Reported, .. } if device == wanted)
            }
            (Self::Refused(wanted, with), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::RequestRefused { device, code, .. } if device == wanted && code == with)
            }
            (Self::Telemetry(wanted, over), Entry::Hub(record)) => match &record.event {
                HubEvent::TelemetryReceived { device, protocol, duplicate: false, .. } => {
                    device == wanted && (*over == Transport::Https) == (*protocol == Protocol::Https)
                }
                _ => false,
            },
            (Self::Settled(wanted, disposition), Entry::Hub(record)) => match (disposition, &record.event) {
                (Disposition::Complete, HubEvent::CloudToDeviceCompleted { device, .. })
                | (Disposition::Reject, HubEvent::CloudToDeviceRejected { device, .. })
                | (Disposition::Abandon, HubEvent::CloudToDeviceAbandoned { device, .. }) => device == wanted,
                _ => false,
            },
            (Self::Uploaded(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::FileUploadCompleted { device, .. } if device == wanted)
            }
            _ => false,
        }
    }
}
