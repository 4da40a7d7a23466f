//! Asks a hub on this machine whether it serves: what a container's health check runs. It connects as a
//! client would, trusts the authority of the state directory and nothing else, and says nothing after the
//! handshake.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::state::CA_CERTIFICATE;

/// Why a hub does not serve; the texts fit "failed to {error}".
#[derive(Debug, Error)]
pub enum HealthError {
    /// No authority to trust.
    #[error("read the authority of {folder}: {reason}")]
    Authority {
        /// The state directory.
        folder: String,
        /// Why.
        reason: String,
    },
    /// Nobody answers, or not as a hub.
    #[error("reach a hub at {address}: {reason}")]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// Too slow.
    #[error("reach a hub at {address}: no handshake within {limit:?}")]
    Slow {
        /// The address.
        address: SocketAddr,
        /// How long was waited.
        limit: Duration,
    },
}

/// Shakes hands with the hub at `address`, whose authority is in `state_dir`, and takes its leave.
pub async fn check(address: SocketAddr, state_dir: &Path, limit: Duration) -> Result<(), HealthError> {
    let authority =
        |reason: String| HealthError::Authority { folder: state_dir.display().to_string(), reason };
    let pem = std::fs::read(state_dir.join(CA_CERTIFICATE)).map_err(|error| authority(error.to_string()))?;
    let certificate = CertificateDer::from_pem_slice(&pem).map_err(|error| authority(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|error| authority(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| authority(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let shaken = timeout(limit, async {
        let tcp = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), tcp).await
    });
    match shaken.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(HealthError::Unreachable { address, reason: error.to_string() }),
        Err(_) => Err(HealthError::Slow { address, limit }),
    }
}
