//! What passes between one device and the network. A device with an Ethernet interface (QEMU, a board)
//! exchanges frames; the sim device has no TCP/IP stack of its own and asks for sockets instead.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};

/// One device's attachment to the network, numbered from 0 in the order of attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinkId(pub u32);

/// A socket of a sim device, numbered by the device; a number may be used again after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub u32);

/// From a device to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkInput {
    /// An Ethernet frame.
    Frame(Vec<u8>),
    /// Sim: look a name up.
    Resolve {
        /// Comes back in the answer.
        query: u32,
        /// Host name.
        name: String,
    },
    /// Sim: open a TCP connection.
    Open {
        /// The device's number for it.
        socket: SocketId,
        /// Where to.
        remote: SocketAddrV4,
        /// The TLS client certificates that the device would present, leaf first; stated, not proven.
        client_chain: Vec<Vec<u8>>,
        /// The TLS server name that the device would send.
        sni: Option<String>,
    },
    /// Sim: send on a socket; plaintext also where a real device would speak TLS.
    Send {
        /// The socket.
        socket: SocketId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Sim: close a socket.
    Close {
        /// The socket.
        socket: SocketId,
    },
}

/// From the network to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// An Ethernet frame.
    Frame(Vec<u8>),
    /// Sim: a query went out to the name server, or its reply came in; the datagrams of a look-up are a flow.
    NameDatagram {
        /// The device's end of it.
        local: SocketAddrV4,
        /// The name server.
        remote: SocketAddrV4,
        /// UDP payload towards the device.
        bytes_in: usize,
        /// UDP payload from the device.
        bytes_out: usize,
    },
    /// Sim: the answer to a look-up; nothing when the name does not exist.
    Resolved {
        /// The query's number.
        query: u32,
        /// The address.
        address: Option<Ipv4Addr>,
    },
    /// Sim: the SYN is out; whatever comes of it, there is a flow from here on.
    Opening {
        /// The socket.
        socket: SocketId,
        /// The device's end of it.
        local: SocketAddrV4,
    },
    /// Sim: a connection is up.
    Opened {
        /// The socket.
        socket: SocketId,
        /// The device's end of it.
        local: SocketAddrV4,
    },
    /// Sim: bytes arrived.
    Received {
        /// The socket.
        socket: SocketId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Sim: a socket ended, by either side, by refusal or by time-out.
    Closed {
        /// The socket.
        socket: SocketId,
        /// `refused`, `timed out`, `closed by peer`.
        reason: &'static str,
    },
}
