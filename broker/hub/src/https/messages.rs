//! Cloud-to-device messages as answers, and what devices do with them.

use hilarm_model::{Now, Protocol};

use super::refusal::Refusal;
use super::response::Response;
use crate::core::Core;
use crate::core::calendar::iso8601;
use crate::core::registry::ClientIdentity;
use crate::service::{HubError, Settlement};

/// The oldest waiting message with its lock, or nothing.
pub(super) fn receive(core: &mut Core, identity: &ClientIdentity, now: Now) -> Response {
    let device = &identity.device;
    let Some(received) = core.receive_cloud_to_device(device, Protocol::Https, now) else {
        return Response::no_content();
    };
    let message = received.message;
    let mut response = Response::new(200);
    response.field("Content-Type", "application/octet-stream");
    response.field("ETag", &format!("\"{}\"", received.lock));
    response.field("iothub-messageid", &message.message_id);
    response.field("iothub-to", &format!("/devices/{device}/messages/devicebound"));
    response.field("iothub-sequencenumber", &received.sequence_number.to_string());
    response.field("iothub-deliverycount", &received.delivery_count.to_string());
    response.field("iothub-enqueuedtime", &iso8601(message.enqueued));
    response.field("iothub-expiry", &iso8601(message.expiry));
    for (name, value) in &message.properties {
        response.field(&format!("iothub-app-{name}"), value);
    }
    response.body(message.payload)
}

/// Ends the message that the device holds, or gives it back.
pub(super) fn settle(
    core: &mut Core,
    identity: &ClientIdentity,
    lock: &str,
    settlement: Settlement,
    now: Now,
) -> Result<Response, Refusal> {
    let lost = |_| HubError::DeviceMessageLockLost(identity.device.clone());
    // Clients send the entity tag with its quotes or without.
    let lock = lock.trim_matches('"').parse().map_err(lost)?;
    core.settle(&identity.device, lock, settlement, now)?;
    Ok(Response::no_content())
}
