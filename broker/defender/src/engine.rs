//! The fold itself: keeps the time, and routes each event to the detections that look at its kind.
//!
//! Time never runs backwards: a record or an advance that lies before the latest one counts as happening
//! now, so that no closed window opens again. Before monitoring starts only configuration counts.

use std::sync::Arc;

use hilarm_model::{HubEvent, HubRecord, Timestamp};

use crate::alert::Alert;
use crate::counting::Counting;
use crate::detection::{Trigger, Watch};
use crate::judgement::Judgement;
use crate::kind::EventKind;
use crate::ledger::Position;
use crate::posture::{Postures, Recommendation};
use crate::rule::{Rule, rules};
use crate::state::State;

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
    finished: bool,
    state: State,
    watches: Vec<Box<dyn Watch>>,
    postures: Postures,
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
            finished: false,
            state: State::default(),
            watches: Vec::new(),
            postures: Postures::default(),
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
                Action::Count { slot: self.state.ranges.add_counter(Arc::clone(row), rule), counts }
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
        let reconfigured = self.postures.configure(&record.event) && self.state.monitoring;
        if self.state.configure(&record.event, self.now) || reconfigured {
            self.postures.judge_all(self.state.settings.tuning, position);
        }
        if let Some(kind) = EventKind::of(&record.event) {
            self.dispatch(kind, &record.event, position);
        }
    }

    /// The hub's calendar reached `at`: silent windows close.
    pub fn advance_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        if !self.finished {
            let State { ranges, roster, ledger, .. } = &mut self.state;
            ranges.advance(roster, ledger, self.now);
        }
    }

    /// When a window closes that could raise or settle an alert; `None` when no such window is open.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.state.ranges.next_close()
    }

    /// The run ended at `at`: counts above a maximum are final, partial windows are never below a minimum.
    /// Later records are disregarded.
    pub fn finish(&mut self, at: Timestamp) {
        self.advance_to(at);
        self.state.ranges.finish(&mut self.state.ledger, self.now);
        if self.state.monitoring && !self.finished {
            let position = Position { at: self.now, ordinal: self.handled };
            self.postures.judge_all(self.state.settings.tuning, position);
        }
        self.finished = true;
    }

    /// Every recommendation that was ever active, in the order in which they first were.
    pub fn recommendations(&self) -> &[Recommendation] {
        self.postures.raised()
    }

    /// Every alert, in the order in which they were raised.
    pub fn alerts(&self) -> &[Alert] {
        self.state.ledger.alerts()
    }

    /// Whether something was dropped for want of room: alerts beyond [`crate::ALERTS_MAX`], or operations of
    /// more unregistered ids than any real attack needs.
    pub fn overflowed(&self) -> bool {
        self.state.ledger.overflowed()
    }

    /// Events of the detection's triggering kind since monitoring started, whether or not they fired; 0 for
    /// an unknown slug. Connections count for the checks that they reached, reported flows count singly.
    pub fn considered(&self, slug: &str) -> u64 {
        let known = self.considered.iter().find(|(known, _)| *known == slug);
        known.map_or(0, |(_, considered)| *considered)
    }

    fn dispatch(&mut self, kind: EventKind, event: &HubEvent, position: Position) {
        let state = &mut self.state;
        for Route { rule, place, action } in &self.routes[kind as usize] {
            let (_, considered) = &mut self.considered[*place];
            match *action {
                Action::Count { slot, counts } => {
                    counts(event, &mut Counting { slot, state, considered, position });
                }
                Action::Judge(judge) => {
                    judge(event, &mut Judgement { rule, state, considered, position });
                }
                Action::Watch(watch) => {
                    self.watches[watch].see(event, &mut Judgement { rule, state, considered, position });
                }
                Action::Posture(place) => {
                    *considered += u64::from(state.monitoring);
                    let position = state.monitoring.then_some(position);
                    self.postures.see(place, event, state.settings.tuning, position);
                }
            }
        }
    }
}
