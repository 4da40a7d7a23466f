//! The link between a device and the harness: one byte stream, whatever carries it (a UART in QEMU, a
//! serial port, RTT). Frames are COBS-delimited; each holds a channel, a sequence number, a postcard body
//! and a CRC-16, so that noise, truncation and a firmware that died in mid-frame are seen, never guessed at.
//!
//! The same crate runs on the device and in the harness. It allocates only in proportion to the frame it
//! holds, up to [`MAX_FRAME_BYTES`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod config;
mod ethernet;
mod frame;
mod message;

pub use config::{
    AgentConfig, BlobError, Credential, DeviceConfig, ModuleCredential, NetworkConfig, SasCredential,
    X509Credential, config_blob, read_config_blob,
};
pub use ethernet::{from_ethernet, to_ethernet};
pub use frame::{Decoder, FrameError, MAX_FRAME_BYTES};
pub use message::{
    Command, CommandError, DeviceEvent, Disposition, Encoder, FromDevice, Grant, Idle, LogLevel, Message,
    ToDevice, Value,
};
