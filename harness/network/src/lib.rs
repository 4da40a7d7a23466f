//! The virtual network between devices and everything they talk to, sans-I/O.

mod link;

pub use link::{LinkId, LinkInput, LinkOutput, SocketId};
