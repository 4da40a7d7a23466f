//! TLS secrets in memory in the NSS key log format, for a capture that Wireshark opens decrypted.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Collects the secrets of every session of the configurations it is given to. Only virtual networks log
/// secrets: nothing on a socket does unless its operator asks.
#[derive(Default)]
pub struct KeyLogBuffer(Mutex<String>);

impl KeyLogBuffer {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// The log so far: lines of label, client random and secret.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl rustls::KeyLog for KeyLogBuffer {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex::encode(client_random), hex::encode(secret));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
    }
}

impl fmt::Debug for KeyLogBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLogBuffer(<redacted>)")
    }
}
