//! Carries jobs to the broker one at a time over real sockets, each to the end of what it causes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rumqttd::protocol::Packet;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::broker::{Broker, MAX_CONNECTIONS, Operator};
use crate::frames::{BrokerFrames, DeviceFrames, Reply, Step};
use crate::ledger::Ledger;
use crate::{AdversaryError, AdversaryOutput, Received, canonical, guard};

/// Everything between the devices' streams and one broker.
pub(crate) struct Carrier {
    broker: Broker,
    operator: Option<Operator>,
    ledger: Ledger,
    jobs: VecDeque<Job>,
    devices: BTreeMap<u64, DeviceFrames>,
    sockets: BTreeMap<u64, Socket>,
    /// Of the job in hand.
    packets: BTreeMap<u64, Vec<Vec<u8>>>,
    bytes: BTreeMap<u64, Vec<u8>>,
    closed: BTreeSet<u64>,
    received: Vec<Received>,
}

/// One thing to bring to the broker.
pub(crate) enum Job {
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

impl Carrier {
    /// A carrier to a broker that nobody has used yet.
    pub(crate) fn new(broker: Broker, operator: Operator) -> Self {
        Self {
            broker,
            operator: Some(operator),
            ledger: Ledger::default(),
            jobs: VecDeque::new(),
            devices: BTreeMap::new(),
            sockets: BTreeMap::new(),
            packets: BTreeMap::new(),
            bytes: BTreeMap::new(),
            closed: BTreeSet::new(),
            received: Vec::new(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.broker.address()
    }

    pub(crate) fn stopped(&self) -> bool {
        self.operator.is_none()
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.jobs.is_empty()
    }

    pub(crate) fn received(&self) -> &[Received] {
        &self.received
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    pub(crate) fn open(&mut self, stream: u64) {
        self.devices.insert(stream, DeviceFrames::default());
        self.push(Job::Open(stream));
    }

    pub(crate) fn send(&mut self, stream: u64, bytes: &[u8]) {
        let Some(device) = self.devices.get_mut(&stream) else { return };
        self.jobs.extend(device.push(bytes).into_iter().map(|step| match step {
            Step::Packet(packet, bytes) => Job::Packet(stream, packet, bytes),
            Step::Violation(bytes) => Job::Violation(stream, bytes),
        }));
    }

    pub(crate) fn close(&mut self, stream: u64) {
        if let Some(mut device) = self.devices.remove(&stream) {
            self.push(Job::Close(stream, device.rest()));
        }
    }

    /// Brings every job to its end.
    pub(crate) async fn settle(&mut self) -> Result<(), AdversaryError> {
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
                break;
            }
            tokio::task::yield_now().await;
        }
        for (stream, packets) in std::mem::take(&mut self.packets) {
            self.bytes.entry(stream).or_default().extend(canonical::order(packets).concat());
        }
    }

    async fn begin(&mut self, job: Job) -> Result<(), AdversaryError> {
        match job {
            Job::Open(stream) => self.connect(stream).await,
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

    async fn connect(&mut self, stream: u64) -> Result<(), AdversaryError> {
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
                for packet in socket.frames.push(&bytes) {
                    if let Some(reply) = Reply::of(&packet) {
                        self.ledger.replied(stream, reply);
                    }
                    if !socket.closed_by_device {
                        self.packets.entry(stream).or_default().push(packet);
                    }
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

    /// What goes back to the devices since the last time.
    pub(crate) fn outputs(&mut self) -> Vec<AdversaryOutput> {
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

    /// What the broker still owes, for a person.
    pub(crate) fn owed(&self) -> String {
        match self.ledger.owed() {
            owed if owed.is_empty() => {
                format!("{} connections where {} are open", self.broker.connections(), self.sockets.len())
            }
            owed => owed,
        }
    }

    #[cfg(test)]
    pub(crate) fn owe_a_message_that_never_comes(&mut self, topic: &str) {
        self.ledger.ordered(topic, b"never sent");
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
