//! The collectors of what the FlatBuffers schema has no words for, and what they found until it is sent.

use alloc::vec::Vec;

use super::event_queue::EventQueue;
use super::schedule::{Priority, Schedule};
use super::{
    Timer, configuration_error, connected_hardware, connection_create, diagnostic, dropped_events_statistics,
    firewall_configuration, listening_ports, local_users, login, message_statistics, os_baseline,
    process_create, process_terminate,
};
use crate::device::Device;
use crate::io::Now;
use crate::security_message::json::Payload;
use crate::state::Noted;

/// One collector.
pub(super) struct EventCollector {
    /// Name of its event, by which the twin sets its priority.
    pub(super) event: &'static str,
    /// Its priority while the twin sets none.
    pub(super) priority: Priority,
    /// What it tells.
    pub(super) tells: Tells,
}

/// What a collector tells. What happened goes by the interval of its priority; how things stand, by the frequency of
/// snapshots, where the twin has set one. Then it is *asked*, and told at each collection.
pub(super) enum Tells {
    /// What happened since the collection before, in that order. What happens while the collector is off is never
    /// told: else turning it on would bring old happenings as new ones.
    Happenings(fn(&mut Device, Now) -> Noted<Happening>),
    /// The same, beginning with what is still kept from the time when the collector was off.
    Kept(fn(&mut Device, Now) -> Noted<Happening>),
    /// How things stand; unasked, only when there is something worth telling.
    WorthTelling(fn(&mut Device, bool) -> Option<Payload>),
    /// How things stand; unasked, only when that is not how they stood at boot, or were told last.
    Changes(fn(&Device) -> Payload),
}

/// Something that happened on the device.
pub(super) struct Happening {
    /// When, Unix seconds.
    pub(super) at_s: i64,
    /// What.
    pub(super) payload: Payload,
}

/// In the order in which they run. The agent's counts come last: they count what the others found.
const COLLECTORS: [EventCollector; 13] = [
    login::COLLECTOR,
    process_create::COLLECTOR,
    process_terminate::COLLECTOR,
    connection_create::COLLECTOR,
    listening_ports::COLLECTOR,
    firewall_configuration::COLLECTOR,
    local_users::COLLECTOR,
    connected_hardware::COLLECTOR,
    os_baseline::COLLECTOR,
    configuration_error::COLLECTOR,
    diagnostic::COLLECTOR,
    dropped_events_statistics::COLLECTOR,
    message_statistics::COLLECTOR,
];

impl EventCollector {
    fn interval_s(&self, schedule: &Schedule) -> u32 {
        match self.tells {
            Tells::Happenings(_) | Tells::Kept(_) => schedule.event_s(self.event, self.priority),
            Tells::WorthTelling(_) | Tells::Changes(_) => schedule.snapshot_s(self.event, self.priority),
        }
    }

    /// Forgets what happened, for the collector is off.
    fn pass_over(&self, device: &mut Device, now: Now) {
        if let Tells::Happenings(collect) = self.tells {
            collect(device, now);
        }
    }
}

/// Where one collector stands.
#[derive(Default)]
struct Slot {
    timer: Timer,
    /// What was told last, of a collector that tells changes, or how things stood at boot; nothing when what was told
    /// may have been lost.
    told: Option<Payload>,
    /// Whether a collector that tells changes has told any.
    has_told: bool,
}

impl Slot {
    /// What there is to tell.
    fn find(&mut self, collector: &EventCollector, device: &mut Device, now: Now) -> Noted<Happening> {
        let asked = device.schedule.asks_for_snapshots();
        let payload = match collector.tells {
            Tells::Happenings(collect) | Tells::Kept(collect) => return collect(device, now),
            Tells::WorthTelling(collect) => collect(device, asked),
            Tells::Changes(collect) => {
                let payload = collect(device);
                let worth_telling = asked || self.told.as_ref() != Some(&payload);
                worth_telling.then(|| {
                    self.told = Some(payload.clone());
                    self.has_told = true;
                    payload
                })
            }
        };
        payload.map(|payload| Happening { at_s: now.unix_s(), payload }).into_iter().collect()
    }

    /// The queue lost events, and what was told may be among them: the next collection tells it once more. Who has
    /// told nothing has lost nothing.
    fn doubt(&mut self) {
        if self.has_told {
            self.told = None;
        }
    }
}

/// All of them, and the queue.
pub(super) struct Events {
    slots: [Slot; COLLECTORS.len()],
    queue: EventQueue,
}

impl Events {
    /// Collectors that begin to count with [`Events::boot`].
    pub(super) fn new(device: &Device) -> Self {
        let queue = EventQueue::new(device.random("security-events"));
        Self { slots: Default::default(), queue }
    }

    /// The device came up, as it is: plans the first collection.
    pub(super) fn boot(&mut self, device: &Device, delay_us: u64, now: Now) {
        for (slot, collector) in self.slots.iter_mut().zip(&COLLECTORS) {
            slot.timer.begin(collector.interval_s(&device.schedule), delay_us, now);
            if let Tells::Changes(collect) = collector.tells {
                slot.told = Some(collect(device));
            }
        }
    }

    /// Collects what is due.
    pub(super) fn collect(&mut self, device: &mut Device, now: Now) {
        let mut has_lost = false;
        for (slot, collector) in self.slots.iter_mut().zip(&COLLECTORS) {
            let interval_s = collector.interval_s(&device.schedule);
            if interval_s == 0 {
                collector.pass_over(device, now);
            }
            if !slot.timer.is_due(interval_s, now) {
                continue;
            }
            let priority = device.schedule.priority(collector.event, collector.priority);
            let found = slot.find(collector, device, now);
            device.state.statistics.overflowed(priority, found.lost);
            for happening in found.kept {
                device.state.statistics.collected(priority);
                for lost in self.queue.push(happening.at_s, happening.payload, priority) {
                    device.state.statistics.dropped(lost);
                    has_lost = true;
                }
            }
        }
        if has_lost {
            self.slots.iter_mut().for_each(Slot::doubt);
        }
    }

    /// A message of what waits, the oldest first; nothing when nothing waits.
    pub(super) fn take_message(&mut self, bytes_max: usize) -> Option<Vec<u8>> {
        self.queue.take_message(bytes_max)
    }

    /// When the next collection is due.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.slots.iter().filter_map(|slot| slot.timer.due_us).min()
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
