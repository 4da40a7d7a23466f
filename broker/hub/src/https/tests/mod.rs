//! The adapter as clients see it: bytes in, bytes and facts out.

mod events;
mod hostile;
mod world;
