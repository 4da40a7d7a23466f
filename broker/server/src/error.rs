//! Errors of the server; the texts fit "failed to {error}".

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use hilarm_hub::HubError;
use hilarm_tls::{PkiError, TlsError};
use thiserror::Error;

/// Why a hub could not be put behind sockets. What clients do is never an error here.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A stored device key cannot be used.
    #[error("device key {path}: {reason}", path = path.display())]
    DeviceKey {
        /// Its file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Another process listens there.
    #[error("listen on {address}: the port is in use by another process")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The system keeps the port, as it does with those below 1024, for other users.
    #[error("listen on {address}: permission denied")]
    ListenNotPermitted {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's refusal.
        source: io::Error,
    },
    /// A file of the state directory cannot be read or written.
    #[error("use the hub's state in {path}: {source}", path = path.display())]
    State {
        /// The file or folder.
        path: PathBuf,
        /// The system's refusal.
        source: io::Error,
    },
    /// A certificate or key in the state directory does not read, or cannot be made.
    #[error("use the certificate in {path}: {source}", path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PkiError,
    },
    /// The operating system gives no randomness for a new authority.
    #[error("draw a key for a new certificate authority: {0}")]
    Randomness(String),
    /// TLS cannot be configured with these identities.
    #[error("configure tls: {0}")]
    Tls(#[from] TlsError),
    /// The hub refused a device or another provisioning request.
    #[error("provision the hub: {0}")]
    Provisioning(#[from] HubError),
}
