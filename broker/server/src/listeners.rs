//! The sockets that the server listens on, and who comes to them next.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hilarm_hub::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use crate::connection::Accepted;
use crate::{ServerConfig, ServerError};

/// Pause after a failed accept: the usual cause, too many open files, would otherwise be tried in a tight loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// All listeners, and the places that they share.
#[derive(Debug)]
pub(crate) struct Listeners {
    mqtt: TcpListener,
    https: Option<TcpListener>,
    mqtt_address: SocketAddr,
    https_address: Option<SocketAddr>,
    places: Arc<Semaphore>,
}

impl Listeners {
    /// Listens on every port of the configuration, or on none.
    pub(crate) async fn bind(config: &ServerConfig) -> Result<Self, ServerError> {
        let at = |port| SocketAddr::new(config.address, port);
        let (mqtt, mqtt_address) = listen(at(config.mqtt_port)).await?;
        let (https, https_address) = match config.https_port {
            Some(port) => Some(listen(at(port)).await?).unzip(),
            None => (None, None),
        };
        let places = Arc::new(Semaphore::new(config.connections_max));
        Ok(Self { mqtt, https, mqtt_address, https_address, places })
    }

    /// Where MQTT clients connect.
    pub(crate) fn mqtt_address(&self) -> SocketAddr {
        self.mqtt_address
    }

    /// Where HTTPS clients connect, if they may.
    pub(crate) fn https_address(&self) -> Option<SocketAddr> {
        self.https_address
    }

    /// The next connection, once there is a place for it. A place is taken before anything is accepted, and by
    /// one waiting for both sockets: of two that wait, each would keep a place from the other's clients.
    pub(crate) async fn accept(&self) -> (Accepted, OwnedSemaphorePermit) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            return std::future::pending().await;
        };
        loop {
            let (listener, accepted) = tokio::select! {
                accepted = self.mqtt.accept() => (Listener::Mqtt, accepted),
                accepted = accept_if(self.https.as_ref()) => (Listener::Https, accepted),
            };
            match accepted {
                Ok((tcp, address)) => return (Accepted { listener, tcp, address }, place),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::AddressInUse { address },
        io::ErrorKind::PermissionDenied => ServerError::ListenNotPermitted { address },
        _ => ServerError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

async fn accept_if(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ServerConfig {
        let mut config = ServerConfig::new("localhost", "unused");
        (config.mqtt_port, config.https_port, config.connections_max) = (0, Some(0), 1);
        config
    }

    #[tokio::test]
    async fn the_last_place_serves_whichever_listener_is_called() {
        let listeners = Listeners::bind(&config()).await.unwrap();
        let https = listeners.https_address().unwrap();
        for (address, listener) in [(https, Listener::Https), (listeners.mqtt_address(), Listener::Mqtt)] {
            let _client = TcpStream::connect(address).await.unwrap();
            let accepted = tokio::time::timeout(Duration::from_secs(30), listeners.accept());
            assert_eq!(accepted.await.expect("a connection").0.listener, listener);
        }
    }

    #[tokio::test]
    async fn a_listener_that_cannot_be_had_gives_the_other_back() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let first = Listeners::bind(&ServerConfig { mqtt_port: taken.port(), ..config() }).await.unwrap();
        let port = first.https_address().unwrap().port();
        drop(first);
        let holder = TcpListener::bind((taken.ip(), port)).await.unwrap();
        let wanted = ServerConfig { mqtt_port: taken.port(), https_port: Some(port), ..config() };
        let error = Listeners::bind(&wanted).await.unwrap_err();
        assert!(matches!(error, ServerError::AddressInUse { address } if address.port() == port), "{error}");
        drop(holder);
        Listeners::bind(&wanted).await.expect("nothing is held");
    }
}
