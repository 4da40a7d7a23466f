//! The Glasgow Interface Explorer with the `probe-rs` applet, as its host driver sees it.
//!
//! Knows packets and commands; what a transfer does is the debug port's.

pub(crate) mod cobs;
pub(crate) mod root;
pub(crate) mod server;
pub(crate) mod swd;

/// The first byte of a packet: who it is for, or from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Root = 0,
    Swd = 1,
}

impl Endpoint {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Root, Self::Swd].into_iter().find(|endpoint| *endpoint as u8 == byte)
    }
}

/// What no Glasgow understands; it ends the debugger's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error(transparent)]
    Packet(#[from] cobs::CobsError),
    #[error("a packet for nobody")]
    Endpoint,
    #[error("a command {0:#04x} to the root")]
    RootCommand(u8),
    #[error("a command {0:#04x} to the wire")]
    SwdCommand(u8),
}
