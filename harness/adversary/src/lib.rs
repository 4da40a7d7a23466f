//! What stands behind a suspicious address: a real MQTT broker, rumqttd, as command-and-control broker.
//!
//! An infected device connects to it, subscribes for orders and exfiltrates (T1071.005). The device's TCP
//! stream comes in as bytes, is carried over a real TCP connection on the loopback interface, and the answer
//! goes back as bytes. What the broker received, seen on a link of its own, is the *proof* of such a scenario.
//!
//! This room never judges, reads no virtual clock, and no rumqttd type leaves it. Besides `server` and `board`
//! it is the only room that opens a port, always on the loopback interface.
//!
//! **One broker a run.** A bot's topics are fixed (`orders/#`, `exfil/<device>`), runs are parallel, and a
//! broker keeps sessions and retained orders: sharing one between runs would need topic prefixes that the
//! device knows nothing of, and reusing one after a run would leak its sessions into the next. rumqttd has no
//! shutdown, but its parts allow most of one: the listener and every connection live in a runtime of ours and
//! go with it when [`CommandAndControl`] is dropped. Only the router's thread stays behind, parked on its
//! channel for the rest of the process; `tests/cost.rs` measures it and holds it below its limit.
//!
//! **Time stands still while the broker works.** Packets go to the broker one at a time, and each is followed
//! by the answers it must cause ([`CommandAndControl::settle`]): a CONNACK for a CONNECT, a SUBACK and the
//! retained orders for a SUBSCRIBE, for a PUBLISH the PUBACK, the copies to subscribers and the copy to our own
//! link. They are counted (`ledger`), never guessed by a quiet time, and so virtual time can stop meanwhile.
//!
//! rumqttd logs through `tracing`; the harness installs no subscriber for it, so it stays quiet.
//! Why it faces no device directly: design.md, 5, and `tests/why_not_devices.rs`.

mod broker;
mod canonical;
mod carrier;
mod command_and_control;
mod error;
mod frames;
mod guard;
mod ledger;
mod session;

pub use command_and_control::{AdversaryOutput, CommandAndControl, Received};
pub use error::AdversaryError;
