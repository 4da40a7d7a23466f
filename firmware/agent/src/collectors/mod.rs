//! The Defender micro agent (`spec/defender.md`, 1): collectors at their intervals, and the message that
//! carries what they found. The only place where security events are built, and only from what the device
//! really did.
//!
//! Like the original: the first collection comes a random part of a minute after boot, collections that find
//! nothing say nothing, and without a connection each collection overwrites the one before it. All else that
//! the classic agent tells is no collection of that kind (`events`): it travels as JSON, which the original
//! cannot, and waits for the connection within bounds.

mod configuration_error;
mod connected_hardware;
mod connection_create;
mod diagnostic;
mod dropped_events_statistics;
mod event_queue;
mod events;
mod firewall_configuration;
mod heartbeat;
mod listening_ports;
mod local_users;
mod login;
mod message_statistics;
mod network_activity;
mod os_baseline;
mod process_create;
mod process_terminate;
pub(crate) mod schedule;
mod system_information;

use alloc::vec::Vec;

use crate::device::Device;
use crate::io::Now;
use crate::random::Random;
use crate::security_message::{self, SecurityEvent, SecurityMessage, SecurityPayload};
use events::{EventCollector, Events, Happening, Tells};
use schedule::Schedule;

/// The random part of the first collection's delay, in seconds: 0 to 59.
const FIRST_COLLECTION_SPREAD_S: u64 = 60;

/// One collector.
struct Collector {
    /// Its interval in seconds; 0 turns it off.
    interval_s: fn(&Schedule) -> u32,
    /// What it finds, if anything.
    collect: fn(&mut Device) -> Option<SecurityPayload>,
}

const COLLECTORS: [Collector; 3] =
    [network_activity::COLLECTOR, system_information::COLLECTOR, heartbeat::COLLECTOR];

/// When one collector runs next.
#[derive(Default)]
struct Timer {
    interval_s: u32,
    due_us: Option<u64>,
}

impl Timer {
    /// The first run, for which there may be a reason not to wait a whole interval.
    fn begin(&mut self, interval_s: u32, delay_us: u64, now: Now) {
        self.interval_s = interval_s;
        self.due_us = (interval_s > 0).then(|| now.mono_us.saturating_add(delay_us));
    }

    /// Whether it is time to run. A changed interval counts from now on, and puts nothing off that was near.
    fn is_due(&mut self, interval_s: u32, now: Now) -> bool {
        let next_us = now.mono_us.saturating_add(u64::from(interval_s) * 1_000_000);
        if interval_s != self.interval_s {
            self.interval_s = interval_s;
            self.due_us = Some(self.due_us.map_or(next_us, |due_us| due_us.min(next_us)));
        }
        if interval_s == 0 {
            self.due_us = None;
        }
        let is_due = self.due_us.is_some_and(|due_us| due_us <= now.mono_us);
        if is_due {
            self.due_us = Some(next_us);
        }
        is_due
    }
}

/// Where one collector stands.
#[derive(Default)]
struct Slot {
    timer: Timer,
    unsent: Option<SecurityEvent>,
}

/// All collectors of a device.
pub(crate) struct Collectors {
    slots: [Slot; COLLECTORS.len()],
    events: Events,
    next_id: u128,
    random: Random,
}

impl Collectors {
    /// Collectors that begin to count with [`Collectors::boot`].
    pub(crate) fn new(device: &Device) -> Self {
        let mut random = device.random("collectors");
        let next_id = u128::from_le_bytes(random.bytes());
        Self { slots: Default::default(), events: Events::new(device), next_id, random }
    }

    /// The device came up: plans the first collection.
    pub(crate) fn boot(&mut self, device: &Device, now: Now) {
        let first_s = u64::from(device.agent.first_collection_s);
        let delay_us = (first_s + self.random.below(FIRST_COLLECTION_SPREAD_S)) * 1_000_000;
        for (slot, collector) in self.slots.iter_mut().zip(&COLLECTORS) {
            slot.timer.begin((collector.interval_s)(&device.schedule), delay_us, now);
        }
        self.events.boot(device, delay_us, now);
    }

    /// Collects what is due.
    pub(crate) fn collect(&mut self, device: &mut Device, now: Now) {
        for (slot, collector) in self.slots.iter_mut().zip(&COLLECTORS) {
            let interval_s = (collector.interval_s)(&device.schedule);
            if !slot.timer.is_due(interval_s, now) {
                continue;
            }
            if let Some(payload) = (collector.collect)(device) {
                slot.unsent = Some(SecurityEvent {
                    id: self.next_id.to_le_bytes(),
                    time_s: u32::try_from(now.unix_s()).unwrap_or(0),
                    collection_interval_s: interval_s,
                    payload,
                });
                self.next_id = self.next_id.wrapping_add(1);
            }
        }
        self.events.collect(device, now);
    }

