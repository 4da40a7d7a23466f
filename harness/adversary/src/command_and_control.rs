//! The endpoint behind a suspicious address: device streams in, broker's answers out, and the proof.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::AdversaryError;
use crate::broker::Broker;
use crate::carrier::{Carrier, Job};

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
    carrier: Carrier,
}

impl CommandAndControl {
    /// Starts a broker of its own on a free loopback port.
    pub fn start() -> Result<Self, AdversaryError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(AdversaryError::Start)?;
        let (broker, operator) = Broker::start()?;
        Ok(Self { runtime, carrier: Carrier::new(broker, operator) })
    }

    /// Where the broker really listens, on the loopback interface.
    pub fn address(&self) -> SocketAddr {
        self.carrier.address()
    }

    /// Publishes an order, retained, so that it reaches subscribed bots at once and others when they subscribe.
    /// An empty payload withdraws the order retained on the topic. Takes effect in the next [`Self::settle`].
    pub fn order(&mut self, topic: &str, payload: &[u8]) -> Result<(), AdversaryError> {
        let ascii = topic.chars().next().is_some_and(|c| c.is_ascii() && c != '$');
        if !ascii || topic.contains(['+', '#', '\0']) || topic.len() > usize::from(u16::MAX) {
            return Err(AdversaryError::InvalidTopic { topic: topic.to_owned() });
        }
        if self.carrier.stopped() {
            return Err(AdversaryError::Stopped);
        }
        self.carrier.push(Job::Order(topic.to_owned(), payload.to_vec()));
        Ok(())
    }

    /// A device opened a TCP connection. A number may be used again after the stream's end.
    pub fn open(&mut self, stream: u64) {
        self.carrier.open(stream);
    }

    /// Bytes from a device. On a stream that is not open they are dropped, as TCP would.
    pub fn send(&mut self, stream: u64, bytes: &[u8]) {
        self.carrier.send(stream, bytes);
    }

    /// A device closed its TCP connection.
    pub fn close(&mut self, stream: u64) {
        self.carrier.close(stream);
    }

    /// Whether there is work that [`Self::settle`] has not carried to the broker yet.
    pub fn has_work(&self) -> bool {
        self.carrier.has_work()
    }

    /// Carries everything to the broker, packet by packet, and blocks until it owes nothing. Streams come in
    /// order of their number, the bytes of each before its end. `limit` is wall-clock time; when it passes, the
    /// broker's state is unknown and the run is over.
    pub fn settle(&mut self, limit: Duration) -> Result<Vec<AdversaryOutput>, AdversaryError> {
        let carrier = &mut self.carrier;
        match self.runtime.block_on(async { tokio::time::timeout(limit, carrier.settle()).await }) {
            Ok(done) => done?,
            Err(_) => return Err(AdversaryError::TimedOut { waited_for: self.carrier.owed() }),
        }
        Ok(self.carrier.outputs())
    }

    /// What the broker received from bots so far, in order: the proof.
    pub fn received(&self) -> &[Received] {
        self.carrier.received()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_is_bounded_and_names_what_is_owed() {
        let mut broker = CommandAndControl::start().unwrap();
        broker.carrier.owe_a_message_that_never_comes("orders/all");
        match broker.settle(Duration::from_millis(1)) {
            Err(AdversaryError::TimedOut { waited_for }) => {
                assert_eq!(waited_for, "the message on \"orders/all\"");
            }
            other => panic!("{other:?}"),
        }
    }
}
