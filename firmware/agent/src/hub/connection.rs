//! Connecting to the hub and staying connected: tries, pauses, time-outs, and the renewal of what was
//! presented. An honest device looks at the calendar before it acts, and reconnects in order when its token
//! is about to expire or its certificate has.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hilarm_link::{CommandError, DeviceEvent, LogLevel};

use super::topics;
use crate::backoff::Backoff;
use crate::device::Device;
use crate::io::{Now, Socket, Tls};
use crate::mqtt::{self, Client, Connect, Publication, Qos};
use crate::security_message::SecurityMessage;
use crate::telemetry::{self, BurstId, Fate, Room};

/// From the first SYN to CONNACK.
const HANDSHAKE_TIMEOUT_US: u64 = 30_000_000;
/// How long a renewal waits for what is in flight, so that it need not be sent twice.
const DRAIN_US: u64 = 2_000_000;
/// A hub that refuses within the instant must not stop time.
const PAUSE_US_MIN: u64 = 1000;
/// The mark of publications that nobody waits for; bursts count from 1.
const UNTRACKED: u32 = 0;
/// The mark of security messages, which the agent's statistics count.
const SECURITY_MESSAGE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Told to stay away, or the bounded tries are used up.
    Offline,
    /// The next try is at `until_us`.
    Waiting { until_us: u64 },
    /// The platform opens the socket.
    Opening { deadline_us: u64 },
    /// CONNECT is out.
    Handshake { deadline_us: u64 },
    /// Connected; a renewal may be waiting for what is in flight until `drain_until_us`.
    Up { drain_until_us: Option<u64> },
}

/// How to go on after a failed try.
#[derive(Clone, Copy, Default)]
struct Plan {
    attempts_left: Option<u16>,
    gap_us: Option<u64>,
}

/// The connection to the hub.
pub(crate) struct HubConnection {
    pub(super) mqtt: Client,
    phase: Phase,
    plan: Plan,
    backoff: Backoff,
    subscribing: bool,
    next_request: u32,
    dropped: u32,
}

