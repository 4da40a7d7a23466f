//! Connections as facts tell them: how a peer proved who it is, why it was refused, why it went.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{ConnectionId, DeviceId, Timestamp};

/// A refused connection attempt, with every independent cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRefused {
    /// The connection.
    pub connection: ConnectionId,
    /// The device id that the peer claimed, if it claimed a well-formed one.
    pub device: Option<DeviceId>,
    /// Whether that id is in the identity registry.
    pub registered: bool,
    /// Application protocol.
    pub protocol: Protocol,
    /// Its source address.
    pub peer: SocketAddr,
    /// At least one; X.509 expiry and thumbprint are judged independently and may both be here.
    pub causes: Vec<RefusalCause>,
}

/// Why a connection was refused. The client is told nothing beyond `not authorized`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCause {
    /// The token does not parse.
    SasMalformed {
        /// What was wrong with it; never the token.
        reason: String,
    },
    /// The token's `sr` names another resource.
    SasScopeMismatch,
    /// The signature matches neither the primary nor the secondary key.
    SasInvalidSignature,
    /// The signature is right and `se` lies at or before the hub's clock.
    SasExpired {
        /// The token's `se`.
        expiry: Timestamp,
    },
    /// The presented leaf matches neither configured thumbprint. Upper-case hexadecimal.
    X509ThumbprintMismatch {
        /// SHA-1 of the presented leaf.
        sha1: String,
        /// SHA-256 of the presented leaf.
        sha256: String,
    },
    /// The leaf's `notAfter` lies before the hub's clock.
    X509Expired {
        /// The leaf's `notAfter`.
        not_after: Timestamp,
    },
    /// The leaf's `notBefore` lies after the hub's clock.
    X509NotYetValid {
        /// The leaf's `notBefore`.
        not_before: Timestamp,
    },
    /// The chain leads to no registered certificate authority.
    X509NotTrusted,
    /// The leaf's common name is not the device id.
    X509SubjectMismatch,
    /// The leaf does not parse.
    X509Malformed {
        /// What was wrong with it.
        reason: String,
    },
    /// No such device in the identity registry.
    UnknownDevice,
    /// The device is disabled.
    DeviceDisabled,
    /// Neither a token nor a certificate was presented.
    CredentialMissing,
    /// A token where a certificate is required, or the reverse.
    CredentialKindMismatch,
    /// The MQTT user name is not that of IoT Hub, or names another device than the client id.
    UserNameMalformed {
        /// What was wrong with it.
        reason: String,
    },
    /// The source address is kept out by the hub's network rules.
    IpFiltered,
    /// The protocol level is not MQTT 3.1.1.
    ProtocolLevel {
        /// The level offered.
        level: u8,
    },
    /// The hub's throttle of new connections (429001).
    Throttled,
}

/// Application protocol of a connection or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// MQTT 3.1.1, over TLS or WebSocket.
    Mqtt,
    /// AMQP 1.0.
    Amqp,
    /// HTTPS.
    Https,
}

/// How a device must authenticate. Keys stay in the hub: only digests of them are facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisteredAuthentication {
    /// Symmetric keys, as SHA-256 of each, for comparison between devices.
    Sas {
        /// Digest of the primary key.
        primary_sha256: String,
        /// Digest of the secondary key.
        secondary_sha256: String,
    },
    /// Thumbprints, upper-case hexadecimal, SHA-1 or SHA-256.
    SelfSigned {
        /// Primary thumbprint.
        primary: String,
        /// Secondary thumbprint.
        secondary: Option<String>,
    },
    /// A chain to a registered certificate authority.
    CertificateAuthority,
}

/// How an accepted device proved itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsedAuthentication {
    /// A SAS token valid until then.
    Sas {
        /// The token's `se`.
        expiry: Timestamp,
    },
    /// A client certificate valid until then.
    X509 {
        /// The leaf's `notAfter`.
        not_after: Timestamp,
        /// SHA-256 of the leaf, upper-case hexadecimal.
        sha256: String,
    },
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The client sent DISCONNECT.
    Disconnected,
    /// The transport ended without DISCONNECT.
    TransportClosed,
    /// Nothing was heard for one and a half keep-alive intervals.
    KeepAliveExpired,
    /// The same identity connected again (400027).
    TakenOver,
    /// The connection was refused.
    Refused,
    /// The peer broke the protocol.
    ProtocolViolated,
    /// The token expired during the session and the grace period passed.
    TokenExpired,
    /// The identity was disabled, removed or given other credentials.
    IdentityChanged,
    /// No CONNECT arrived in time.
    ConnectTimeout,
    /// It asked for more than the hub's throttles let through (429001).
    Throttled,
    /// It sent when the hub had used up its messages of the day (403002).
    QuotaExceeded,
}
