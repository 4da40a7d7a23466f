//! What goes into the network and what comes out of it.

use hilarm_model::{ConnectionId, PeerFacts};
use serde::{Deserialize, Serialize};

use crate::{HubService, LinkId, LinkInput, LinkOutput, NetworkFact};

/// A TCP stream to a served endpoint, numbered from 1 in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId(pub u64);

/// Into the network. Numbers that are not (or no longer) known are ignored: the other side may have closed
/// in the same instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// From a device.
    Device {
        /// Its link.
        link: LinkId,
        /// What it sent.
        input: LinkInput,
    },
    /// Plaintext of the hub for a connection.
    HubSend {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The hub ends a connection; what it sent before is still delivered.
    HubClose {
        /// The connection.
        connection: ConnectionId,
    },
    /// Bytes of a served endpoint for a stream.
    ServedSend {
        /// The stream.
        stream: StreamId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A served endpoint ends a stream; what it sent before is still delivered.
    ServedClose {
        /// The stream.
        stream: StreamId,
    },
}

/// Out of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// For a device, now.
    Device {
        /// Its link.
        link: LinkId,
        /// What arrives.
        output: LinkOutput,
    },
    /// A connection to the hub is up and its TLS handshake is over.
    HubOpened {
        /// Its number.
        connection: ConnectionId,
        /// Whose it is.
        link: LinkId,
        /// The listener that it came to.
        service: HubService,
        /// What TLS learned about the peer.
        facts: PeerFacts,
    },
    /// Plaintext for the hub.
    HubReceived {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The device's side ended a connection. Never comes after `HubClose`.
    HubClosed {
        /// The connection.
        connection: ConnectionId,
    },
    /// A stream to a served endpoint is up.
    ServedOpened {
        /// Its number.
        stream: StreamId,
        /// The endpoint's name.
        endpoint: String,
        /// Whose it is.
        link: LinkId,
    },
    /// Bytes for a served endpoint.
    ServedReceived {
        /// The stream.
        stream: StreamId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The device's side ended a stream. Never comes after `ServedClose`.
    ServedClosed {
        /// The stream.
        stream: StreamId,
    },
    /// Something that is true of the network, for the journal and for proof.
    Fact(NetworkFact),
}