impl HubConnection {
    /// Not connected, and not trying.
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            mqtt: Client::new(),
            phase: Phase::Offline,
            plan: Plan::default(),
            backoff: Backoff::new(device.random("hub-backoff")),
            subscribing: false,
            next_request: 0,
            dropped: 0,
        }
    }

    /// Whether the hub has let the device in.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }

    /// Begins to connect.
    pub(crate) fn connect(
        &mut self,
        device: &mut Device,
        attempts: Option<u16>,
        gap_ms: Option<u32>,
        now: Now,
    ) -> Result<(), CommandError> {
        let not_now = |reason: &str| Err(CommandError::NotNow { reason: reason.to_string() });
        match self.phase {
            Phase::Up { .. } => return not_now("already connected"),
            Phase::Opening { .. } | Phase::Handshake { .. } => return not_now("already connecting"),
            Phase::Offline | Phase::Waiting { .. } => {}
        }
        if attempts == Some(0) {
            let (name, expected) = ("attempts".to_string(), "at least 1".to_string());
            return Err(CommandError::Argument { name, expected });
        }
        self.plan = Plan { attempts_left: attempts, gap_us: gap_ms.map(|gap_ms| u64::from(gap_ms) * 1000) };
        self.backoff.reset();
        self.open(device, now);
        Ok(())
    }

    /// Takes leave in order, and stays away.
    pub(crate) fn disconnect(&mut self, device: &mut Device, now: Now) {
        self.leave(device, now);
        self.phase = Phase::Offline;
    }

    /// The socket is up.
    pub(crate) fn opened(&mut self, device: &mut Device, now: Now) {
        let Phase::Opening { deadline_us } = self.phase else { return };
        let connect = Connect {
            client_id: device.id.clone(),
            user_name: Some(topics::user_name(&device.hub_host, &device.id)),
            password: device.identity.password(now),
            keep_alive_s: device.keep_alive_s,
            clean_session: false,
        };
        self.mqtt.start(&connect, now.mono_us);
        self.phase = Phase::Handshake { deadline_us };
    }

    /// Bytes arrived on the hub's socket.
    pub(crate) fn received(&mut self, device: &mut Device, bytes: &[u8], now: Now) {
        if matches!(self.phase, Phase::Handshake { .. } | Phase::Up { .. }) {
            self.mqtt.acknowledge(!device.withholds_acknowledgements);
            self.mqtt.receive(bytes, now.mono_us);
            self.take_events(device, now);
        }
    }

    /// The platform reported the end of the hub's socket.
    pub(crate) fn closed(&mut self, device: &mut Device, reason: String, now: Now) {
        self.mqtt.transport_lost();
        self.ended(device, reason, now);
    }

    /// Tries again, gives up a try, pings: whatever is due.
    pub(crate) fn handle_timeout(&mut self, device: &mut Device, now: Now) {
        match self.phase {
            Phase::Waiting { until_us } if until_us <= now.mono_us => self.open(device, now),
            Phase::Opening { deadline_us } | Phase::Handshake { deadline_us }
                if deadline_us <= now.mono_us =>
            {
                self.mqtt.transport_lost();
                device.close(Socket::HUB);
                self.ended(device, "timed out".to_string(), now);
            }
            Phase::Up { .. } => {
                self.mqtt.handle_timeout(now.mono_us);
                self.take_events(device, now);
            }
            _ => {}
        }
    }

    /// Reconnects with a fresh credential if the calendar says so. To be called before any action.
    pub(crate) fn renew_if_due(&mut self, device: &mut Device, now: Now) {
        let Phase::Up { drain_until_us } = self.phase else { return };
        if device.identity.renew_at_us().is_none_or(|renew_at_us| renew_at_us > now.unix_us) {
            if drain_until_us.is_some() {
                self.phase = Phase::Up { drain_until_us: None };
                self.mqtt.hold(false, now.mono_us);
            }
            return;
        }
        let until_us = drain_until_us.unwrap_or(now.mono_us.saturating_add(DRAIN_US));
        if self.mqtt.in_flight() > 0 && now.mono_us < until_us {
            self.phase = Phase::Up { drain_until_us: Some(until_us) };
            self.mqtt.hold(true, now.mono_us);
            return;
        }
        device.log(LogLevel::Info, "the credential runs out: reconnecting with a fresh one");
        self.leave(device, now);
        self.plan = Plan::default();
        self.open(device, now);
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self, device: &Device, now: Now) -> Option<u64> {
        match self.phase {
            Phase::Offline => None,
            Phase::Waiting { until_us } => Some(until_us),
            Phase::Opening { deadline_us } | Phase::Handshake { deadline_us } => Some(deadline_us),
            Phase::Up { drain_until_us: Some(until_us) } => Some(until_us),
            Phase::Up { drain_until_us: None } => {
                let renewal = device.identity.renew_at_us().map(|renew_at_us| {
                    let ahead_us = renew_at_us.saturating_sub(now.unix_us);
                    now.mono_us.saturating_add(u64::try_from(ahead_us).unwrap_or(0))
                });
                [self.mqtt.poll_timeout(), renewal].into_iter().flatten().min()
            }
        }
    }

    /// How much telemetry the queue can take.
    pub(crate) fn room(&self) -> Room {
        match (self.mqtt.has_room(), self.is_up()) {
            (true, _) => Room::Open,
            (false, true) => Room::Full,
            (false, false) => Room::PacedOnly,
        }
    }

    /// Publishes telemetry; its burst learns of the PUBACK.
    pub(crate) fn publish_telemetry(&mut self, device: &mut Device, message: telemetry::Message, now: Now) {
        let topic = topics::telemetry(&device.id);
        self.publish(topic, message.payload, Qos::AtLeastOnce, message.burst.0, now);
        self.take_events(device, now);
    }

    /// Publishes telemetry in another device's name; at most once, so that a hub that hangs up on it does
    /// not see it again.
    pub(crate) fn publish_as(&mut self, device: &mut Device, device_id: &str, now: Now) {
        let (topic, payload) = (topics::telemetry(device_id), Vec::from(*br#"{"seq":0}"#));
        self.publish(topic, payload, Qos::AtMostOnce, UNTRACKED, now);
        self.take_events(device, now);
    }

    /// Publishes what no part of an honest device would, at least once like any message.
    pub(crate) fn publish_verbatim(
        &mut self,
        device: &mut Device,
        properties: &str,
        body: Vec<u8>,
        now: Now,
    ) {
        let topic = topics::events(&device.id, properties);
        self.publish(topic, body, Qos::AtLeastOnce, UNTRACKED, now);
        self.take_events(device, now);
    }

    /// Publishes a security message.
    pub(crate) fn publish_security_message(
        &mut self,
        device: &mut Device,
        message: SecurityMessage,
        now: Now,
    ) {
        let (topic, payload) = match message {
            SecurityMessage::FlatBuffers(body) => (topics::security_message(&device.id), body),
            SecurityMessage::Json(body) => (topics::json_security_message(&device.id), body),
        };
        device.state.statistics.sent(payload.len());
        self.publish(topic, payload, Qos::AtLeastOnce, SECURITY_MESSAGE, now);
        self.take_events(device, now);
    }

    /// Asks for the twin; the answer is reported when it comes.
    pub(crate) fn read_twin(&mut self, now: Now) -> Result<(), CommandError> {
        self.must_be_wanted()?;
        let topic = topics::twin_get(self.request());
        self.publish(topic, Vec::from(*b" "), Qos::AtLeastOnce, UNTRACKED, now);
        Ok(())
    }

    /// Changes reported properties.
    pub(crate) fn report_properties(&mut self, json: &str, now: Now) -> Result<(), CommandError> {
        self.must_be_wanted()?;
        let topic = topics::twin_patch(self.request());
        self.publish(topic, json.as_bytes().to_vec(), Qos::AtLeastOnce, UNTRACKED, now);
        Ok(())
    }

    pub(super) fn publish(&mut self, topic: String, payload: Vec<u8>, qos: Qos, tag: u32, now: Now) {
        self.mqtt.publish(Publication { topic, payload, qos, tag }, now.mono_us);
    }

    /// Publishes where nobody waits for the acknowledgement.
    pub(super) fn answer(&mut self, topic: String, payload: Vec<u8>, now: Now) {
        self.publish(topic, payload, Qos::AtMostOnce, UNTRACKED, now);
    }

    /// Hands what waits to be sent to the platform.
    pub(crate) fn flush(&mut self, device: &mut Device) {
        device.send(Socket::HUB, self.mqtt.take_output());
    }

    fn request(&mut self) -> u32 {
        self.next_request = self.next_request.wrapping_add(1);
        self.next_request
    }

    fn must_be_wanted(&self) -> Result<(), CommandError> {
        match self.phase {
            Phase::Offline => Err(CommandError::NotNow { reason: "not connected".to_string() }),
            _ => Ok(()),
        }
    }

    fn open(&mut self, device: &mut Device, now: Now) {
        let client = device.identity.begin_connection(now);
        device.open_hub(Tls { server_name: device.hub_host.clone(), client });
        self.phase = Phase::Opening { deadline_us: now.mono_us.saturating_add(HANDSHAKE_TIMEOUT_US) };
    }

    fn leave(&mut self, device: &mut Device, now: Now) {
        if matches!(self.phase, Phase::Opening { .. } | Phase::Handshake { .. } | Phase::Up { .. }) {
            self.mqtt.disconnect(now.mono_us);
            self.flush(device);
            device.close(Socket::HUB);
        }
    }

    /// The connection is over, or never was: tells so, and plans the next try.
    fn ended(&mut self, device: &mut Device, reason: String, now: Now) {
        match self.phase {
            Phase::Opening { .. } | Phase::Handshake { .. } => {
                device.event(DeviceEvent::ConnectFailed { reason });
                self.plan.attempts_left = self.plan.attempts_left.map(|left| left.saturating_sub(1));
            }
            Phase::Up { .. } => device.event(DeviceEvent::Disconnected { reason }),
            Phase::Offline | Phase::Waiting { .. } => return,
        }
        if self.plan.attempts_left == Some(0) {
            device.event(DeviceEvent::GaveUp);
            self.phase = Phase::Offline;
            return;
        }
        let pause_us = self.plan.gap_us.unwrap_or_else(|| self.backoff.next_pause_us()).max(PAUSE_US_MIN);
        self.phase = Phase::Waiting { until_us: now.mono_us.saturating_add(pause_us) };
    }

    fn take_events(&mut self, device: &mut Device, now: Now) {
        while let Some(event) = self.mqtt.poll_event() {
            match event {
                mqtt::Event::Accepted { session_present } => self.accepted(device, session_present, now),
                mqtt::Event::Refused { code } => {
                    device.close(Socket::HUB);
                    self.ended(device, format!("connack {code}"), now);
                }
                mqtt::Event::Broken { reason } => {
                    device.close(Socket::HUB);
                    self.ended(device, reason, now);
                }
                mqtt::Event::Subscribed { granted } => self.subscribed(device, &granted),
                mqtt::Event::Done { tag } => device.settle_telemetry(BurstId(tag), Fate::Acknowledged),
                mqtt::Event::Dropped { tag } => self.dropped(device, tag),
                mqtt::Event::Received(message) => self.take_message(device, &message, now),
            }
        }
    }

    fn accepted(&mut self, device: &mut Device, session_present: bool, now: Now) {
        self.phase = Phase::Up { drain_until_us: None };
        self.plan = Plan::default();
        self.backoff.reset();
        device.event(DeviceEvent::Connected { session_present });
        // A session stored before its SUBSCRIBE was answered may lack the subscriptions.
        if !session_present || self.subscribing {
            self.subscribing = true;
            let cloud_to_device = topics::cloud_to_device(&device.id);
            let filters = [
                (topics::METHODS, Qos::AtMostOnce),
                (topics::DESIRED, Qos::AtMostOnce),
                (topics::TWIN_ANSWERS, Qos::AtMostOnce),
                (cloud_to_device.as_str(), Qos::AtLeastOnce),
            ];
            self.mqtt.subscribe(&filters, now.mono_us);
        }
    }

    fn subscribed(&mut self, device: &mut Device, granted: &[u8]) {
        self.subscribing = false;
        if granted.iter().any(|&code| code >= 0x80) {
            device.log(LogLevel::Warn, format!("the hub refused a subscription: {granted:02x?}"));
        }
    }

    fn dropped(&mut self, device: &mut Device, tag: u32) {
        if tag == SECURITY_MESSAGE {
            device.state.statistics.failed();
        }
        device.settle_telemetry(BurstId(tag), Fate::Dropped);
        self.dropped = self.dropped.saturating_add(1);
        // One line for each doubling: a flood must not become a flood of log lines.
        if self.dropped.is_power_of_two() {
            let dropped = self.dropped;
            device
                .log(LogLevel::Warn, format!("queue full: {dropped} messages dropped so far, oldest first"));
        }
    }
}
