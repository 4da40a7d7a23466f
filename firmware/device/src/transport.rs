//! The agent's sockets: one task for each, which opens connections one after the other and moves bytes in
//! both directions at once. Closing never loses what the agent sent before it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{ConnectError, TcpReader, TcpSocket, TcpWriter};
use embassy_net::{IpAddress, IpEndpoint, Ipv4Address, Stack};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::{Duration, TimeoutError, with_timeout};
use embedded_io_async::{Read, Write};
use embedded_tls::{FlushPolicy, TlsConfig, TlsConnection, TlsContext, TlsError};
use hilarm_agent::{Input, Remote, Socket, Tls};
use rand_chacha::ChaCha20Rng;

use crate::agent::{STIMULI, Stimulus};
use crate::port::{Interruption, Opening, Port, Request};
use crate::tls::{Halves, Provider, Suite, record_buffers};
use crate::{debug, info};

/// Sockets the agent may use, numbered from 0.
pub const SOCKETS: usize = hilarm_agent::MAX_SOCKETS;

const READ_BYTES: usize = 2 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a closing connection may keep the socket from its next use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How much memory connections take.
#[derive(Clone, Copy, Debug)]
pub struct Buffers {
    /// TCP's window in each direction, for each socket, held forever.
    pub tcp_bytes: usize,
    /// The longest plaintext of a TLS record that goes out, up to 16384, while a connection lasts. One that
    /// comes in may always have the full length.
    pub outgoing_record_bytes: usize,
    /// What may wait for the network in each socket.
    pub queued_bytes_max: usize,
}

/// What every socket needs.
#[derive(Clone, Copy)]
pub(crate) struct Environment {
    pub(crate) stack: Stack<'static>,
    /// The certificate authority, DER.
    pub(crate) authority: &'static [u8],
    pub(crate) buffers: Buffers,
}

/// How a connection ended.
enum End {
    /// The agent asked for it, and everything before it was written.
    Agent,
    /// The agent asked for it while the peer took no more bytes.
    AgentAborted,
    /// The peer finished.
    Peer,
    /// Anything else.
    Failed(String),
}

#[embassy_executor::task(pool_size = SOCKETS)]
pub(crate) async fn serve(port: &'static Port, environment: Environment, mut rng: ChaCha20Rng) -> ! {
    let tcp_bytes = environment.buffers.tcp_bytes;
    let mut buffers = (vec![0; tcp_bytes], vec![0; tcp_bytes]);
    loop {
        let opening = port.next_opening().await;
        let mut socket = TcpSocket::new(environment.stack, &mut buffers.0, &mut buffers.1);
        socket.set_nagle_enabled(false);
        let session = Session { port, number: port.number(), generation: opening.generation, environment };
        debug!("socket {=u8}: connection {=u32} begins", session.number, session.generation);
        let end = session.run(&mut socket, &opening, &mut rng).await;
        let abort = matches!(end, End::AgentAborted);
        session.report_end(end).await;
        finish(&mut socket, abort).await;
    }
}

/// Lets the peer know, for a bounded time. After a failure too: a TLS alert may still be on its way.
async fn finish(socket: &mut TcpSocket<'_>, abort: bool) {
    if abort {
        socket.abort();
    } else {
        socket.close();
        let mut rest = [0; 64];
        let _ =
            with_timeout(CLOSE_TIMEOUT, async { while let Ok(1..) = socket.read(&mut rest).await {} }).await;
    }
    // Either way the socket goes away now; a time-out only means that the peer was not told.
    if with_timeout(CLOSE_TIMEOUT, socket.flush()).await.is_err() {
        socket.abort();
    }
}

/// One connection of one socket.
struct Session {
    port: &'static Port,
    number: u8,
    /// Tells this connection's events from those of the one before it on the same socket.
    generation: u32,
    environment: Environment,
}

impl Session {
    async fn run(&self, socket: &mut TcpSocket<'_>, opening: &Opening, rng: &mut ChaCha20Rng) -> End {
        match select(self.connect(socket, &opening.remote), self.port.close_requested()).await {
            Either::First(Ok(())) => {}
            Either::First(Err(reason)) => return End::Failed(reason),
            Either::Second(()) => return End::AgentAborted,
        }
        // No time-out from here on: the stack's would end idle connections too, and the agent knows better
        // than TCP how long a hub may stay silent.
        let local = match socket.local_endpoint().map(|local| (local.addr, local.port)) {
            Some((IpAddress::Ipv4(address), port)) => (address.octets(), port),
            None => return End::Failed("connection lost".to_string()),
        };
        match &opening.tls {
            Some(tls) => self.run_tls(socket, tls, local, rng).await,
            None => self.run_plain(socket, local).await,
        }
    }

