//! One connection: TCP, TLS, and bytes between the peer and the hub's task. It understands neither MQTT
//! nor HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hilarm_hub::Listener;
use hilarm_model::{ConnectionId, PeerFacts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Messages that may wait for a peer to read; a peer with more is cut off.
const OUTGOING_MAX: usize = 256;
/// How long the end of a stream may take to reach the peer.
const LINGER: Duration = Duration::from_secs(2);

/// What a connection tells the hub's task.
#[derive(Debug)]
pub(crate) enum Event {
    /// The handshake is over.
    Opened { connection: ConnectionId, listener: Listener, facts: PeerFacts, outgoing: mpsc::Sender<Vec<u8>> },
    /// Plaintext arrived.
    Received { connection: ConnectionId, bytes: Vec<u8> },
    /// The transport ended.
    Closed { connection: ConnectionId },
}

/// A socket that came to one of the listeners.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) listener: Listener,
    pub(crate) tcp: TcpStream,
    pub(crate) address: SocketAddr,
}

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) handshake_timeout: Duration,
    pub(crate) write_timeout: Duration,
}

impl Edge {
    /// Serves one accepted socket to its end. A peer that fails at TLS never reaches the hub.
    pub(crate) async fn serve(self, accepted: Accepted, connection: ConnectionId) {
        let Accepted { listener, tcp, address } = accepted;
        // Without it a PUBACK waits for the acknowledgement of the one before.
        if tcp.set_nodelay(true).is_err() {
            return;
        }
        let Ok(Ok(mut tls)) = timeout(self.handshake_timeout, self.acceptor.accept(tcp)).await else {
            return;
        };
        let Some(facts) = hilarm_tls::peer_facts(tls.get_ref().1, address) else { return };
        let (outgoing, mut waiting) = mpsc::channel(OUTGOING_MAX);
        if self.events.send(Event::Opened { connection, listener, facts, outgoing }).await.is_err() {
            return;
        }
        match self.carry(&mut tls, connection, &mut waiting).await {
            Ended::ByHub => close(&mut tls).await,
            // The hub's task may be gone at the end of the server.
            Ended::ByPeer => drop(self.events.send(Event::Closed { connection }).await),
        }
    }

    async fn carry(
        &self,
        tls: &mut TlsStream<TcpStream>,
        connection: ConnectionId,
        waiting: &mut mpsc::Receiver<Vec<u8>>,
    ) -> Ended {
        let mut space = vec![0; 16 * 1024];
        loop {
            tokio::select! {
                read = tls.read(&mut space) => match read {
                    Ok(0) | Err(_) => return Ended::ByPeer,
                    Ok(count) => {
                        let bytes = space[..count].to_vec();
                        if self.events.send(Event::Received { connection, bytes }).await.is_err() {
                            return Ended::ByHub;
                        }
                    }
                },
                message = waiting.recv() => match message {
                    None => return Ended::ByHub,
                    Some(bytes) => match timeout(self.write_timeout, send(tls, &bytes)).await {
                        Ok(Ok(())) => {}
                        _ => return Ended::ByPeer,
                    },
                },
            }
        }
    }
}

enum Ended {
    ByHub,
    ByPeer,
}

/// A record that is written and not flushed may stay in the TLS layer's buffer.
async fn send(tls: &mut TlsStream<TcpStream>, bytes: &[u8]) -> io::Result<()> {
    tls.write_all(bytes).await?;
    tls.flush().await
}

/// Says goodbye, then reads what the peer still sends: closing a socket with unread bytes would reset it and
/// take the last answer, such as CONNACK 5, away from the peer.
async fn close(tls: &mut TlsStream<TcpStream>) {
    let goodbye = async {
        tls.shutdown().await?;
        let mut space = [0; 4096];
        while tls.read(&mut space).await? > 0 {}
        io::Result::Ok(())
    };
    // The peer may be gone already, or never go.
    let _ = timeout(LINGER, goodbye).await;
}
