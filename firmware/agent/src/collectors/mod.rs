//! The Defender micro agent (`spec/defender.md`, 1): collectors at their intervals, and the message that
//! carries what they found. The only place where security events are built, and only from what the device
//! really did.
//!
//! Like the original: the first collection comes a random part of a minute after boot, collections that find
//! nothing say nothing, and without a connection each collection overwrites the one before it.

mod heartbeat;
mod network_activity;
mod system_information;

use hilarm_link::AgentConfig;

use crate::device::Device;
use crate::io::Now;
use crate::random::Random;
use crate::security_message::{self, SecurityEvent, SecurityPayload};

/// The random part of the first collection's delay, in seconds: 0 to 59.
const FIRST_COLLECTION_SPREAD_S: u64 = 60;

/// One collector.
struct Collector {
    /// Its interval in seconds; 0 turns it off.
    interval_s: fn(&AgentConfig) -> u16,
    /// What it finds, if anything.
    collect: fn(&mut Device) -> Option<SecurityPayload>,
}

const COLLECTORS: [Collector; 3] =
    [network_activity::COLLECTOR, system_information::COLLECTOR, heartbeat::COLLECTOR];

/// Where one collector stands.
#[derive(Default)]
struct Slot {
    due_us: Option<u64>,
    unsent: Option<SecurityEvent>,
}

/// All collectors of a device.
pub(crate) struct Collectors {
    slots: [Slot; COLLECTORS.len()],
    next_id: u128,
    random: Random,
}

impl Collectors {
    /// Collectors that begin to count with [`Collectors::boot`].
    pub(crate) fn new(device: &Device) -> Self {
        let mut random = device.random("collectors");
        let next_id = u128::from_le_bytes(random.bytes());
        Self { slots: Default::default(), next_id, random }
    }

    /// The device came up: plans the first collection.
    pub(crate) fn boot(&mut self, config: &AgentConfig, now: Now) {
        let delay_s = u64::from(config.first_collection_s) + self.random.below(FIRST_COLLECTION_SPREAD_S);
        for (slot, collector) in self.slots.iter_mut().zip(&COLLECTORS) {
            let on = (collector.interval_s)(config) > 0;
            slot.due_us = on.then(|| now.mono_us.saturating_add(delay_s * 1_000_000));
        }
    }

    /// Collects what is due.
    pub(crate) fn collect(&mut self, device: &mut Device, now: Now) {
        for (slot, collector) in self.slots.iter_mut().zip(&COLLECTORS) {
            let interval_s = (collector.interval_s)(&device.agent);
            if slot.due_us.is_none_or(|due_us| due_us > now.mono_us) {
                continue;
            }
            slot.due_us = Some(now.mono_us.saturating_add(u64::from(interval_s) * 1_000_000));
            if let Some(payload) = (collector.collect)(device) {
                slot.unsent = Some(SecurityEvent {
                    id: self.next_id.to_le_bytes(),
                    time_s: u32::try_from(now.unix_s()).unwrap_or(0),
                    collection_interval_s: u32::from(interval_s),
                    payload,
                });
                self.next_id = self.next_id.wrapping_add(1);
            }
        }
    }

    /// What waits to be sent, as one message.
    pub(crate) fn take_message(&mut self) -> Option<alloc::vec::Vec<u8>> {
        let events: alloc::vec::Vec<_> =
            self.slots.iter_mut().filter_map(|slot| slot.unsent.take()).collect();
        (!events.is_empty()).then(|| security_message::encode(&events))
    }

    /// When the next collection is due.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        self.slots.iter().filter_map(|slot| slot.due_us).min()
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
        collectors.boot(&device.agent, at(0));
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
            collectors.boot(&device.agent, at(5 * SECOND));
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
            assert!(collectors.take_message().is_some());
        }
        assert_eq!(kinds, [3, 1, 1, 1, 1, 1, 3]);
    }

    #[test]
    fn a_collection_that_finds_no_flow_says_nothing() {
        let (mut device, mut collectors) = booted();
        let first = collectors.poll_timeout().unwrap();
        collectors.collect(&mut device, at(first));
        collectors.take_message();
        collectors.collect(&mut device, at(first + 10 * SECOND));
        assert_eq!(collectors.take_message(), None);
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
        collectors.boot(&device.agent, at(0));
        assert_eq!(collectors.poll_timeout(), None);
    }
}
