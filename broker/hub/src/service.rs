//! The face of the service and management planes: requests, and in the rooms below callers with their
//! rights, replies and IoT Hub's errors. Plain data; [`crate::Hub::service_as`] carries a request out.

mod caller;
mod error;
mod reply;

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_model::{DeviceId, ModuleId, NetworkRules, Profile, Protocol, SecurityGroup, ThreatList, Tuning};
use serde_json::Value;

pub use self::caller::{Caller, Right, UnknownRight};
pub use self::error::HubError;
pub use self::reply::{
    BlobWrite, DeviceView, Feedback, FeedbackOutcome, FileNotification, ManagedReply, MethodResult,
    MethodTicket, ReceivedCloudToDevice, ServiceReply, Settlement, Told, UploadGrant,
};
use crate::core::registry::DeviceAuthentication;

/// What the service side or the management plane asks of the hub.
#[derive(Clone, Debug)]
pub enum ServiceRequest {
    /// Creates a device identity or replaces its authentication, as an import job does.
    PutDevice {
        /// The device.
        device: DeviceId,
        /// How it must authenticate from now on.
        authentication: DeviceAuthentication,
        /// Sets the twin tag `SecurityGroup`; `None` leaves it as it is.
        security_group: Option<String>,
    },
    /// Creates a device identity, as a PUT without `If-Match` does; one that exists is refused with 409001.
    CreateDevice {
        /// The device.
        device: DeviceId,
        /// How it must authenticate; `None` mints symmetric keys.
        authentication: Option<DeviceAuthentication>,
        /// Its twin tag `SecurityGroup`.
        security_group: Option<String>,
    },
    /// Replaces the authentication of a device identity, as a PUT with `If-Match` does.
    UpdateDevice {
        /// The device.
        device: DeviceId,
        /// How it must authenticate from now on; `None` mints new symmetric keys.
        authentication: Option<DeviceAuthentication>,
        /// The ETag that the identity must have, `*` for any.
        if_match: String,
    },
    /// Creates a module identity, as a PUT without `If-Match` does; one that exists is refused with 409301.
    CreateModule {
        /// The device.
        device: DeviceId,
        /// The module.
        module: ModuleId,
        /// How it must authenticate.
        authentication: DeviceAuthentication,
    },
    /// Creates a module identity of a device or replaces its authentication, as an import job does.
    PutModule {
        /// The device.
        device: DeviceId,
        /// The module.
        module: ModuleId,
        /// How it must authenticate from now on.
        authentication: DeviceAuthentication,
    },
    /// Deletes a module identity with its twin.
    DeleteModule {
        /// The device.
        device: DeviceId,
        /// The module.
        module: ModuleId,
        /// The ETag that the identity must have, `*` for any; without it the request is refused with 412001.
        if_match: Option<String>,
    },
    /// Replaces one symmetric key of an identity by a fresh one, which the reply carries.
    RegenerateKey {
        /// The device.
        device: DeviceId,
        /// The module, for a module's key.
        module: Option<ModuleId>,
        /// Which key.
        key: KeyName,
    },
    /// Deletes a device identity with its modules, twins and queue.
    DeleteDevice {
        /// The device.
        device: DeviceId,
        /// The ETag that the identity must have, `*` for any; without it the request is refused with 412001.
        if_match: Option<String>,
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
    /// Adds a certificate to the hub, or replaces it, as the management plane does. Its chains are trusted
    /// once it is verified.
    PutCertificate {
        /// Its name on the hub.
        name: String,
        /// The certificate: DER, PEM, or base64 of either.
        certificate: Vec<u8>,
        /// Whether it counts as verified at once.
        verified: bool,
        /// The ETag that the certificate must have, `*` for any; without it nothing is checked.
        if_match: Option<String>,
    },
    /// Verifies a certificate of the hub with a certificate that it signed.
    VerifyCertificate {
        /// Its name on the hub.
        name: String,
        /// The verification certificate: DER, PEM, or base64 of either.
        certificate: Vec<u8>,
        /// The ETag that the certificate must have, `*` for any; without it nothing is checked.
        if_match: Option<String>,
    },
    /// Gives a certificate of the hub the code that its verification certificate must name.
    GenerateVerificationCode {
        /// Its name on the hub.
        name: String,
    },
    /// Deletes a certificate of the hub; deleting none is 204.
    DeleteCertificate {
        /// Its name on the hub.
        name: String,
        /// The ETag that the certificate must have, `*` for any; without it nothing is checked.
        if_match: Option<String>,
    },
    /// Reads a certificate of the hub.
    GetCertificate {
        /// Its name on the hub.
        name: String,
    },
    /// Adds or edits a diagnostic setting of the hub.
    PutDiagnosticSetting {
        /// Its name.
        name: String,
        /// Log categories that it enables, by IoT Hub's names.
        categories: Vec<String>,
    },
    /// Adds or edits a diagnostic setting of the hub as Azure's JSON: `properties.logs` with a `category` or a
    /// `categoryGroup` each, and whether it is `enabled`.
    PutDiagnosticSettingJson {
        /// Its name.
        name: String,
        /// The body of the request.
        json: Value,
    },
    /// Reads a diagnostic setting of the hub.
    GetDiagnosticSetting {
        /// Its name.
        name: String,
    },
    /// Deletes a diagnostic setting of the hub; deleting none is 204.
    DeleteDiagnosticSetting {
        /// Its name.
        name: String,
    },
    /// Replaces the hub's network rules.
    SetNetworkRules(NetworkRules),
    /// Writes the hub's properties as Azure's JSON: its network rules (`networkRuleSets`, or the older
    /// `ipFilterRules`; none lets everybody in), and how it treats cloud-to-device messages, feedback and notices of
    /// file uploads. What is left out gets its default.
    PutHubPropertiesJson {
        /// The body of the request.
        json: Value,
    },
    /// Reads the hub's properties as Azure writes them.
    GetHubProperties,
    /// Registers a verified certificate authority or replaces it: [`Self::PutCertificate`] without an ETag.
    PutCertificateAuthority {
        /// Its name on the hub.
        name: String,
        /// The certificate.
        der: Vec<u8>,
    },
    /// Removes a certificate authority; 404 when there is none.
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
    /// Creates or replaces a device security group as Azure does: the rules of a sparse body are completed,
    /// and the reply lists all of them.
    PutSecurityGroupJson {
        /// Its name; recorded in lower case.
        name: String,
        /// The body of the request.
        json: Value,
    },
    /// Reads a device security group: every rule.
    GetSecurityGroup {
        /// Its name, in any case.
        name: String,
    },
    /// Deletes a device security group; deleting none is 204.
    DeleteSecurityGroup {
        /// Its name, in any case.
        name: String,
    },
    /// Creates or replaces a security solution (`iotSecuritySolutions`).
    PutSecuritySolutionJson {
        /// Its name.
        name: String,
        /// The body of the request.
        json: Value,
    },
    /// Changes a security solution as far as a body states it; one that is not there is refused.
    PatchSecuritySolutionJson {
        /// Its name.
        name: String,
        /// The body of the request.
        json: Value,
    },
    /// Reads a security solution.
    GetSecuritySolution {
        /// Its name.
        name: String,
    },
    /// Deletes a security solution; deleting none is 204.
    DeleteSecuritySolution {
        /// Its name.
        name: String,
    },
    /// Replaces the threat-intelligence list.
    LoadThreatList(ThreatList),
    /// Chooses the defender's profile.
    ConfigureProfile(Profile),
    /// Sets the defender's knobs.
    TuneDefender(Tuning),
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
    /// Replaces all desired properties.
    ReplaceDesired {
        /// The device.
        device: DeviceId,
        /// The module, for a module twin.
        module: Option<ModuleId>,
        /// The properties, a JSON object.
        properties: Value,
    },
    /// Replaces all tags.
    ReplaceTags {
        /// The device.
        device: DeviceId,
        /// The module, for a module twin.
        module: Option<ModuleId>,
        /// The tags, a JSON object.
        tags: Value,
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
    /// Writes tags and desired properties as far as a twin's JSON states them, all of it or nothing; the reply
    /// is the twin.
    WriteTwinJson {
        /// The device.
        device: DeviceId,
        /// The module, for a module twin.
        module: Option<ModuleId>,
        /// The body of the request: `tags` and `properties.desired`.
        json: Value,
        /// Whether a section that is stated replaces the one that is there, or is merged into it.
        replace: bool,
        /// The ETag that the twin must have, `*` for any; without it nothing is checked.
        if_match: Option<String>,
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
        /// Application properties. `iothub-ack` (`none`, `positive`, `negative`, `full`) asks for feedback.
        properties: BTreeMap<String, String>,
        /// Lifetime by the calendar; `None` takes the hub's default.
        ttl: Option<Duration>,
    },
    /// Drops every cloud-to-device message waiting for a device.
    PurgeCloudToDevice {
        /// The device.
        device: DeviceId,
    },
    /// Receives feedback on cloud-to-device messages, 64 at most.
    ReceiveFeedback,
    /// Completes or abandons received feedback.
    SettleFeedback {
        /// The lock that came with it.
        lock: String,
        /// What the caller does with it; feedback cannot be rejected.
        settlement: Settlement,
    },
    /// Receives the next notice of a completed file upload.
    ReceiveFileNotification,
    /// Completes or abandons a received notice.
    SettleFileNotification {
        /// The lock that came with it.
        lock: String,
        /// What the caller does with it; a notice cannot be rejected.
        settlement: Settlement,
    },
    /// Receives the next cloud-to-device message as the device does over a protocol that locks messages.
    ReceiveCloudToDevice {
        /// The device.
        device: DeviceId,
        /// The protocol that it speaks.
        protocol: Protocol,
    },
    /// Settles a received cloud-to-device message as the device does.
    SettleCloudToDevice {
        /// The device.
        device: DeviceId,
        /// The lock that came with the message.
        lock: String,
        /// What the device does with it.
        settlement: Settlement,
    },
    /// Begins a file upload as the device does.
    BeginFileUpload {
        /// The device.
        device: DeviceId,
        /// Name of the blob.
        blob: String,
    },
    /// Puts a blob where an upload was granted; only its length is kept.
    PutBlob {
        /// The path that was granted.
        blob_path: String,
        /// The query that was granted.
        sas_token: String,
        /// Length of the blob or block.
        bytes: u64,
        /// Whether this is the blob or a block of it.
        write: BlobWrite,
    },
    /// Completes a file upload as the device does.
    CompleteFileUpload {
        /// The device.
        device: DeviceId,
        /// The upload.
        correlation_id: String,
        /// Whether the device reports success.
        success: bool,
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

/// Which of an identity's two symmetric keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// The primary key.
    Primary,
    /// The secondary key.
    Secondary,
}
