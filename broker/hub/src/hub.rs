//! The hub's face: transports hand in connections and bytes, the service side hands in requests, and out
//! come bytes, facts and results. It reads no clock and opens no socket; hostile input is never an error to
//! the caller, it is a fact and the refusal that IoT Hub gives.

use hilarm_model::{ConnectionId, HubRecord, Monotonic, Now, PeerFacts, Timestamp};

use crate::config::HubConfig;
use crate::core::Core;
use crate::core::auth::Authentication;
use crate::https::Https;
use crate::mqtt::Mqtt;
use crate::service::{Caller, HubError, MethodResult, MethodTicket, ServiceReply, ServiceRequest};

/// Which of the hub's listeners a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// MQTT 3.1.1 over TLS.
    Mqtt,
    /// HTTP/1.1 over TLS.
    Https,
}

/// What reaches the hub from a transport.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection is up, TLS included.
    Opened {
        /// Its number, never used twice.
        connection: ConnectionId,
        /// Where it came to.
        listener: Listener,
        /// What the transport learned about the peer.
        facts: PeerFacts,
    },
    /// Plaintext bytes arrived, cut anywhere.
    Received {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The transport ended.
    Closed {
        /// The connection.
        connection: ConnectionId,
    },
}

/// What the hub asks of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Close after everything sent before has left. The hub has forgotten the connection already.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
}

/// IoT Hub.
#[derive(Debug)]
pub struct Hub {
    core: Core,
    mqtt: Mqtt,
    https: Https,
}

impl Hub {
    /// An empty hub. Equal seeds and equal inputs give equal outputs.
    pub fn new(config: HubConfig, seed: u64) -> Self {
        Self::with_authentication(config, seed, Authentication::default())
    }

    /// The same with another way to judge credentials than IoT Hub's.
    pub fn with_authentication(config: HubConfig, seed: u64, authentication: Authentication) -> Self {
        let mut core = Core::new(config, seed);
        core.authentication = authentication;
        Self { core, mqtt: Mqtt::new(), https: Https::new() }
    }

    /// Takes what a transport has.
    pub fn handle_input(&mut self, input: Input<'_>, now: Now) {
        match input {
            Input::Opened { connection, listener, facts } => match listener {
                Listener::Mqtt => self.mqtt.opened(&self.core, connection, facts, now),
                Listener::Https => self.https.opened(&self.core, connection, facts, now),
            },
            Input::Received { connection, bytes } if self.https.holds(connection) => {
                self.https.received(&mut self.core, connection, bytes, now);
            }
            Input::Received { connection, bytes } => {
                self.mqtt.received(&mut self.core, connection, bytes, now);
            }
            Input::Closed { connection } if self.https.holds(connection) => {
                self.https.closed(&mut self.core, connection, now);
            }
            Input::Closed { connection } => self.mqtt.closed(&mut self.core, connection, now),
        }
        self.carry_notices(now);
    }

    /// Lets everything fall due that is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.core.handle_timeout(now);
        self.carry_notices(now);
        self.mqtt.handle_timeout(&mut self.core, now);
        self.https.handle_timeout(&mut self.core, now);
        self.carry_notices(now);
    }

    /// The next thing for a transport to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.mqtt.poll_output().or_else(|| self.https.poll_output())
    }

    /// The next fact, in the order in which they became true.
    pub fn poll_record(&mut self) -> Option<HubRecord> {
        self.core.poll_record()
    }

    /// When [`Self::handle_timeout`] should be called at the latest. Never too late; it may be too early,
    /// which does no harm. Calendar deadlines are converted on the assumption that the calendar does not jump.
    pub fn poll_timeout(&self, now: Now) -> Option<Monotonic> {
        let deadlines =
            [self.core.poll_timeout(now), self.mqtt.poll_timeout(now), self.https.poll_timeout(now)];
        deadlines.into_iter().flatten().min()
    }

    /// Carries out a request of the caller that may do everything, named `owner`.
    pub fn service(&mut self, request: ServiceRequest, now: Now) -> Result<ServiceReply, HubError> {
        self.service_as(&Caller::owner(), request, now)
    }

    /// Carries out a request of the service side or the management plane, if the caller has the right to it.
    pub fn service_as(
        &mut self,
        caller: &Caller,
        request: ServiceRequest,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let reply = self.core.service_as(caller, request, now);
        self.carry_notices(now);
        reply
    }

    /// The next result of a direct method.
    pub fn poll_service(&mut self) -> Option<(MethodTicket, MethodResult)> {
        self.core.poll_result()
    }

    /// The calendar jumped from `from` to `now`; monotonic time did not. What fell due on the way falls due.
    pub fn calendar_advanced(&mut self, from: Timestamp, now: Now) {
        self.core.calendar_advanced(from, now);
        self.handle_timeout(now);
    }

    fn carry_notices(&mut self, now: Now) {
        while let Some(notice) = self.core.poll_notice() {
            self.mqtt.handle_notice(&mut self.core, notice, now);
        }
    }
}
