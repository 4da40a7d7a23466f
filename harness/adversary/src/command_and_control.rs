//! The endpoint behind a suspicious address: device streams in, broker's answers out, and the proof.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rumqttd::protocol::Packet;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::AdversaryError;
use crate::broker::{Broker, MAX_CONNECTIONS, Operator};
use crate::frames::{BrokerFrames, DeviceFrames, Step};
use crate::guard;
use crate::ledger::Ledger;

/// A message that the broker received from a bot, as its own link showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Client id of the bot's CONNECT; `#` and the stream's number when it was empty.
    pub client_id: String,
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
}

/// What goes back to an infected device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdversaryOutput {
    /// Bytes for the device; all of one settling in one piece.
    Bytes {
        /// The device's stream.
        stream: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The broker closed the stream. Not reported for a stream that the device closed itself.
    Closed {
        /// The device's stream.
        stream: u64,
    },
}

/// A command-and-control broker of one run. Blocking; to be used outside asynchronous code.
pub struct CommandAndControl {
    runtime: Runtime,
    work: Work,
}

struct Work {
    broker: Broker,
    operator: Option<Operator>,
    ledger: Ledger,
    jobs: VecDeque<Job>,
    devices: BTreeMap<u64, DeviceFrames>,
    sockets: BTreeMap<u64, Socket>,
    bytes: BTreeMap<u64, Vec<u8>>,
    closed: BTreeSet<u64>,
    received: Vec<Received>,
}

enum Job {
    Open(u64),
    Packet(u64, Box<Packet>, Vec<u8>),
    Violation(u64, Vec<u8>),
    Close(u64, Vec<u8>),
    Order(String, Vec<u8>),
}

struct Socket {
    tcp: TcpStream,
    frames: BrokerFrames,
    closed_by_device: bool,
}

enum Progress {
    Bytes(u64, Vec<u8>),
    Ended(u64),
}

impl CommandAndControl {
    /// Starts a broker of its own on a free loopback port.
    pub fn start() -> Result<Self, AdversaryError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(AdversaryError::Start)?;
        let (broker, operator) = Broker::start()?;
        let work = Work {
            broker,
            operator: Some(operator),
            ledger: Ledger::default(),
            jobs: VecDeque::new(),
            devices: BTreeMap::new(),
            sockets: BTreeMap::new(),
            bytes: BTreeMap::new(),
            closed: BTreeSet::new(),
            received: Vec::new(),
        };
        Ok(Self { runtime, work })
    }

    /// Where the broker really listens, on the loopback interface.
    pub fn address(&self) -> SocketAddr {
        self.work.broker.address()
    }

    /// Publishes an order, retained, so that it reaches subscribed bots at once and others when they subscribe.
    /// An empty payload withdraws the order retained on the topic. Takes effect in the next [`Self::settle`].
    pub fn order(&mut self, topic: &str, payload: &[u8]) -> Result<(), AdversaryError> {
        let ascii = topic.chars().next().is_some_and(|c| c.is_ascii() && c != '$');
        if !ascii || topic.contains(['+', '#', '\0']) || topic.len() > usize::from(u16::MAX) {
            return Err(AdversaryError::InvalidTopic { topic: topic.to_owned() });
        }
        if self.work.operator.is_none() {
            return Err(AdversaryError::Stopped);
        }
        self.work.jobs.push_back(Job::Order(topic.to_owned(), payload.to_vec()));
        Ok(())
    }

    /// A device opened a TCP connection. A number may be used again after the stream's end.
    pub fn open(&mut self, stream: u64) {
        self.work.devices.insert(stream, DeviceFrames::default());
        self.work.jobs.push_back(Job::Open(stream));
    }

    /// Bytes from a device. On a stream that is not open they are dropped, as TCP would.
    pub fn send(&mut self, stream: u64, bytes: &[u8]) {
        let Some(device) = self.work.devices.get_mut(&stream) else { return };
        self.work.jobs.extend(device.push(bytes).into_iter().map(|step| match step {
            Step::Packet(packet, bytes) => Job::Packet(stream, packet, bytes),
            Step::Violation(bytes) => Job::Violation(stream, bytes),
        }));
    }

    /// A device closed its TCP connection.
    pub fn close(&mut self, stream: u64) {
        if let Some(mut device) = self.work.devices.remove(&stream) {
            self.work.jobs.push_back(Job::Close(stream, device.rest()));
        }
    }

    /// Whether there is work that [`Self::settle`] has not carried to the broker yet.
    pub fn has_work(&self) -> bool {
        !self.work.jobs.is_empty()
    }

    /// Carries everything to the broker, packet by packet, and blocks until it owes nothing. Streams come in
    /// order of their number, the bytes of each before its end. `limit` is wall-clock time; when it passes, the
    /// broker's state is unknown and the run is over.
    pub fn settle(&mut self, limit: Duration) -> Result<Vec<AdversaryOutput>, AdversaryError> {
        let work = &mut self.work;
        match self.runtime.block_on(async { tokio::time::timeout(limit, work.settle()).await }) {
            Ok(done) => done?,
            Err(_) => return Err(AdversaryError::TimedOut { waited_for: self.work.waited_for() }),
        }
        Ok(self.work.outputs())
    }

    /// What the broker received from bots so far, in order: the proof.
    pub fn received(&self) -> &[Received] {
        &self.work.received
    }
}

