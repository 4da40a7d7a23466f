//! Device-to-cloud messages: one a request, or a batch of them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_model::{Now, Protocol};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::head::Head;
use super::refusal::Refusal;
use crate::core::Core;
use crate::core::message::{DeviceMessage, Property};
use crate::core::registry::ClientIdentity;
use crate::core::throttle::Throttled;

/// Greatest length of a message, or of a whole batch.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Messages in a batch.
const BATCH_MAX: usize = 500;
/// The content type of a batch.
const BATCH: &str = "application/vnd.microsoft.iothub.json";
/// What begins the header of an application property.
const APPLICATION: &str = "iothub-app-";
const INTERFACE_ID: &str = "iothub-interface-id";

/// One message of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchMessage {
    body: String,
    #[serde(default = "encoded_by_default")]
    base64_encoded: bool,
    #[serde(default)]
    properties: Map<String, Value>,
}

fn encoded_by_default() -> bool {
    true
}

/// Takes the message or the whole batch, or nothing of it.
pub(super) fn send(
    core: &mut Core,
    identity: &ClientIdentity,
    head: &Head,
    body: &[u8],
    now: Now,
) -> Result<(), Refusal> {
    let content_type = head.field("content-type").unwrap_or_default();
    if !content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(BATCH)) {
        core.admit(Throttled::Telemetry, body.len(), now)?;
        let message = message(head.fields(), body);
        core.receive(identity, Protocol::Https, &message, now);
        return Ok(());
    }
    let batch: Vec<BatchMessage> = serde_json::from_slice(body)
        .map_err(|_| Refusal::Argument("the batch is not an array of messages"))?;
    if batch.len() > BATCH_MAX {
        return Err(Refusal::Argument("the batch has more than 500 messages"));
    }
    let payloads = batch.iter().map(payload).collect::<Result<Vec<_>, _>>()?;
    core.admit_batch(Throttled::Telemetry, payloads.iter().map(Vec::len), now)?;
    for (one, payload) in batch.iter().zip(&payloads) {
        let text = |(name, value): (&str, &Value)| match value {
            Value::String(text) => (name.to_ascii_lowercase(), text.clone()),
            other => (name.to_ascii_lowercase(), other.to_string()),
        };
        let fields: Vec<_> = one.properties.iter().map(|(name, value)| text((name, value))).collect();
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        core.receive(identity, Protocol::Https, &message(fields, payload), now);
    }
    Ok(())
}

fn payload(message: &BatchMessage) -> Result<Vec<u8>, Refusal> {
    if !message.base64_encoded {
        return Ok(message.body.clone().into_bytes());
    }
    STANDARD.decode(&message.body).map_err(|_| Refusal::Argument("a message's body is not base64"))
}

/// Header fields, names in lower case, as the properties that they are.
fn message<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>, payload: &'a [u8]) -> DeviceMessage<'a> {
    let mut message =
        DeviceMessage { interface_id: None, application: Vec::new(), payload, duplicate: false };
    for (name, value) in fields {
        if name == INTERFACE_ID {
            message.interface_id = Some(Cow::from(value));
        } else if let Some(name) = name.strip_prefix(APPLICATION) {
            let property: Property<'a> = (Cow::from(name), Some(Cow::from(value)));
            message.application.push(property);
        }
    }
    message
}
