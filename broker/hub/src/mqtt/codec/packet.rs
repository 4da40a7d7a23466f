//! What clients send, as values that borrow from the receive buffer.

use std::num::NonZeroU16;

/// A packet identifier.
pub(crate) type PacketId = NonZeroU16;

/// Quality of service.
#[expect(clippy::enum_variant_names, reason = "the names of the standard")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum QoS {
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

/// A packet of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    Connect(Connect<'a>),
    /// CONNECT with another protocol level; nothing behind the level can be trusted to be what it seems.
    ConnectOtherLevel(u8),
    Publish(Publish<'a>),
    PubAck(PacketId),
    Subscribe(Subscribe<'a>),
    Unsubscribe(Unsubscribe<'a>),
    PingReq,
    Disconnect,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Connect<'a> {
    pub(crate) clean_session: bool,
    /// Seconds; 0 asks for none.
    pub(crate) keep_alive_s: u16,
    pub(crate) client_id: &'a str,
    pub(crate) will: Option<Will<'a>>,
    pub(crate) user_name: Option<&'a str>,
    pub(crate) password: Option<&'a [u8]>,
}

impl std::fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("client_id", &self.client_id)
            .field("user_name", &self.user_name)
            .field("password", &self.password.map(|_| "<redacted>"))
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Will<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publish<'a> {
    pub(crate) duplicate: bool,
    pub(crate) retain: bool,
    pub(crate) topic: &'a str,
    /// Present for quality of service 1, the only one above 0 that is let through.
    pub(crate) id: Option<PacketId>,
    pub(crate) payload: &'a [u8],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscribe<'a> {
    pub(crate) id: PacketId,
    pub(crate) filters: Vec<(&'a str, QoS)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unsubscribe<'a> {
    pub(crate) id: PacketId,
    pub(crate) filters: Vec<&'a str>,
}

/// Return codes of CONNACK (3.2.2.3) that the hub gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectReturnCode {
    Accepted = 0,
    UnacceptableProtocolLevel = 1,
    ServerUnavailable = 3,
    NotAuthorized = 5,
}