impl Work {
    async fn settle(&mut self) -> Result<(), AdversaryError> {
        while let Some(job) = self.jobs.pop_front() {
            self.begin(job).await?;
            self.until_nothing_is_owed().await;
        }
        self.until_nothing_is_owed().await;
        Ok(())
    }

    /// rumqttd's task for a connection outlives the socket by a moment, in which a will may still be published,
    /// so its tasks are counted too; opening is over when the connection has its task.
    async fn until_nothing_is_owed(&mut self) {
        loop {
            while !self.ledger.settled() {
                self.wait().await;
            }
            self.collect_the_unexpected().await;
            if self.ledger.settled() && self.broker.connections() == self.sockets.len() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn begin(&mut self, job: Job) -> Result<(), AdversaryError> {
        match job {
            Job::Open(stream) => self.open(stream).await,
            Job::Packet(stream, packet, bytes) => {
                if self.ledger.is_open(stream) {
                    if guard::lethal(&packet).is_some() {
                        self.hang_up(stream, &[]).await;
                        self.closed.insert(stream);
                    } else {
                        self.ledger.sent(stream, bytes[0], *packet);
                        self.write(stream, &bytes).await;
                    }
                }
                Ok(())
            }
            Job::Violation(stream, bytes) => {
                if self.ledger.is_open(stream) {
                    self.ledger.cut_off(stream);
                    self.write(stream, &bytes).await;
                }
                Ok(())
            }
            Job::Close(stream, rest) => {
                if self.ledger.is_open(stream) {
                    self.hang_up(stream, &rest).await;
                }
                Ok(())
            }
            Job::Order(topic, payload) => self.order(&topic, &payload).await,
        }
    }

    async fn open(&mut self, stream: u64) -> Result<(), AdversaryError> {
        self.closed.remove(&stream);
        // One place is the operator's. Beyond the rest rumqttd would close too, and break for later ones.
        if self.sockets.len() + 1 >= MAX_CONNECTIONS {
            self.closed.insert(stream);
            return Ok(());
        }
        let tcp = TcpStream::connect(self.broker.address()).await.map_err(AdversaryError::Unreachable)?;
        tcp.set_nodelay(true).map_err(AdversaryError::Unreachable)?;
        let socket = Socket { tcp, frames: BrokerFrames::default(), closed_by_device: false };
        self.sockets.insert(stream, socket);
        self.ledger.opened(stream);
        Ok(())
    }

    async fn order(&mut self, topic: &str, payload: &[u8]) -> Result<(), AdversaryError> {
        let operator = self.operator.as_mut().ok_or(AdversaryError::Stopped)?;
        self.ledger.ordered(topic, payload);
        operator.publish(topic, payload).await
    }

    /// A failed write means that the broker closed; reading finds out.
    async fn write(&mut self, stream: u64, bytes: &[u8]) {
        if let Some(socket) = self.sockets.get_mut(&stream)
            && socket.tcp.write_all(bytes).await.is_err()
        {
            self.ledger.cut_off(stream);
        }
    }

    /// Ends the device's half of the stream; the broker closes the other.
    async fn hang_up(&mut self, stream: u64, rest: &[u8]) {
        self.ledger.cut_off(stream);
        self.write(stream, rest).await;
        if let Some(socket) = self.sockets.get_mut(&stream) {
            socket.closed_by_device = true;
            // An error means that the broker was faster.
            let _ = socket.tcp.shutdown().await;
        }
    }

    /// Waits for whatever comes next from the broker.
    async fn wait(&mut self) {
        let Self { operator, sockets, .. } = self;
        let progress = async { poll_fn(|cx| poll_sockets(sockets, cx)).await };
        match operator {
            Some(link) => tokio::select! {
                progress = progress => self.progress(progress),
                copy = link.next() => match copy {
                    Ok((topic, payload)) => self.copied(&topic, &payload),
                    Err(_) => {
                        self.operator = None;
                        self.ledger.stopped();
                    }
                },
            },
            None => {
                let progress = progress.await;
                self.progress(progress);
            }
        }
    }

    /// Takes what came without being owed, such as the end of a connection whose keep-alive ran out.
    async fn collect_the_unexpected(&mut self) {
        loop {
            let sockets = &mut self.sockets;
            match poll_fn(|cx| Poll::Ready(poll_sockets(sockets, cx))).await {
                Poll::Ready(progress) => self.progress(progress),
                Poll::Pending => return,
            }
        }
    }

    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Bytes(stream, bytes) => {
                let Some(socket) = self.sockets.get_mut(&stream) else { return };
                for reply in socket.frames.push(&bytes) {
                    self.ledger.replied(stream, reply);
                }
                if !socket.closed_by_device {
                    self.bytes.entry(stream).or_default().extend(bytes);
                }
            }
            Progress::Ended(stream) => {
                if self.sockets.remove(&stream).is_some_and(|socket| !socket.closed_by_device) {
                    self.closed.insert(stream);
                }
                self.ledger.ended(stream);
            }
        }
    }

