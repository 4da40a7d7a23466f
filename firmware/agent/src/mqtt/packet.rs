//! The packets a client sends and those it receives.

use alloc::string::String;
use alloc::vec::Vec;

/// Quality of service that this client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qos {
    /// At most once.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
}

impl Qos {
    /// As on the wire.
    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
        }
    }
}

/// CONNECT, without a will.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) client_id: String,
    pub(crate) user_name: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) keep_alive_s: u16,
    pub(crate) clean_session: bool,
}

/// PUBLISH, either way. `id` is there exactly when the quality of service is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) duplicate: bool,
    pub(crate) retain: bool,
    pub(crate) topic: String,
    pub(crate) id: Option<u16>,
    pub(crate) payload: Vec<u8>,
}

/// A packet from the client. PUBLISH has an encoder of its own, so that payloads need no copy.
pub(crate) enum ClientPacket<'a> {
    Connect(&'a Connect),
    PubAck { id: u16 },
    Subscribe { id: u16, filters: &'a [(&'a str, Qos)] },
    PingReq,
    Disconnect,
}

/// A packet from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerPacket {
    ConnAck { session_present: bool, code: u8 },
    Publish(Publish),
    PubAck { id: u16 },
    SubAck { id: u16, granted: Vec<u8> },
    PingResp,
}
