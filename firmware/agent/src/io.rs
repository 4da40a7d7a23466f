//! What passes between the agent and the platform that carries it: firmware or the `sim` backend.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use hilarm_link::{Command, FromDevice, X509Credential};

/// Both clocks at one instant, as the harness granted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Microseconds since the world began: keep-alive, time-outs, intervals.
    pub mono_us: u64,
    /// Microseconds since the Unix epoch: tokens, certificates. It may jump while `mono_us` stands still.
    pub unix_us: i64,
}

impl Now {
    /// Whole seconds since the Unix epoch, rounded down.
    pub(crate) fn unix_s(self) -> i64 {
        self.unix_us.div_euclid(1_000_000)
    }
}

/// How many sockets the agent ever has open at once: 0 to `MAX_SOCKETS - 1`.
pub const MAX_SOCKETS: usize = 4;

/// A TCP connection of the device, numbered by the agent. A number is used again after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket(pub u8);

impl Socket {
    /// The device's connection to the hub. The others belong to behaviours.
    pub const HUB: Self = Self(0);
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A host name, which the platform looks up by DNS.
    Host {
        /// The name.
        name: String,
        /// TCP port.
        port: u16,
    },
    /// An address.
    Address {
        /// IPv4 address.
        address: [u8; 4],
        /// TCP port.
        port: u16,
    },
}

/// TLS on a connection. The one trusted authority is the configuration's `ca_certificate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Sent as SNI, and checked against the server's certificate.
    pub server_name: String,
    /// The client certificate to present, if any.
    pub client: Option<X509Credential>,
}

/// From the platform to the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The harness asks for something; the agent answers with a response of the same number.
    Command {
        /// Number of the command.
        id: u32,
        /// The command.
        command: Command,
    },
    /// A connection is up, TLS handshake included.
    Opened {
        /// The socket.
        socket: Socket,
        /// The device's address and port.
        local: ([u8; 4], u16),
    },
    /// Bytes arrived, decrypted.
    Received {
        /// The socket.
        socket: Socket,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A connection ended, or never came up. Never sent for a socket that the agent itself has closed: the
    /// number may belong to a new connection by then.
    Closed {
        /// The socket.
        socket: Socket,
        /// `refused`, `timed out`, `closed by peer`, `tls: ...`.
        reason: String,
    },
}

/// From the agent to the platform, to be carried out in order.
#[derive(Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a connection; answered by [`Input::Opened`] or [`Input::Closed`].
    Open {
        /// The socket.
        socket: Socket,
        /// Where to.
        remote: Remote,
        /// TLS, if any.
        tls: Option<Tls>,
    },
    /// Send on a connection.
    Send {
        /// The socket.
        socket: Socket,
        /// The bytes, before encryption.
        bytes: Vec<u8>,
    },
    /// Send one byte over and over. The platform makes the bytes as they go, so that a device can send more than
    /// its memory holds.
    SendRepeated {
        /// The socket.
        socket: Socket,
        /// The byte.
        byte: u8,
        /// How often.
        count: u32,
    },
    /// Close a connection after all that was sent on it has left; or give up one that is still opening.
    /// Whatever the platform still holds for the old connection is dropped.
    Close {
        /// The socket.
        socket: Socket,
    },
    /// A response, log line or event for the harness.
    ToHarness(FromDevice),
    /// Die like this.
    Crash(Crash),
}

/// How firmware dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It writes through a null pointer.
    NullWrite,
    /// It calls itself until the stack is used up.
    StackOverflow,
    /// It panics.
    Panic,
    /// It runs in circles with interrupts off.
    Hang,
    /// It feeds its watchdog no more.
    Watchdog,
}

// Bytes sent hold tokens: only their number is shown.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { socket, remote, tls } => f
                .debug_struct("Open")
                .field("socket", socket)
                .field("remote", remote)
                .field("tls", tls)
                .finish(),
            Self::Send { socket, bytes } => {
                f.debug_struct("Send").field("socket", socket).field("bytes", &bytes.len()).finish()
            }
            Self::SendRepeated { socket, byte, count } => f
                .debug_struct("SendRepeated")
                .field("socket", socket)
                .field("byte", byte)
                .field("count", count)
                .finish(),
            Self::Close { socket } => f.debug_struct("Close").field("socket", socket).finish(),
            Self::ToHarness(message) => f.debug_tuple("ToHarness").field(message).finish(),
            Self::Crash(crash) => f.debug_tuple("Crash").field(crash).finish(),
        }
    }
}
