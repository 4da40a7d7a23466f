//! The hub's face.
use hilarm_model::{ConnectionId, HubRecord, Monotonic, Now, PeerFacts, Timestamp};
use crate::config::HubConfig;
use crate::service::*;

/// What reaches the hub from a transport.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection is up, TLS included.
    Opened {
        /// Its number, never used twice.
        connection: ConnectionId,
        /// What the transport learned about the peer.
        facts: PeerFacts,
    },
    /// Plaintext bytes arrived, cut anywhere.
    Received {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The transport ended.
    Closed {
        /// The connection.
        connection: ConnectionId,
    },
}

/// What the hub asks of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Close after everything sent before has left; `Closed` need not be reported back.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
}

/// IoT Hub.
#[derive(Debug)]
pub struct Hub { config: HubConfig }
#[allow(missing_docs, unused)]
impl Hub {
    pub fn new(config: HubConfig, seed: u64) -> Self { Self { config } }
    pub fn handle_input(&mut self, input: Input<'_>, now: Now) {}
    pub fn handle_timeout(&mut self, now: Now) {}
    pub fn poll_output(&mut self) -> Option<Output> { None }
    pub fn poll_record(&mut self) -> Option<HubRecord> { None }
    pub fn poll_timeout(&self, now: Now) -> Option<Monotonic> { None }
    pub fn service(&mut self, request: ServiceRequest, now: Now) -> Result<ServiceReply, HubError> { Ok(ServiceReply::Done) }
    pub fn poll_service(&mut self) -> Option<(MethodTicket, MethodResult)> { None }
    pub fn calendar_advanced(&mut self, from: Timestamp, now: Now) {}
}
