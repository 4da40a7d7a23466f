//! The hub behind real sockets.
