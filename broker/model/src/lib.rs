//! The vocabulary that every room of hilarm shares: ids, time, what TLS learned about a peer, decoded
//! security events, rule configuration, and [`HubEvent`]s, the facts that the hub records.
//!
//! Plain data only. This room reads no clock, opens no socket and judges nothing; serde is its only
//! dependency of note. No type here can hold a key or a token, so no journal can leak one.

mod event;
mod id;
mod peer;
mod rules;
mod security;
mod time;

pub use event::{
    CertificateChange, CloseReason, ConnectionRefused, DeadLetter, FilterAction, FilterRule, HubEvent,
    HubRecord, MethodOutcome, NetworkRules, Operation, Protocol, RefusalCause, RegisteredAuthentication,
    TwinSection, UsedAuthentication,
};
pub use id::{ConnectionId, DeviceId, InvalidId, ModuleId};
pub use peer::{PeerFacts, TlsVersion};
pub use rules::{
    AllowList, AllowRuleType, InvalidRange, Profile, RangeRule, RangeRuleType, SecurityGroup, ThreatList,
    Tuning,
};
pub use security::{
    AgentIdentity, EventCategory, EventType, Flow, FlowDirection, FlowProtocol, ListeningPort, Login,
    ProcessCreate, RecordedEvent, SecurityEvent, SecurityPayload, SystemInformation,
};
pub use time::{Monotonic, Now, Timestamp};
