//! What requests give back.

use std::collections::BTreeMap;

use hilarm_model::{DeviceId, Timestamp};
use serde_json::Value;

use super::HubError;
use crate::core::registry::SymmetricKey;

/// What a request gives back.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceReply {
    /// It is done; there is nothing to say.
    Done,
    /// A device identity.
    Device(DeviceView),
    /// A twin: `deviceId`, `moduleId`, `tags`, `properties.desired`, `properties.reported`, with `$version`s.
    Twin(Value),
    /// A direct method is under way.
    MethodInvoked(MethodTicket),
    /// Messages were dropped.
    Purged {
        /// How many.
        messages: usize,
    },
    /// The new key of an identity. It is a secret.
    KeyRegenerated(SymmetricKey),
    /// Feedback on cloud-to-device messages, oldest first, or nothing was waiting.
    Feedback(Option<Told<Feedback>>),
    /// A completed file upload, or nothing was waiting.
    FileNotification(Option<Told<FileNotification>>),
    /// A cloud-to-device message was handed out, or none was waiting.
    Received(Option<ReceivedCloudToDevice>),
    /// A device may put a blob somewhere.
    FileUploadBegun(UploadGrant),
    /// An answer of the management plane.
    Managed(ManagedReply),
}

/// An answer of the management plane.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedReply {
    /// HTTP status: 200, 201 when something was created, 204 when there was nothing to delete.
    pub status: u16,
    /// ETag of the resource, where it has one.
    pub etag: Option<String>,
    /// The resource as Azure writes it; null after a deletion.
    pub body: Value,
}

/// A device identity as the service side sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// The device.
    pub device: DeviceId,
    /// ETag of the identity: another one after each change.
    pub etag: String,
    /// Whether it may connect.
    pub enabled: bool,
    /// Whether it is connected.
    pub connected: bool,
    /// Cloud-to-device messages waiting or locked.
    pub cloud_to_device_messages: usize,
}

/// Names one invocation of a direct method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodTicket(pub u64);

/// What came of a direct method that reached its device.
#[derive(Clone, Debug, PartialEq)]
pub enum MethodResult {
    /// The device answered.
    Answered {
        /// Status of the answer.
        status: i32,
        /// Its body: null when empty, a string when it is not JSON.
        payload: Value,
    },
    /// The device did not answer in time (504101).
    TimedOut,
    /// The device's connection ended before it answered.
    ConnectionClosed(HubError),
}

impl MethodResult {
    /// IoT Hub's code of what is no answer.
    pub fn refusal(&self) -> Option<u32> {
        match self {
            Self::Answered { .. } => None,
            Self::TimedOut => Some(504_101),
            Self::ConnectionClosed(why) => Some(why.code()),
        }
    }
}

/// What the hub had to tell, locked for whoever received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<T> {
    /// With it the items are settled, within the lock's time.
    pub lock: String,
    /// At least one.
    pub items: Vec<T>,
}

/// What came of a cloud-to-device message whose sender asked to be told (`iothub-ack`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The device.
    pub device: DeviceId,
    /// Message id.
    pub message_id: String,
    /// What came of it.
    pub outcome: FeedbackOutcome,
    /// When.
    pub at: Timestamp,
}

/// IoT Hub's outcomes of a cloud-to-device message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackOutcome {
    /// The device completed it.
    Success,
    /// Its time to live passed.
    Expired,
    /// It was abandoned too often.
    DeliveryCountExceeded,
    /// The device rejected it.
    Rejected,
    /// The queue was purged.
    Purged,
}

/// A completed file upload, as the service side is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNotification {
    /// The device.
    pub device: DeviceId,
    /// `{device}/{blob}` within the container.
    pub blob_path: String,
    /// Length of the blob.
    pub blob_bytes: u64,
    /// When it was completed.
    pub at: Timestamp,
}

/// A cloud-to-device message, locked for whoever received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedCloudToDevice {
    /// With it the message is settled, within the lock's time.
    pub lock: String,
    /// Its place in the device's queue.
    pub sequence_number: u64,
    /// How often the device abandoned it before.
    pub delivery_count: u32,
    /// Message id.
    pub message_id: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Application properties.
    pub properties: BTreeMap<String, String>,
}

/// What a device does with a cloud-to-device message that it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is done with it.
    Complete,
    /// It wants it never again.
    Reject,
    /// It gives it back to the queue, which counts as a delivery that failed.
    Abandon,
}

/// Where a device may put a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadGrant {
    /// Names the upload when it is completed.
    pub correlation_id: String,
    /// Host of the blob store.
    pub host: String,
    /// The container of all blobs.
    pub container: &'static str,
    /// `{device}/{blob}` within the container.
    pub blob_path: String,
    /// The query with the signature, `?` included. It is a secret.
    pub sas_token: String,
}

/// How bytes reach a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobWrite {
    /// They are the blob.
    Whole,
    /// They are a block of it, behind those that are there.
    Block,
}
