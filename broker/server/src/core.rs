//! The hub and the defender in the hands of one task: events in, bytes, records and alerts out. No socket here.

use std::collections::BTreeMap;
use std::time::Instant;

use hilarm_defender::{Alert, Defender};
use hilarm_hub::{Hub, Input, Output};
use hilarm_model::{ConnectionId, HubRecord, Now};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::connection::Event;

/// Owner of the hub's core.
pub(crate) struct Core<R, A> {
    hub: Hub,
    clock: Clock,
    outgoing: BTreeMap<ConnectionId, mpsc::Sender<Vec<u8>>>,
    judge: Judge<R, A>,
}

/// The defender with both callbacks.
struct Judge<R, A> {
    defender: Defender,
    reported: usize,
    on_record: R,
    on_alert: A,
}

impl<R: FnMut(&HubRecord), A: FnMut(&Alert)> Core<R, A> {
    /// Takes over a provisioned hub; what it recorded so far goes out at once.
    pub(crate) fn new(hub: Hub, clock: Clock, on_record: R, on_alert: A) -> Self {
        let judge = Judge { defender: Defender::new(), reported: 0, on_record, on_alert };
        let mut core = Self { hub, clock, outgoing: BTreeMap::new(), judge };
        core.drain(core.clock.now());
        core
    }

    /// A connection has something to say.
    pub(crate) fn apply(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Opened { connection, listener, facts, outgoing } => {
                self.outgoing.insert(connection, outgoing);
                self.hub.handle_input(Input::Opened { connection, listener, facts }, now);
            }
            // Bytes may still be under way from a connection that the hub has closed.
            Event::Received { connection, bytes } if self.outgoing.contains_key(&connection) => {
                self.hub.handle_input(Input::Received { connection, bytes: &bytes }, now);
            }
            Event::Received { .. } => {}
            Event::Closed { connection } => {
                if self.outgoing.remove(&connection).is_some() {
                    self.hub.handle_input(Input::Closed { connection }, now);
                }
            }
        }
        self.drain(now);
    }

    /// The time that [`Self::deadline`] named has come.
    pub(crate) fn tick(&mut self) {
        let now = self.clock.now();
        if self.hub.poll_timeout(now).is_some_and(|due| due <= now.mono) {
            self.hub.handle_timeout(now);
        }
        self.judge.defender.advance_to(now.unix);
        self.drain(now);
    }

    /// When the hub or the defender next wants to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let now = self.clock.now();
        let hub = self.hub.poll_timeout(now);
        let window = self.judge.defender.poll_timeout().map(|close| now.mono + close.since(now.unix));
        [hub, window].into_iter().flatten().min().and_then(|due| self.clock.instant(due))
    }

    /// The server ends: every connection with it, and open windows are judged as they stand.
    pub(crate) fn finish(&mut self) {
        let now = self.clock.now();
        for connection in std::mem::take(&mut self.outgoing).into_keys() {
            self.hub.handle_input(Input::Closed { connection }, now);
        }
        self.drain(now);
        self.judge.defender.finish(now.unix);
        self.judge.report();
    }

    fn drain(&mut self, now: Now) {
        loop {
            while let Some(record) = self.hub.poll_record() {
                self.judge.record(&record);
            }
            // Nobody on the service side of this server waits for the result of a method.
            while self.hub.poll_service().is_some() {}
            let Some(output) = self.hub.poll_output() else { break };
            match output {
                Output::Send { connection, bytes } => self.send(connection, bytes, now),
                // The connection's task writes what waits, then says goodbye.
                Output::Close { connection } => drop(self.outgoing.remove(&connection)),
            }
        }
        self.judge.report();
    }

    /// A full channel is a peer that has stopped reading; it must not hold up the others.
    fn send(&mut self, connection: ConnectionId, bytes: Vec<u8>, now: Now) {
        let Some(outgoing) = self.outgoing.get(&connection) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = outgoing.try_send(bytes) {
            self.outgoing.remove(&connection);
            self.hub.handle_input(Input::Closed { connection }, now);
        }
    }
}

impl<R: FnMut(&HubRecord), A: FnMut(&Alert)> Judge<R, A> {
    fn record(&mut self, record: &HubRecord) {
        (self.on_record)(record);
        self.defender.handle(record);
    }

    fn report(&mut self) {
        for alert in &self.defender.alerts()[self.reported..] {
            (self.on_alert)(alert);
        }
        self.reported = self.defender.alerts().len();
    }
}
