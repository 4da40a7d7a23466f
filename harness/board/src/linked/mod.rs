//! A device with real firmware at the other end of a wire, as a [`Device`](crate::Device): the one state
//! machine for every such backend. It is assembled from a [`Wire`] (the link's byte stream, whatever carries
//! it), [`Frames`] (how Ethernet frames cross) and a [`Host`] (who holds the device and knows what befell it).
//!
//! This room launches nothing, flashes nothing and never opens a port: who assembles a device does.

mod conduit;
mod device;
mod exchange;
mod frames;
mod host;
mod ledger;
mod noise;
mod own_time;
pub(crate) mod readiness;
mod wire;

pub use conduit::{Conduit, ConduitEnd, conduit};
pub use device::{LinkedDevice, Parts};
pub(crate) use frames::drain;
pub use frames::{FrameSocket, Frames};
pub use host::Host;
pub use wire::{Wire, WireError};
