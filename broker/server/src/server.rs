//! The hub made ready, and the loop that owns it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use hilarm_defender::Alert;
use hilarm_hub::{Hub, HubConfig, ServiceRequest};
use hilarm_model::{ConnectionId, HubRecord};
use hilarm_tls::TlsServer;
use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::connection::{Edge, Event};
use crate::core::Core;
use crate::listeners::Listeners;
use crate::state::State;
use crate::{ServedDevice, ServerConfig, ServerError};

/// Events that may wait for the hub; beyond, connections wait to read.
const EVENTS_MAX: usize = 1024;
/// How long connections may take to end with the server.
const GRACE: Duration = Duration::from_secs(3);
/// A hub that listens.
pub struct Server {
    listeners: Listeners,
    ca_path: PathBuf,
    host: String,
    devices: Vec<ServedDevice>,
    hub: Hub,
    clock: Clock,
    edge: Edge,
    events: mpsc::Receiver<Event>,
}

impl Server {
    /// Listens, reads or makes the keys, and provisions the hub. Clients are served by [`Self::run`].
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        let listeners = Listeners::bind(&config).await?;
        let state = open_state(&config).await?;
        let tls = TlsServer::new(&state.identities, None)?;
        let clock = Clock::start();
        let hub = provisioned_hub(&config, &clock)?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let edge = Edge {
            acceptor: TlsAcceptor::from(tls.server_config()),
            events: sender,
            handshake_timeout: config.handshake_timeout,
            write_timeout: config.write_timeout,
        };
        Ok(Self {
            listeners,
            ca_path: state.ca_path,
            host: config.host,
            devices: config.devices,
            hub,
            clock,
            edge,
            events,
        })
    }

    /// Where it listens for MQTT over TLS.
    pub fn mqtt_address(&self) -> SocketAddr {
        self.listeners.mqtt_address()
    }

    /// Where it listens for HTTPS, if it does.
    pub fn https_address(&self) -> Option<SocketAddr> {
        self.listeners.https_address()
    }

    /// The certificate of its authority, which clients must trust.
    pub fn ca_path(&self) -> &Path {
        &self.ca_path
    }

    /// The connection string of every device, in the order given. They hold keys: not for logs.
    pub fn connection_strings(&self) -> Vec<String> {
        self.devices.iter().map(|device| device.connection_string(&self.host)).collect()
    }

    /// Serves until `shutdown` is ready, then ends every connection and closes the open windows. Both callbacks
    /// run on the task that owns the hub, records before the alerts that they raise; they must not block.
    pub async fn run(
        self,
        shutdown: impl Future,
        on_record: impl FnMut(&HubRecord) + Send,
        on_alert: impl FnMut(&Alert) + Send,
    ) {
        let Self { listeners, hub, clock, edge, mut events, .. } = self;
        let mut core = Core::new(hub, clock, on_record, on_alert);
        let mut connections = JoinSet::new();
        let mut next = 1;
        let mut shutdown = pin!(shutdown);
        loop {
            let deadline = core.deadline();
            tokio::select! {
                _ = &mut shutdown => break,
                (accepted, place) = listeners.accept() => {
                    let connection = ConnectionId(next);
                    next += 1;
                    let serving = edge.clone().serve(accepted, connection);
                    connections.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Some(event) = events.recv() => core.apply(event),
                () = wait_until(deadline) => core.tick(),
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listeners);
        core.finish();
        drop(events);
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(GRACE, ended).await.is_err() {
            connections.shutdown().await;
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listeners", &self.listeners).field("host", &self.host).finish()
    }
}

/// Making an RSA key takes a second of computation, so it leaves the asynchronous threads.
async fn open_state(config: &ServerConfig) -> Result<State, ServerError> {
    let (dir, names) = (config.state_dir.clone(), config.certificate_names());
    let opened = tokio::task::spawn_blocking({
        let dir = dir.clone();
        move || State::open(&dir, &names)
    });
    opened.await.map_err(|e| ServerError::State { path: dir, source: io::Error::other(e) })?
}

fn provisioned_hub(config: &ServerConfig, clock: &Clock) -> Result<Hub, ServerError> {
    let hub_config = HubConfig {
        host: config.host.clone(),
        connect_timeout: config.first_packet_timeout,
        ..HubConfig::default()
    };
    let seed = OsRng.try_next_u64().map_err(|e| ServerError::Randomness(e.to_string()))?;
    let mut hub = Hub::new(hub_config, seed);
    let devices = config.devices.iter().map(|device| ServiceRequest::PutDevice {
        device: device.device.clone(),
        authentication: device.authentication.clone(),
        security_group: device.security_group.clone(),
    });
    let requests = devices.chain(config.provisioning.iter().cloned());
    for request in requests.chain([ServiceRequest::StartMonitoring]) {
        hub.service(request, clock.now())?;
    }
    Ok(hub)
}

async fn wait_until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