    async fn connect(&self, socket: &mut TcpSocket<'_>, remote: &Remote) -> Result<(), String> {
        let endpoint = self.resolve(remote).await?;
        match with_timeout(CONNECT_TIMEOUT, socket.connect(endpoint)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(ConnectError::ConnectionReset)) => Err("refused".to_string()),
            Ok(Err(ConnectError::TimedOut)) | Err(TimeoutError) => Err("timed out".to_string()),
            Ok(Err(ConnectError::NoRoute)) => Err("no route".to_string()),
            Ok(Err(ConnectError::InvalidState)) => Err("socket busy".to_string()),
        }
    }

    async fn resolve(&self, remote: &Remote) -> Result<IpEndpoint, String> {
        let (name, port) = match remote {
            Remote::Address { address: [a, b, c, d], port } => {
                return Ok(IpEndpoint::new(Ipv4Address::new(*a, *b, *c, *d).into(), *port));
            }
            Remote::Host { name, port } => (name, *port),
        };
        let answer =
            with_timeout(CONNECT_TIMEOUT, self.environment.stack.dns_query(name, DnsQueryType::A)).await;
        let first = answer
            .map_err(|TimeoutError| "dns: timed out".to_string())?
            .map_err(|_| format!("dns: no answer for {name}"))?
            .first()
            .copied();
        first
            .map(|address| IpEndpoint::new(address, port))
            .ok_or_else(|| format!("dns: no address for {name}"))
    }

    async fn run_plain(&self, socket: &mut TcpSocket<'_>, local: ([u8; 4], u16)) -> End {
        self.report(Input::Opened { socket: Socket(self.number), local }).await;
        let (reader, writer) = socket.split();
        self.exchange(PlainReader(reader), PlainWriter(writer)).await
    }

    async fn run_tls(
        &self,
        socket: &mut TcpSocket<'_>,
        tls: &Tls,
        local: ([u8; 4], u16),
        rng: &mut ChaCha20Rng,
    ) -> End {
        let (reader, writer) = socket.split();
        let (reader, writer) = (Mutex::<NoopRawMutex, _>::new(reader), Mutex::<NoopRawMutex, _>::new(writer));
        let (mut incoming, mut outgoing) = record_buffers(self.environment.buffers.outgoing_record_bytes);
        let halves = Halves { reader: &reader, writer: &writer };
        let mut connection = TlsConnection::<_, Suite>::new(halves, &mut incoming, &mut outgoing);
        connection.set_flush_policy(FlushPolicy::Relaxed);
        let config = TlsConfig::new().with_server_name(&tls.server_name);
        let mut provider = Provider::new(rng, self.environment.authority, tls.client.as_ref());
        let handshake =
            with_timeout(HANDSHAKE_TIMEOUT, connection.open(TlsContext::new(&config, &mut provider)));
        match select(handshake, self.port.close_requested()).await {
            Either::First(Ok(Ok(()))) => {}
            Either::First(Ok(Err(error))) => return End::Failed(tls_reason(&error)),
            Either::First(Err(TimeoutError)) => return End::Failed("tls: timed out".to_string()),
            Either::Second(()) => return End::AgentAborted,
        }
        self.report(Input::Opened { socket: Socket(self.number), local }).await;
        let (reader, writer) = connection.split();
        let end = self.exchange(TlsReader(reader), TlsWriter(writer)).await;
        if matches!(end, End::Agent | End::Peer) {
            // The close_notify is a courtesy here: the TCP connection ends next in any case.
            let _ = with_timeout(CLOSE_TIMEOUT, connection.close()).await;
        }
        end
    }

    /// Moves bytes until either side ends it. Reader and writer hold their own halves, so that neither is
    /// ever cancelled in the middle of a record while the connection lives.
    async fn exchange(&self, reader: impl Incoming, writer: impl Outgoing) -> End {
        match select3(self.read(reader), self.write(writer), self.port.interrupted(CLOSE_TIMEOUT)).await {
            Either3::First(end) | Either3::Second(end) => end,
            Either3::Third(Interruption::CloseOverdue) => End::AgentAborted,
            Either3::Third(Interruption::Overflow) => {
                End::Failed("more queued than this device can hold".to_string())
            }
        }
    }

    async fn read(&self, mut reader: impl Incoming) -> End {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match reader.read(&mut buffer).await {
                Ok(0) => return End::Peer,
                Ok(taken) => {
                    let bytes = Vec::from(&buffer[..taken]);
                    self.report(Input::Received { socket: Socket(self.number), bytes }).await;
                }
                Err(reason) => return End::Failed(reason),
            }
        }
    }

    async fn write(&self, mut writer: impl Outgoing) -> End {
        loop {
            let written = match self.port.next().await {
                Request::Close => return End::Agent,
                Request::Send(bytes) => writer.write(&bytes, !self.port.has_more_to_send()).await,
                Request::SendRepeated { byte, count } => self.write_repeated(&mut writer, byte, count).await,
                // The agent opens a socket again only after its end.
                Request::Open(_) => Err("opened twice".to_string()),
            };
            if let Err(reason) = written {
                return End::Failed(reason);
            }
        }
    }

    async fn write_repeated(&self, writer: &mut impl Outgoing, byte: u8, count: u32) -> Result<(), String> {
        let chunk = [byte; 256];
        let mut left = count as usize;
        while left > 0 {
            let taken = left.min(chunk.len());
            left -= taken;
            writer.write(&chunk[..taken], left == 0 && !self.port.has_more_to_send()).await?;
        }
        Ok(())
    }

    async fn report(&self, input: Input) {
        STIMULI.send(Stimulus::Transport { generation: self.generation, input }).await;
    }

    async fn report_end(&self, end: End) {
        let reason = match end {
            End::Agent | End::AgentAborted => {
                debug!("socket {=u8}: closed by the agent", self.number);
                return;
            }
            End::Peer => "closed by peer".to_string(),
            End::Failed(reason) => reason,
        };
        info!("socket {=u8}: {=str}", self.number, reason.as_str());
        self.report(Input::Closed { socket: Socket(self.number), reason }).await;
    }
}

