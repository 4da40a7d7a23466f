//! Security events as decoded from a device agent's messages, one shape for FlatBuffers 2.3 and JSON 1.0.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Which agent sent a security message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentIdentity {
    /// `security_module_id` (FlatBuffers) or `AgentId` (JSON).
    pub id: String,
    /// `major.minor.patch`.
    pub version: String,
}

/// One event of a security message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityEvent {
    /// The event's id as 32 hexadecimal digits.
    pub id: String,
    /// The agent's own Unix time in seconds; evidence only, the hub's receive time decides.
    pub agent_time: i64,
    /// Collection interval in seconds, where the agent states one.
    pub collection_interval_s: Option<u32>,
    /// What was observed.
    pub payload: SecurityPayload,
}

/// The payload of a security event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityPayload {
    /// Flows seen on the device since the previous collection.
    NetworkActivity(Vec<Flow>),
    /// What the device runs.
    SystemInformation(SystemInformation),
    /// The agent is alive.
    Heartbeat,
    /// Somebody signed in on the device, or tried to.
    Login(Login),
    /// A process was started.
    ProcessCreate(ProcessCreate),
    /// Ports on which the device listens.
    ListeningPorts(Vec<ListeningPort>),
    /// A kind that no detection judges, with what it says.
    Recorded(RecordedEvent),
}

/// An event that no detection judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// Its name in JSON schema 1.0, e.g. `LocalUsers`, also where it came as FlatBuffers; the name that was sent
    /// where that schema has none.
    pub name: String,
    /// When such events are sent.
    pub category: EventCategory,
    /// What they are about.
    pub event_type: EventType,
    /// The items of its payload: fields by their names in the schema. Numbers and booleans as text, what is nested
    /// as JSON, no field that is null.
    pub items: Vec<BTreeMap<String, String>>,
}

/// When an event is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventCategory {
    /// At intervals: how things stand.
    Periodic,
    /// When something has happened.
    Triggered,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// The device.
    Security,
    /// The agent, at work.
    Operational,
    /// The agent, to whoever looks for its faults.
    Diagnostic,
}

/// An attempt to sign in on the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// User name, or the user id as text where no name was given.
    pub user: String,
    /// Whether it succeeded.
    pub success: bool,
    /// What did the check, e.g. `/sbin/login`.
    pub executable: String,
    /// Where from, for remote logins.
    pub remote_address: Option<IpAddr>,
}

/// A started process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessCreate {
    /// Path of the executable.
    pub executable: String,
    /// Its command line.
    pub command_line: String,
    /// The user it runs as, name or id.
    pub user: String,
}

/// A port on which the device listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListeningPort {
    /// Transport protocol.
    pub protocol: FlowProtocol,
    /// Local address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// What the device runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemInformation {
    /// Operating system.
    pub os_info: String,
    /// Kernel.
    pub kernel_info: String,
    /// Hardware.
    pub hw_info: String,
}

/// One flow by its 5-tuple, with the bytes seen since the previous report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flow {
    /// Transport protocol.
    pub protocol: FlowProtocol,
    /// Address of the device.
    pub local_address: IpAddr,
    /// Port on the device; 0 for ICMP.
    pub local_port: u16,
    /// Address of the other side.
    pub remote_address: IpAddr,
    /// Port of the other side; 0 for ICMP.
    pub remote_port: u16,
    /// IP payload bytes received.
    pub bytes_in: u64,
    /// IP payload bytes sent.
    pub bytes_out: u64,
    /// Stated direction; the RTOS agent states none.
    pub direction: Option<FlowDirection>,
}

/// Transport protocol of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
}

/// Direction of a flow, where an agent states one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowDirection {
    /// Opened by the other side.
    In,
    /// Opened by the device.
    Out,
}