    fn copied(&mut self, topic: &[u8], payload: &[u8]) {
        if let Some(client_id) = self.ledger.copied(topic, payload) {
            let topic = String::from_utf8_lossy(topic).into_owned();
            self.received.push(Received { client_id, topic, payload: payload.to_vec() });
        }
    }

    fn outputs(&mut self) -> Vec<AdversaryOutput> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let closed = std::mem::take(&mut self.closed);
        let streams: BTreeSet<u64> = bytes.keys().copied().chain(closed.iter().copied()).collect();
        let mut outputs = Vec::new();
        for stream in streams {
            if let Some(bytes) = bytes.remove(&stream) {
                outputs.push(AdversaryOutput::Bytes { stream, bytes });
            }
            if closed.contains(&stream) {
                self.devices.remove(&stream);
                outputs.push(AdversaryOutput::Closed { stream });
            }
        }
        outputs
    }

    fn waited_for(&self) -> String {
        match self.ledger.owed() {
            owed if owed.is_empty() => {
                format!("{} connections where {} are open", self.broker.connections(), self.sockets.len())
            }
            owed => owed,
        }
    }
}

fn poll_sockets(sockets: &mut BTreeMap<u64, Socket>, cx: &mut Context<'_>) -> Poll<Progress> {
    let mut space = [0; 4096];
    for (stream, socket) in sockets {
        let mut buffer = ReadBuf::new(&mut space);
        match Pin::new(&mut socket.tcp).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                return Poll::Ready(Progress::Bytes(*stream, buffer.filled().to_vec()));
            }
            Poll::Ready(_) => return Poll::Ready(Progress::Ended(*stream)),
            Poll::Pending => {}
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_is_bounded_and_names_what_is_owed() {
        let mut broker = CommandAndControl::start().unwrap();
        broker.work.ledger.ordered("orders/all", b"never sent");
        match broker.settle(Duration::from_millis(1)) {
            Err(AdversaryError::TimedOut { waited_for }) => {
                assert_eq!(waited_for, "the message on \"orders/all\"");
            }
            other => panic!("{other:?}"),
        }
    }
}
