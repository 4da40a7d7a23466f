//! The face of the service and management planes: requests, replies and IoT Hub's error codes. Plain
//! data; [`crate::Hub::service`] carries a request out. Rights of the caller are not judged here.

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_model::{DeviceId, ModuleId, SecurityGroup, ThreatList};
use serde_json::Value;

use crate::core::registry::DeviceAuthentication;

/// What the service side or the management plane asks of the hub.
#[derive(Clone, Debug)]
pub enum ServiceRequest {
    /// Creates a device identity or replaces its authentication.
    PutDevice {
        /// The device.
        device: DeviceId,
        /// How it must authenticate from now on.
        authentication: DeviceAuthentication,
        /// Sets the twin tag `SecurityGroup`; `None` leaves it as it is.
        security_group: Option<String>,
    },
    /// Creates a module identity of a device or replaces its authentication.
    PutModule {
        /// The device.
        device: DeviceId,
        /// The module.
        module: ModuleId,
        /// How it must authenticate from now on.
        authentication: DeviceAuthentication,
    },
    /// Deletes a device identity with its modules, twins and queue.
    DeleteDevice {
        /// The device.
        device: DeviceId,
    },
    /// Enables or disables a device identity.
    SetDeviceEnabled {
        /// The device.
        device: DeviceId,
        /// Whether it may connect.
        enabled: bool,
    },
    /// Reads a device identity.
    GetDevice {
        /// The device.
        device: DeviceId,
    },
    /// Registers a verified certificate authority or replaces it.
    PutCertificateAuthority {
        /// Its name on the hub.
        name: String,
        /// The certificate.
        der: Vec<u8>,
    },
    /// Removes a certificate authority.
    DeleteCertificateAuthority {
        /// Its name on the hub.
        name: String,
    },
    /// Creates or replaces a device security group.
    PutSecurityGroup {
        /// Its name; recorded in lower case.
        name: String,
        /// Its enabled rules.
        group: SecurityGroup,
    },
    /// Replaces the threat-intelligence list.
    LoadThreatList(ThreatList),
    /// Starts monitoring: windows count from now on.
    StartMonitoring,
    /// Merges a patch into the desired properties; null deletes.
    PatchDesired {
        /// The device.
        device: DeviceId,
        /// The module, for a module twin.
        module: Option<ModuleId>,
        /// The patch, a JSON object.
        patch: Value,
    },
    /// Merges a patch into the tags; null deletes.
    PatchTags {
        /// The device.
        device: DeviceId,
        /// The module, for a module twin.
        module: Option<ModuleId>,
        /// The patch, a JSON object.
        patch: Value,
    },
    /// Reads a twin.
    GetTwin {
        /// The device.
        device: DeviceId,
        /// The module, for a module twin.
        module: Option<ModuleId>,
    },
    /// Enqueues a cloud-to-device message.
    SendCloudToDevice {
        /// The device.
        device: DeviceId,
        /// Message id.
        message_id: String,
        /// Payload.
        payload: Vec<u8>,
        /// Application properties.
        properties: BTreeMap<String, String>,
        /// Lifetime by the calendar; `None` takes the hub's default.
        ttl: Option<Duration>,
    },
    /// Drops every cloud-to-device message waiting for a device.
    PurgeCloudToDevice {
        /// The device.
        device: DeviceId,
    },
    /// Invokes a direct method; its result comes out of [`crate::Hub::poll_service`].
    InvokeMethod {
        /// The device.
        device: DeviceId,
        /// The module, for a module's method.
        module: Option<ModuleId>,
        /// Method name.
        name: String,
        /// Argument.
        payload: Value,
        /// How long the device may take to answer.
        timeout: Duration,
    },
}

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
}

/// A device identity as the service side sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// The device.
    pub device: DeviceId,
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
}

/// A refusal of the service side, with IoT Hub's code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// 400004: an argument is out of bounds or malformed.
    #[error("ErrorCode:ArgumentInvalid;{0}")]
    ArgumentInvalid(String),
    /// 403004: the device's queue is full.
    #[error("ErrorCode:DeviceMaximumQueueDepthExceeded;{0}")]
    DeviceMaximumQueueDepthExceeded(DeviceId),
    /// 404001: no such device.
    #[error("ErrorCode:DeviceNotFound;{0}")]
    DeviceNotFound(DeviceId),
    /// 404010: no such module.
    #[error("ErrorCode:ModuleNotFound;{0}")]
    ModuleNotFound(ModuleId),
    /// 404002: no such certificate authority.
    #[error("ErrorCode:IotHubNotFound;{0}")]
    CertificateNotFound(String),
    /// 404103: the device is not connected, or does not listen for methods.
    #[error("ErrorCode:DeviceNotOnline;{0}")]
    DeviceNotOnline(DeviceId),
    /// 413001: the message is too large.
    #[error("ErrorCode:MessageTooLarge;at most {bytes_max} bytes")]
    MessageTooLarge {
        /// The limit.
        bytes_max: usize,
    },
}

impl HubError {
    /// IoT Hub's six-digit code; its first three digits are the HTTP status.
    pub fn code(&self) -> u32 {
        match self {
            Self::ArgumentInvalid(_) => 400_004,
            Self::DeviceMaximumQueueDepthExceeded(_) => 403_004,
            Self::DeviceNotFound(_) => 404_001,
            Self::ModuleNotFound(_) => 404_010,
            Self::CertificateNotFound(_) => 404_002,
            Self::DeviceNotOnline(_) => 404_103,
            Self::MessageTooLarge { .. } => 413_001,
        }
    }
}
