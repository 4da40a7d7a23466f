//! The hub behind real sockets: MQTT over TLS and HTTPS for devices, SDKs and any other client, on the loopback
//! interface unless told otherwise. The blob store of file uploads answers on the HTTPS port.
//!
//! One task owns the hub's core and the defender. Each connection has a task of its own that shakes hands,
//! sends what it reads into the core's channel and writes what the core puts into the connection's; both
//! channels are bounded, so a flood slows its sender down and a peer that stops reading is cut off. This edge
//! reads the real clock and hands it in; what connects, who is refused and what is recorded is all the hub's
//! judgement (hub.md, 1, 2 and 4), client certificates included (hub.md, 8).
//!
//! Its certificate authority and server keys live in a state directory and stay the same from run to run, so a
//! client trusts the authority once. Files with keys are readable by their owner only.
//!
//! ```no_run
//! # async fn example() -> Result<(), hilarm_server::ServerError> {
//! use hilarm_server::{Server, ServerConfig};
//!
//! let server = Server::bind(ServerConfig::new("localhost", ".hilarm/hub")).await?;
//! println!("listening on {}, trust {}", server.mqtt_address(), server.ca_path().display());
//! server.run(std::future::pending::<()>(), |record| println!("{record:?}"), |alert| println!("{alert:?}")).await;
//! # Ok(())
//! # }
//! ```

mod authority;
mod clock;
mod config;
mod connection;
mod core;
mod device_keys;
mod error;
mod health;
mod json_lines;
mod listeners;
mod server;
mod state;

pub use authority::keep_authority;
pub use config::{ServedDevice, ServerConfig};
pub use error::ServerError;
pub use health::{HealthError, check};
pub use json_lines::JsonLines;
pub use server::Server;
