//! The adapter as clients see it: bytes in, bytes and facts out.

mod events;
mod files;
mod hostile;
mod messages;
mod metering;
mod world;
