//! An MQTT 3.1.1 client, sans-I/O: bytes in, bytes and events out. It serves the hub connection and the
//! plain connections of behaviours alike, and knows nothing of IoT Hub.
//!
//! Implements the client's half of OASIS MQTT 3.1.1 with QoS 0 and 1; QoS 2 is never asked for, and a
//! server that uses it breaks the connection.

mod client;
mod decode;
mod encode;
mod packet;
mod session;

#[cfg(test)]
pub(crate) mod peer;

pub(crate) use client::{Client, Event};
pub(crate) use packet::{Connect, Publish, Qos};
pub(crate) use session::Publication;
