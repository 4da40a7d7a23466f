//! The fold itself: keeps the time, takes in configuration, and routes each event to the detections that
//! look at its kind.
//!
//! Time never runs backwards: a record or an advance that lies before the latest one counts as happening
//! now, so that no closed window opens again. Before monitoring starts only configuration counts.

use hilarm_model::{DeviceId, HubEvent, HubRecord, Timestamp};

use crate::alert::Alert;
use crate::catalogue::catalogue;
use crate::detection::{EventKind, Trigger, Watch};
use crate::judgement::Judgement;
use crate::ledger::{Ledger, Position};
use crate::ranges::Ranges;
use crate::roster::{RegisteredKind, Roster};

/// What to do with an event of a kind.
#[derive(Clone, Copy, Debug)]
enum Action {
    Judge(fn(&HubEvent, &mut Judgement<'_>)),
    Count { slot: usize, counts: fn(&HubEvent) -> Option<&DeviceId> },
    Watch(usize),
}

/// An action on behalf of the detection at this place in the catalogue.
#[derive(Clone, Copy, Debug)]
struct Route {
    detection: usize,
    action: Action,
}

/// Defender for IoT: a pure fold over the hub's records.
#[derive(Debug)]
pub struct Defender {
    now: Timestamp,
    handled: u64,
    monitoring: bool,
    finished: bool,
    roster: Roster,
    ranges: Ranges,
    ledger: Ledger,
    watches: Vec<Box<dyn Watch>>,
    /// By place in the catalogue.
    considered: Vec<u64>,
    routes: [Vec<Route>; EventKind::COUNT],
}

impl Default for Defender {
    fn default() -> Self {
        Self::new()
    }
}

impl Defender {
    /// A defender that knows no device, no rule and no threat, before monitoring started.
    pub fn new() -> Self {
        let mut defender = Self {
            now: Timestamp::from_micros(i64::MIN),
            handled: 0,
            monitoring: false,
            finished: false,
            roster: Roster::default(),
            ranges: Ranges::default(),
            ledger: Ledger::default(),
            watches: Vec::new(),
            considered: vec![0; catalogue().len()],
            routes: Default::default(),
        };
        for (place, detection) in catalogue().iter().enumerate() {
            let action = match detection.trigger {
                Trigger::OnEvent { judge, .. } => Action::Judge(judge),
                Trigger::CountInWindow { rule, counts, .. } => {
                    Action::Count { slot: defender.ranges.add_counter(detection, rule), counts }
                }
                Trigger::Stateful { begin, .. } => {
                    defender.watches.push(begin());
                    Action::Watch(defender.watches.len() - 1)
                }
            };
            for kind in detection.trigger.on() {
                defender.routes[*kind as usize].push(Route { detection: place, action });
            }
        }
        defender
    }

    /// Takes in the next record. Windows that are over at its time close first.
    pub fn handle(&mut self, record: &HubRecord) {
        let ordinal = self.handled;
        self.handled += 1;
        if self.finished {
            return;
        }
        self.advance_to(record.at);
        self.configure(&record.event);
        if let Some(kind) = EventKind::of(&record.event) {
            self.dispatch(kind, &record.event, Position { at: self.now, ordinal });
        }
    }

    /// The hub's calendar reached `at`: silent windows close.
    pub fn advance_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        if !self.finished {
            self.ranges.advance(&self.roster, &mut self.ledger, self.now);
        }
    }

    /// When a window closes that could raise or settle an alert; `None` when no such window is open.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.ranges.next_close()
    }

    /// The run ended at `at`: counts above a maximum are final, partial windows are never below a minimum.
    /// Later records are disregarded.
    pub fn finish(&mut self, at: Timestamp) {
        self.advance_to(at);
        self.ranges.finish(&self.roster, &mut self.ledger, self.now);
        self.finished = true;
    }

    /// Every alert, in the order in which they were raised.
    pub fn alerts(&self) -> &[Alert] {
        self.ledger.alerts()
    }

    /// Whether alerts beyond [`crate::ALERTS_MAX`] were dropped.
    pub fn overflowed(&self) -> bool {
        self.ledger.overflowed()
    }

    /// Events of the detection's triggering kind since monitoring started, whether or not they fired; 0 for
    /// an unknown slug. Connections count for the checks that they reached, reported flows count singly.
    pub fn considered(&self, slug: &str) -> u64 {
        let place = catalogue().iter().position(|detection| detection.slug == slug);
        place.and_then(|place| self.considered.get(place)).copied().unwrap_or(0)
    }

    fn configure(&mut self, event: &HubEvent) {
        match event {
            HubEvent::MonitoringStarted if !self.monitoring => {
                self.monitoring = true;
                self.ranges.start(self.now);
            }
            HubEvent::DeviceRegistered { device, authentication, security_group } => {
                let index = self.roster.intern(device);
                if let Some(device) = self.roster.get_mut(index) {
                    device.registered = Some(RegisteredKind::from(authentication));
                }
                self.ranges.enroll(&mut self.roster, index, security_group, self.now);
            }
            HubEvent::SecurityGroupConfigured { name, group } => {
                self.ranges.configure(name, group, self.now);
            }
            _ => (),
        }
    }

    fn dispatch(&mut self, kind: EventKind, event: &HubEvent, position: Position) {
        for route in &self.routes[kind as usize] {
            let mut judgement = Judgement {
                detection: catalogue()[route.detection],
                roster: &mut self.roster,
                ledger: &mut self.ledger,
                considered: &mut self.considered[route.detection],
                position,
                monitoring: self.monitoring,
            };
            match route.action {
                Action::Judge(judge) => judge(event, &mut judgement),
                Action::Watch(watch) => self.watches[watch].see(event, &mut judgement),
                Action::Count { slot, counts } => {
                    let Some(device) = counts(event) else { continue };
                    judgement.consider();
                    if let Some(index) = judgement.roster.find(device) {
                        self.ranges.count((judgement.roster, judgement.ledger), slot, index, position);
                    }
                }
            }
        }
    }
}