/// Bytes from the peer; 0 bytes are its orderly end.
trait Incoming {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String>;
}

/// Bytes to the peer; `last` says that nothing follows at once.
trait Outgoing {
    async fn write(&mut self, bytes: &[u8], last: bool) -> Result<(), String>;
}

struct PlainReader<'a>(TcpReader<'a>);
struct PlainWriter<'a>(TcpWriter<'a>);
struct TlsReader<'a, 'h: 'a>(embedded_tls::TlsReader<'a, Halves<'h>, Suite>);
struct TlsWriter<'a, 'h: 'a>(embedded_tls::TlsWriter<'a, Halves<'h>, Suite>);

impl Incoming for PlainReader<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        self.0.read(buffer).await.map_err(|_| "connection lost".to_string())
    }
}

impl Outgoing for PlainWriter<'_> {
    async fn write(&mut self, bytes: &[u8], _last: bool) -> Result<(), String> {
        self.0.write_all(bytes).await.map_err(|_| "connection lost".to_string())
    }
}

impl<'a, 'h: 'a> Incoming for TlsReader<'a, 'h> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        match self.0.read(buffer).await {
            Ok(taken) => Ok(taken),
            // With or without close_notify: the peer said that nothing follows.
            Err(TlsError::ConnectionClosed | TlsError::IoError) => Ok(0),
            Err(error) => Err(tls_reason(&error)),
        }
    }
}

impl<'a, 'h: 'a> Outgoing for TlsWriter<'a, 'h> {
    async fn write(&mut self, bytes: &[u8], last: bool) -> Result<(), String> {
        self.0.write_all(bytes).await.map_err(|error| tls_reason(&error))?;
        if last { self.0.flush().await.map_err(|error| tls_reason(&error)) } else { Ok(()) }
    }
}

fn tls_reason(error: &TlsError) -> String {
    match error {
        TlsError::Io(_) => "connection lost".to_string(),
        TlsError::IoError | TlsError::ConnectionClosed => "tls: closed by peer in the handshake".to_string(),
        TlsError::InvalidCertificate => "tls: the hub's certificate is not valid".to_string(),
        // This is how an alert after the handshake shows, a refused client certificate among others.
        TlsError::InternalError => "tls: alert from the peer".to_string(),
        TlsError::HandshakeAborted(_, alert) => format!("tls: alert {alert:?}"),
        other => format!("tls: {other:?}"),
    }
}
