//! Controls that live longer than their scenario: the lower end of a range, which only a whole window shows,
//! the length of a window, and the time for which hits are one alert. The last two do the attack again, once
//! the calendar has moved to one side of the threshold or to the other.

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_defender::{
    Alert, Deduplication, Defender, Detection, Entity, EventKind, Rule, Trigger, detection,
};
use hilarm_link::DeviceEvent;
use hilarm_model::{DeviceId, HubEvent, RangeRule, RangeRuleType, Timestamp};
use hilarm_scenario::{Advance, BehaviourStep, Repeat, RuleSpec, Scenario, Span, Step, StopBehaviour};

use crate::journal::{Entry, HarnessRecord, Journal, Line};
use crate::script::DRAIN;
use crate::variant::{BoundaryCase, Variant, each_step, rules_of};

/// A window is this many times as long as the scenario: an attack fits into either half of it.
const WINDOW_PER_SCENARIO: u32 = 4;

/// The longer controls of one detection, derived from what the main run showed.
pub(crate) fn longer_cases(
    scenario: &Scenario,
    slug: &str,
    alerts: &[Alert],
    journal: &Journal,
) -> Result<Vec<BoundaryCase>, String> {
    let Some(detection) = detection(slug) else { return Ok(Vec::new()) };
    let control = Control { scenario, detection, journal, lived: lived(journal) };
    match (&detection.trigger, Rule::from(detection).deduplication) {
        (Trigger::Posture { .. }, _) => Ok(Vec::new()),
        (Trigger::CountInWindow { rule, .. }, _) => control.range(*rule),
        (_, Deduplication::PerHit) => Ok(Vec::new()),
        (_, Deduplication::Within(period)) => control.deduplication(period, alerts),
    }
}

/// What one detection's controls derive from.
struct Control<'a> {
    scenario: &'a Scenario,
    detection: &'static Detection,
    journal: &'a Journal,
    /// The time of the hub that the steps took.
    lived: Duration,
}