    /// What waits to be sent: the collections as one message, then the events, as many as one message holds.
    pub(crate) fn take_message(&mut self, schedule: &Schedule) -> Option<SecurityMessage> {
        let collections: Vec<_> = self.slots.iter_mut().filter_map(|slot| slot.unsent.take()).collect();
        if !collections.is_empty() {
            return Some(SecurityMessage::FlatBuffers(security_message::encode(&collections)));
        }
        self.events.take_message(schedule.message_bytes_max()).map(SecurityMessage::Json)
    }

    /// When the next collection is due.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        let slots = self.slots.iter().map(|slot| &slot.timer);
        slots.filter_map(|timer| timer.due_us).chain(self.events.poll_timeout()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::{FlowKey, FlowProtocol};
    use crate::testing;

    const SECOND: u64 = 1_000_000;

    fn at(mono_us: u64) -> Now {
        Now { mono_us, unix_us: 1_767_225_600_000_000 + mono_us as i64 }
    }

    fn booted() -> (Device, Collectors) {
        let device = Device::new(testing::sas_config());
        let mut collectors = Collectors::new(&device);
        collectors.boot(&device, at(0));
        (device, collectors)
    }

    fn see_a_flow(device: &mut Device, remote_port: u16) {
        let key = FlowKey {
            protocol: FlowProtocol::Tcp,
            local_address: [10, 42, 0, 2],
            local_port: 49152,
            remote_address: [192, 0, 2, 9],
            remote_port,
        };
        device.flows.observe(key, 1, 1);
    }

    #[test]
    fn the_first_collection_comes_30_to_89_seconds_after_boot_and_moves_with_the_seed() {
        let first = |seed| {
            let device = Device::new(hilarm_link::DeviceConfig { seed, ..testing::sas_config() });
            let mut collectors = Collectors::new(&device);
            collectors.boot(&device, at(5 * SECOND));
            collectors.poll_timeout().unwrap() - 5 * SECOND
        };
        let delays: alloc::collections::BTreeSet<u64> = (0..50).map(first).collect();
        assert!(delays.iter().all(|delay| (30 * SECOND..=89 * SECOND).contains(delay)), "{delays:?}");
        assert!(delays.len() > 10, "{delays:?}");
        assert_eq!(first(1), first(1));
    }

    #[test]
    fn flows_are_collected_every_ten_seconds_the_rest_every_sixty() {
        let (mut device, mut collectors) = booted();
        let first = collectors.poll_timeout().unwrap();
        let mut kinds = alloc::vec::Vec::new();
        for tick in 0..=6 {
            see_a_flow(&mut device, 1883);
            let now = at(first + tick * 10 * SECOND);
            assert_eq!(collectors.poll_timeout(), Some(now.mono_us));
            collectors.collect(&mut device, now);
            kinds.push(collectors.slots.iter().filter(|slot| slot.unsent.is_some()).count());
            assert!(collectors.take_message(&device.schedule).is_some());
        }
        assert_eq!(kinds, [3, 1, 1, 1, 1, 1, 3]);
    }

    #[test]
    fn a_collection_that_finds_no_flow_says_nothing() {
        let (mut device, mut collectors) = booted();
        let first = collectors.poll_timeout().unwrap();
        collectors.collect(&mut device, at(first));
        collectors.take_message(&device.schedule);
        collectors.collect(&mut device, at(first + 10 * SECOND));
        assert_eq!(collectors.take_message(&device.schedule), None);
    }

    #[test]
    fn without_a_connection_a_collection_overwrites_the_one_before() {
        let (mut device, mut collectors) = booted();
        let first = collectors.poll_timeout().unwrap();
        see_a_flow(&mut device, 1);
        collectors.collect(&mut device, at(first));
        see_a_flow(&mut device, 2);
        collectors.collect(&mut device, at(first + 10 * SECOND));
        let Some(SecurityEvent { payload: SecurityPayload::NetworkActivity(flows), .. }) =
            &collectors.slots[0].unsent
        else {
            panic!("flows were collected")
        };
        assert_eq!(flows.len(), 1);
        assert_eq!(flows[0].key.remote_port, 2);
    }

    #[test]
    fn event_ids_count_up() {
        let (mut device, mut collectors) = booted();
        let first = collectors.poll_timeout().unwrap();
        see_a_flow(&mut device, 1);
        collectors.collect(&mut device, at(first));
        let ids: alloc::vec::Vec<u128> = collectors
            .slots
            .iter()
            .filter_map(|slot| slot.unsent.as_ref())
            .map(|event| u128::from_le_bytes(event.id))
            .collect();
        assert_eq!(ids, [ids[0], ids[0].wrapping_add(1), ids[0].wrapping_add(2)]);
    }

    #[test]
    fn an_interval_of_zero_turns_a_collector_off() {
        let mut config = testing::sas_config();
        config.agent.network_activity_s = 0;
        config.agent.low_priority_s = 0;
        let device = Device::new(config);
        let mut collectors = Collectors::new(&device);
        collectors.boot(&device, at(0));
        assert_eq!(collectors.poll_timeout(), None);
    }

    /// The events of the next message, if it is one of JSON.
    fn json_events(collectors: &mut Collectors, device: &Device) -> Option<Vec<serde_json::Value>> {
        match collectors.take_message(&device.schedule)? {
            SecurityMessage::FlatBuffers(_) => None,
            SecurityMessage::Json(body) => {
                let message: serde_json::Value = serde_json::from_slice(&body).unwrap();
                Some(message["Events"].as_array().unwrap().clone())
            }
        }
    }

    #[test]
    fn logins_and_processes_are_collected_with_the_flows_and_keep_their_own_times() {
        let (mut device, mut collectors) = booted();
        let first = collectors.poll_timeout().unwrap();
        device.state.users.sign_in("root", "guess", None, 1_767_225_601);
        device.state.tasks.start("/tmp/miner", "/tmp/miner", ("root".into(), 0), 1_767_225_602);
        collectors.collect(&mut device, at(first));
        assert!(matches!(collectors.take_message(&device.schedule), Some(SecurityMessage::FlatBuffers(_))));
        let events = json_events(&mut collectors, &device).unwrap();
        let told: Vec<_> =
            events.iter().map(|event| (event["Name"].as_str(), event["TimestampUTC"].as_str())).collect();
        let expected = [
            (Some("Login"), Some("2026-01-01T00:00:01Z")),
            (Some("ProcessCreate"), Some("2026-01-01T00:00:02Z")),
        ];
        assert_eq!(told, expected);
        assert_ne!(events[0]["Id"], events[1]["Id"]);
        assert_eq!(collectors.take_message(&device.schedule), None);
    }

    #[test]
    fn open_ports_are_told_at_every_low_priority_collection() {
        let (mut device, mut collectors) = booted();
        let first = collectors.poll_timeout().unwrap();
        device.state.listen(4444);
        let mut told = 0;
        for tick in 0..=12 {
            collectors.collect(&mut device, at(first + tick * 10 * SECOND));
            collectors.take_message(&device.schedule);
            told += json_events(&mut collectors, &device).map_or(0, |events| events.len());
        }
        assert_eq!(told, 3);
    }

    #[test]
    fn an_interval_from_the_twin_takes_effect_at_once_and_lasts() {
        let (mut device, mut collectors) = booted();
        let first = collectors.poll_timeout().unwrap();
        collectors.collect(&mut device, at(first));
        let section = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";
        let settings = serde_json::json!({ "highPriorityMessageFrequency": { "value": "PT3S" } });
        device.schedule.change(&serde_json::json!({ section: settings }));
        collectors.collect(&mut device, at(first + SECOND));
        assert_eq!(collectors.poll_timeout(), Some(first + 4 * SECOND));
        collectors.collect(&mut device, at(first + 4 * SECOND));
        assert_eq!(collectors.poll_timeout(), Some(first + 7 * SECOND));
        device.schedule.change(&serde_json::json!({ section: null }));
        for second in 5..=17 {
            collectors.collect(&mut device, at(first + second * SECOND));
        }
        assert_eq!(collectors.poll_timeout(), Some(first + 27 * SECOND));
    }

    #[test]
    fn a_setting_that_makes_no_sense_becomes_a_configuration_error() {
        let (mut device, mut collectors) = booted();
        let section = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";
        let settings = serde_json::json!({ "highPriorityMessageFrequency": { "value": "soon" } });
        device.schedule.change(&serde_json::json!({ section: settings }));
        let first = collectors.poll_timeout().unwrap();
        collectors.collect(&mut device, at(first));
        collectors.take_message(&device.schedule);
        let events = json_events(&mut collectors, &device).unwrap();
        assert_eq!(events[0]["Name"], "ConfigurationError");
        assert_eq!(events[0]["Payload"][0]["ConfigurationName"], "highPriorityMessageFrequency");
    }
}
