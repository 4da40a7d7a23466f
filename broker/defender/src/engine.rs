//! The fold itself: keeps the time, takes in configuration, and routes each event to the detections that
//! look at its kind.
//!
//! Time never runs backwards: a record or an advance that lies before the latest one counts as happening
//! now, so that no closed window opens again. Before monitoring starts only configuration counts.

use std::sync::Arc;

use hilarm_model::{HubEvent, HubRecord, SecurityGroup, SecurityPayload, Timestamp};

use crate::alert::Alert;
use crate::counting::{Counting, Settings, security_events};
use crate::detection::{Trigger, Watch};
use crate::judgement::Judgement;
use crate::kind::EventKind;
use crate::ledger::{Ledger, Position};
use crate::posture::{Postures, Recommendation};
use crate::ranges::Ranges;
use crate::roster::{RegisteredKind, Roster};
use crate::rule::{Rule, rules};

/// What to do with an event of a kind.
#[derive(Clone, Copy, Debug)]
enum Action {
    Judge(fn(&HubEvent, &mut Judgement<'_>)),
    Count { slot: usize, counts: fn(&HubEvent, &mut Counting<'_>) },
    Watch(usize),
    Posture(usize),
}

/// An action on behalf of a rule.
#[derive(Clone, Debug)]
struct Route {
    rule: Arc<Rule>,
    /// Its place among the rules.
    place: usize,
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
    postures: Postures,
    settings: Settings,
    /// Slug and events considered, by place among the rules.
    considered: Vec<(&'static str, u64)>,
    routes: [Vec<Route>; EventKind::COUNT],
}

impl Default for Defender {
    fn default() -> Self {
        Self::new()
    }
}

impl Defender {
    /// The shipped catalogue, before any device, configuration or threat is known and monitoring started.
    pub fn new() -> Self {
        Self::with_rules(rules())
    }

    /// The same with these rules in place of the shipped ones.
    pub fn with_rules(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut defender = Self {
            now: Timestamp::from_micros(i64::MIN),
            handled: 0,
            monitoring: false,
            finished: false,
            roster: Roster::default(),
            ranges: Ranges::default(),
            ledger: Ledger::default(),
            watches: Vec::new(),
            postures: Postures::default(),
            settings: Settings::default(),
            considered: Vec::new(),
            routes: Default::default(),
        };
        for (place, rule) in rules.into_iter().map(Arc::new).enumerate() {
            let action = defender.set_up(&rule);
            defender.considered.push((rule.detection.slug, 0));
            for kind in rule.detection.trigger.on() {
                defender.routes[*kind as usize].push(Route { rule: Arc::clone(&rule), place, action });
            }
        }
        defender
    }

    fn set_up(&mut self, row: &Arc<Rule>) -> Action {
        match row.detection.trigger {
            Trigger::OnEvent { judge, .. } | Trigger::AllowList { judge, .. } => Action::Judge(judge),
            Trigger::CountInWindow { rule, counts, .. } => {
                Action::Count { slot: self.ranges.add_counter(Arc::clone(row), rule), counts }
            }
            Trigger::Stateful { begin, .. } => {
                self.watches.push(begin());
                Action::Watch(self.watches.len() - 1)
            }
            Trigger::Posture { begin, .. } => Action::Posture(self.postures.add(Arc::clone(row), begin())),
        }
    }

    /// Takes in the next record. Windows that are over at its time close first.
    pub fn handle(&mut self, record: &HubRecord) {
        let ordinal = self.handled;
        self.handled += 1;
        if self.finished {
            return;
        }
        self.advance_to(record.at);
        let position = Position { at: self.now, ordinal };
        self.configure(&record.event, position);
        if self.postures.configure(&record.event) && self.monitoring {
            self.postures.judge_all(self.settings.tuning, position);
        }
        if let Some(kind) = EventKind::of(&record.event) {
            self.dispatch(kind, &record.event, position);
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
        self.ranges.finish(&mut self.ledger, self.now);
        if self.monitoring && !self.finished {
            let position = Position { at: self.now, ordinal: self.handled };
            self.postures.judge_all(self.settings.tuning, position);
        }
        self.finished = true;
    }

    /// Every recommendation that was ever active, in the order in which they first were.
    pub fn recommendations(&self) -> &[Recommendation] {
        self.postures.raised()
    }

    /// Every alert, in the order in which they were raised.
    pub fn alerts(&self) -> &[Alert] {
        self.ledger.alerts()
    }

    /// Whether something was dropped for want of room: alerts beyond [`crate::ALERTS_MAX`], or operations of
    /// more unregistered ids than any real attack needs.
    pub fn overflowed(&self) -> bool {
        self.ledger.overflowed()
    }

    /// Events of the detection's triggering kind since monitoring started, whether or not they fired; 0 for
    /// an unknown slug. Connections count for the checks that they reached, reported flows count singly.
    pub fn considered(&self, slug: &str) -> u64 {
        let known = self.considered.iter().find(|(known, _)| *known == slug);
        known.map_or(0, |(_, considered)| *considered)
    }

    fn configure(&mut self, event: &HubEvent, position: Position) {
        match event {
            HubEvent::MonitoringStarted if !self.monitoring => {
                self.monitoring = true;
                self.ranges.start(self.now);
                self.postures.judge_all(self.settings.tuning, position);
            }
            HubEvent::DeviceRegistered { device, authentication, security_group } => {
                let index = self.roster.intern(device);
                self.roster.register(index, Some(RegisteredKind::from(authentication)));
                self.ranges.enroll(&mut self.roster, index, security_group, self.now);
            }
            HubEvent::DeviceRemoved { device } => {
                if let Some(index) = self.roster.find(device) {
                    self.roster.register(index, None);
                    self.ranges.leave(&mut self.roster, index);
                }
            }
            HubEvent::SecurityGroupConfigured { name, group } => {
                self.ranges.configure(name, group, self.now);
            }
            HubEvent::SecurityGroupRemoved { name } => {
                self.ranges.configure(name, &SecurityGroup::default(), self.now);
            }
            HubEvent::ProfileConfigured(profile) => self.settings.profile = *profile,
            HubEvent::DefenderTuned(tuning) => self.settings.tuning = *tuning,
            HubEvent::SecurityMessageReceived { .. } => self.note_listening_ports(event),
            _ => (),
        }
    }

    /// A report of listening ports replaces the one before; those of one message belong together.
    fn note_listening_ports(&mut self, event: &HubEvent) {
        let Some((device, events)) = security_events(event) else { return };
        let mut reported = None;
        for event in events {
            if let SecurityPayload::ListeningPorts(ports) = &event.payload {
                let ports = ports.iter().map(|port| (port.protocol, port.port));
                reported.get_or_insert_with(crate::roster::Listening::new).extend(ports);
            }
        }
        let Some(reported) = reported else { return };
        if let Some(device) = self.roster.find(device).and_then(|index| self.roster.get_mut(index)) {
            device.rest.reported.get_or_insert_default().listening = reported;
        }
    }

    fn dispatch(&mut self, kind: EventKind, event: &HubEvent, position: Position) {
        for route in &self.routes[kind as usize] {
            let (roster, ledger) = (&mut self.roster, &mut self.ledger);
            let (_, considered) = &mut self.considered[route.place];
            let (monitoring, settings) = (self.monitoring, self.settings);
            match route.action {
                Action::Count { slot, counts } => {
                    let ranges = &mut self.ranges;
                    let mut counting =
                        Counting { slot, ranges, roster, ledger, considered, position, settings, monitoring };
                    counts(event, &mut counting);
                }
                Action::Posture(place) => {
                    *considered += u64::from(monitoring);
                    self.postures.see(place, event, settings.tuning, monitoring.then_some(position));
                }
                Action::Judge(_) | Action::Watch(_) => {
                    let (rule, ranges) = (&*route.rule, &self.ranges);
                    let mut judgement =
                        Judgement { rule, roster, ranges, ledger, considered, position, monitoring };
                    match route.action {
                        Action::Watch(watch) => self.watches[watch].see(event, &mut judgement),
                        Action::Judge(judge) => judge(event, &mut judgement),
                        _ => (),
                    }
                }
            }
        }
    }
}
