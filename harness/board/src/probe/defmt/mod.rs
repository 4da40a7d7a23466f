//! Logs in defmt's wire format (versions 3 and 4): frames of a few bytes whose text, file and line come from the
//! image. What a frame says is read from bytes that a crashed or foreign firmware may have written, so every length
//! is bounded and a frame that makes no sense is told and passed over.
//!
//! It reads the encoding `rzcobs` and no other, and shows flags, CBOR and dates as plain numbers and bytes. The
//! decoder of defmt's own project is not used: it would switch on `serde_json`'s arbitrary precision for the whole
//! program, and it takes a frame's word for how much memory to reserve.

mod frame;
mod render;
mod stream;
mod table;
mod value;

pub(super) use frame::Statement;
pub(super) use stream::Stream;

/// The name by which RTT calls the channel of such a log.
pub(super) const CHANNEL_NAME: &str = "defmt";
