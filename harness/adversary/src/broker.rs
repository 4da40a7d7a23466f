//! One rumqttd: a router with its own thread, a listener in a runtime of ours, and the operator's link, by
//! which orders go out and the proof comes in. Knows nothing of streams or of what the broker owes.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use rumqttd::local::{LinkBuilder, LinkRx, LinkTx};
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::{Packet, Publish};
use rumqttd::{ConnectionSettings, LinkType, Notification, Router, RouterConfig, Server, ServerSettings};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::AdversaryError;

/// Largest packet that the broker reads; IoT bots send far less.
pub(crate) const MAX_PACKET_BYTES: usize = 1 << 20;
/// Connections at one time, the operator's link included.
pub(crate) const MAX_CONNECTIONS: usize = 256;
/// Client id of our own link; no device may take it over.
pub(crate) const OPERATOR: &str = "hilarm operator";
/// How often a port that was taken between probing and listening is replaced.
const PORT_ATTEMPTS: u32 = 16;

/// A running broker. Dropping it ends the listener and every connection, and leaves a parked router thread.
pub(crate) struct Broker {
    address: SocketAddr,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The operator's link into the broker, subscribed to everything.
pub(crate) struct Operator {
    tx: LinkTx,
    rx: LinkRx,
}

impl Broker {
    /// Starts a broker on a free loopback port.
    pub(crate) fn start() -> Result<(Self, Operator), AdversaryError> {
        let mut reason = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let address = free_address().map_err(AdversaryError::Start)?;
            match Self::listen(address)? {
                Ok(started) => return Ok(started),
                Err(refusal) => reason = refusal,
            }
        }
        Err(AdversaryError::Listen { attempts: PORT_ATTEMPTS, reason })
    }

    /// The inner error is a refused port, which is worth another attempt.
    fn listen(address: SocketAddr) -> Result<Result<(Self, Operator), String>, AdversaryError> {
        let router = Router::new(0, router_config()).spawn();
        let link = |e: rumqttd::local::LinkError| AdversaryError::Link(e.to_string());
        let (mut tx, rx, _) = LinkBuilder::new(OPERATOR, router.clone()).build().map_err(link)?;
        // Queued ahead of every device's first packet, so nothing can be published unseen.
        tx.subscribe("#").map_err(link)?;
        let mut server = Server::new(server_settings(address), router, V4);

        let (started_tx, started_rx) = mpsc::channel();
        let (stop_tx, stop_rx) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("command-and-control".into())
            .spawn(move || {
                let runtime = match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(e) => return drop(started_tx.send(Err(AdversaryError::Start(e)))),
                };
                let handle = runtime.handle().clone();
                runtime.block_on(async move {
                    let mut serving = pin!(server.start(LinkType::Remote));
                    // The listener is bound within the first poll, or the future ends with the refusal.
                    match poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx))).await {
                        Poll::Pending => drop(started_tx.send(Ok(Ok(handle)))),
                        Poll::Ready(ended) => {
                            let refusal = ended.err().map_or("it ended at once".into(), |e| e.to_string());
                            return drop(started_tx.send(Ok(Err(refusal))));
                        }
                    }
                    tokio::select! {
                        _ = serving => {}
                        _ = stop_rx => {}
                    }
                });
            })
            .map_err(AdversaryError::Start)?;

        let died = |_| AdversaryError::Start(io::Error::other("its thread ended"));
        Ok(started_rx.recv().map_err(died)??.map(|runtime| {
            (Self { address, runtime, stop: Some(stop_tx), thread: Some(thread) }, Operator { tx, rx })
        }))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections rumqttd is serving now: one task each in a runtime that has no others.
    pub(crate) fn connections(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has already been printed; there is nobody to hand it to.
            let _ = thread.join();
        }
    }
}

impl Operator {
    /// Publishes an order: at once to the bots that are subscribed, retained for those that come later.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &[u8]) -> Result<(), AdversaryError> {
        let publish = Publish::new(topic.as_bytes().to_vec(), payload.to_vec(), true);
        self.tx.send(Packet::Publish(publish, None)).await.map_err(|_| AdversaryError::Stopped)?;
        Ok(())
    }

    /// The next message that the broker accepted, from bots and from ourselves. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<(Bytes, Bytes), AdversaryError> {
        loop {
            match self.rx.next().await.map_err(|_| AdversaryError::Stopped)? {
                Some(Notification::Forward(forward)) => {
                    return Ok((forward.publish.topic, forward.publish.payload));
                }
                // The router pauses a link that has not been read for 200 messages until it says so.
                Some(Notification::Unschedule) => self.rx.ready().map_err(|_| AdversaryError::Stopped)?,
                _ => {}
            }
        }
    }
}

/// A port that was free a moment ago. rumqttd opens its listener itself and tells no port it chose.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn router_config() -> RouterConfig {
    RouterConfig {
        max_connections: MAX_CONNECTIONS,
        max_outgoing_packet_count: 200,
        max_segment_size: 1 << 20,
        max_segment_count: 100,
        ..RouterConfig::default()
    }
}

fn server_settings(listen: SocketAddr) -> ServerSettings {
    ServerSettings {
        name: "command-and-control".into(),
        listen,
        tls: None,
        next_connection_delay_ms: 0,
        connections: ConnectionSettings {
            // The longest there is: a device under virtual time may take long by the wall clock.
            connection_timeout_ms: u16::MAX,
            max_payload_size: MAX_PACKET_BYTES,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: false,
        },
    }
}
