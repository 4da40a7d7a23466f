//! Serial lines as wires of the link: a port of this machine by path or by USB identity, or one of another
//! machine over TCP, raw or by RFC 2217. Everything between harness and board is multiplexed on the one line
//! by the link's channels, so one cable gives a board without Ethernet commands, time, logs and IP.
//!
//! This room moves bytes. It never looks into them, and it never resets or flashes a board.

mod address;
mod error;
mod pump;
mod remote;
mod telnet;
mod tty;
mod usb;
mod wire;

#[cfg(feature = "probe")]
pub(crate) use tty::check_permission;

pub use address::SerialAddress;
pub use error::SerialError;
pub use usb::{UsbMatch, UsbSerialPort, usb_serial_ports};
pub use wire::SerialWire;