impl Control<'_> {
    fn case(&self, label: &str, fires: bool, scenario: Scenario) -> BoundaryCase {
        let variant = Variant::Boundary { label: label.to_owned(), fires };
        BoundaryCase { slug: self.detection.slug, variant, scenario, more_than: 0 }
    }

    /// Both sides of the minimum, and an attack that is done twice within a window and across its edge.
    fn range(&self, rule: RangeRuleType) -> Result<Vec<BoundaryCase>, String> {
        let window = Duration::from_secs(self.lived.as_secs() + 1) * WINDOW_PER_SCENARIO;
        let counts = self.counts(rule, window, 0)?;
        let least = counts.values().copied().min().unwrap_or_default();
        let (device, most) = counts.iter().max_by_key(|(_, count)| **count).ok_or("the rule is nobody's")?;
        let attack = self.counts(rule, window, self.attack_began())?.get(device).copied().unwrap_or_default();
        let ruled = |min: u64, max: u64| {
            let mut varied = self.scenario.clone();
            for range in rules_of(&mut varied, self.detection.slug).filter_map(RuleSpec::range_mut) {
                (range.min, range.max, range.window) = (min, max, Span(window));
            }
            varied
        };
        let closed = |min: u64| {
            let mut varied = ruled(min, 4 * (most + 1));
            varied.steps.push(advance(window));
            varied
        };
        // One attack is within the range and two are not, even if they differ somewhat.
        let twice = |wait: Duration| self.again(ruled(0, most + attack / 2), wait, &|_| false);
        Ok(vec![
            self.case("range:min-one-more", true, closed(least + 1)),
            self.case("range:min-equal", false, closed(least)),
            self.case("window:same", true, twice(window / 2 - self.lived)?),
            self.case("window:next", false, twice(window - self.lived)?),
        ])
    }

    /// How many events of each device the rule counts in the main run, from this line of the journal on.
    fn counts(
        &self,
        rule: RangeRuleType,
        window: Duration,
        from: usize,
    ) -> Result<BTreeMap<DeviceId, u64>, String> {
        let any = RangeRule::new(u64::MAX, u64::MAX, window).map_err(|error| error.to_string())?;
        let mut defender = Defender::with_rules([Rule::from(self.detection)]);
        let counted = |kind| self.detection.trigger.on().contains(&kind);
        for (at, line) in self.journal.lines().iter().enumerate() {
            let Entry::Hub(record) = &line.entry else { continue };
            if at < from && EventKind::of(&record.event).is_some_and(counted) {
                continue;
            }
            let mut record = record.clone();
            if let HubEvent::SecurityGroupConfigured { group, .. } = &mut record.event {
                group.ranges.entry(rule).and_modify(|range| *range = any);
            }
            defender.handle(&record);
        }
        // Every member of the group is below that minimum, and the window's close says by how much.
        defender.advance_to(self.journal.header().t0 + window);
        let counts = defender.alerts().iter().filter_map(|alert| match &alert.entity {
            Entity::Device(device) => Some((device.clone(), alert.range.as_ref()?.actual_count)),
            Entity::Hub => None,
        });
        Ok(counts.collect())
    }

    /// The attack again, within the time for which hits are one alert and after it.
    fn deduplication(&self, period: Duration, alerts: &[Alert]) -> Result<Vec<BoundaryCase>, String> {
        let mine = || alerts.iter().filter(|alert| alert.slug == self.detection.slug);
        let first = mine().map(|alert| alert.start).min();
        let first = first.ok_or_else(|| format!("{} did not fire in the main run", self.detection.slug))?;
        let since = steps_ended(self.journal).since(first);
        let case = |label: &str, fires: bool, after: Duration| -> Result<BoundaryCase, String> {
            let wait = after.checked_sub(since).ok_or("the scenario goes on for too long after the alert")?;
            // The calendar is where the attack needs it.
            let stand_still = |step: &Step| matches!(step, Step::Advance(_));
            let varied = self.again(self.scenario.clone(), wait, &stand_still)?;
            Ok(BoundaryCase { more_than: mine().count(), ..self.case(label, fires, varied) })
        };
        Ok(vec![
            case("deduplication:within", false, period * 3 / 4)?,
            case("deduplication:after", true, period * 5 / 4)?,
        ])
    }

    /// The scenario, a jump of the calendar, and once more everything from the attack on but what is left out.
    fn again(
        &self,
        mut scenario: Scenario,
        wait: Duration,
        left_out: &dyn Fn(&Step) -> bool,
    ) -> Result<Scenario, String> {
        let attack = scenario.steps.iter().position(holds_attack).ok_or("there is no attack to do again")?;
        let mut once_more = scenario.steps[attack..].to_vec();
        each_step(&mut once_more, &mut |step| {
            if left_out(step) {
                *step = NOTHING;
            } else if let Step::Behaviour(run) = step {
                *step = if self.has_finished(run) { restart(run.clone()) } else { NOTHING };
            }
        });
        scenario.steps.push(advance(wait));
        scenario.steps.extend(once_more);
        Ok(scenario)
    }

    /// The first line of the journal that belongs to the attack.
    fn attack_began(&self) -> usize {
        let attack = self.scenario.steps.iter().position(holds_attack).unwrap_or_default();
        let path = format!("steps[{attack}]");
        let begins = |line: &Line| matches!(&line.entry, Entry::Harness(HarnessRecord::StepStarted { path: at, .. }) if *at == path);
        self.journal.lines().iter().position(begins).unwrap_or_default()
    }

    /// Whether the behaviour did all it had to do; one that did not goes on.
    fn has_finished(&self, run: &BehaviourStep) -> bool {
        self.journal.lines().iter().any(|line| match &line.entry {
            Entry::Harness(HarnessRecord::DeviceEvent {
                device,
                event: DeviceEvent::BehaviourFinished { name },
            }) => *device == run.device && *name == run.run,
            _ => false,
        })
    }
}

/// A step that does nothing.
const NOTHING: Step = Step::RunFor(Span(Duration::ZERO));

fn restart(run: BehaviourStep) -> Step {
    let stop = Step::StopBehaviour(StopBehaviour { device: run.device.clone(), stop: run.run.clone() });
    Step::Repeat(Repeat { times: 1, steps: vec![stop, Step::Behaviour(run)] })
}

fn holds_attack(step: &Step) -> bool {
    match step {
        Step::Malicious(_) => true,
        Step::Repeat(repeat) => repeat.steps.iter().any(holds_attack),
        Step::Parallel(branches) => branches.iter().flatten().any(holds_attack),
        _ => false,
    }
}

fn advance(by: Duration) -> Step {
    Step::Advance(Advance::World(Span(by)))
}

fn lived(journal: &Journal) -> Duration {
    steps_ended(journal).since(journal.header().t0)
}

fn steps_ended(journal: &Journal) -> Timestamp {
    ended(journal) - DRAIN
}

/// The hub's calendar when the books closed.
pub(crate) fn ended(journal: &Journal) -> Timestamp {
    let ends = journal.lines().iter().rev().find_map(|line| match &line.entry {
        Entry::Harness(HarnessRecord::RunEnded { at }) => Some(*at),
        _ => None,
    });
    ends.unwrap_or(journal.header().t0)
}
