//! Range rules of security groups: events of a device are counted in tumbling windows, and a count outside
//! the inclusive range raises an alert (defender.md 5).
//!
//! Above the maximum: at the event that exceeds it, once per (rule, device, window); the count is settled
//! when the window closes. Below the minimum: at the close of a window that the device spent wholly in the
//! group, with the rule enabled. A replaced rule counts from its replacement; the same rule enabled again
//! within a window resumes its count. Only rules that could still raise or settle something are scheduled:
//! the cost of an event does not depend on the number of devices or rules.
//!
//! The counts themselves are the gauges': one for each rule of a group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hilarm_model::{AllowList, AllowRuleType, Flow, RangeRule, RangeRuleType, SecurityGroup, Timestamp};

use crate::alert::Side;
use crate::allow_list::Allowed;
use crate::gauge::{Counter, Gauge, Place};
use crate::ledger::{Ledger, Position};
use crate::roster::{Device, DeviceIndex, Roster};
use crate::rule::Rule;

/// Index of a security group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupIndex(u32);

/// Index of a gauge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct GaugeIndex(u32);

/// The group of devices without a tag, and of ids that nobody registered.
const DEFAULT_GROUP: &str = "default";

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit<'a> {
    /// An event of a device.
    Event,
    /// An event of a claimed id: without a membership it counts in the default group.
    Claim,
    /// A connection, once a window.
    Connection(&'a Flow),
}

/// A security group with its members.
#[derive(Debug)]
struct Group {
    name: String,
    /// The enabled gauge of each counter.
    gauges: Vec<Option<GaugeIndex>>,
    allow_lists: BTreeMap<AllowRuleType, Arc<Allowed>>,
    members: BTreeMap<DeviceIndex, Place>,
    /// Places given out.
    places: u32,
}

/// Every group, rule and open window.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    /// Start of monitoring: windows count from here.
    origin: Option<Timestamp>,
    counters: Vec<Counter>,
    /// In how many groups each counter's rule is enabled.
    enabled: Vec<usize>,
    groups: Vec<Group>,
    names: BTreeMap<String, GroupIndex>,
    gauges: Vec<Gauge>,
    /// Allow-list rules that some group has.
    listed: BTreeSet<AllowRuleType>,
    interned: BTreeMap<(GroupIndex, usize, u64, u64, Duration), GaugeIndex>,
    /// Gauges of rules that were replaced, as long as their counts may be wanted again.
    retired: Vec<GaugeIndex>,
    agenda: BTreeSet<(Timestamp, GaugeIndex)>,
}

impl Ranges {
    /// A further detection that counts; answers its slot.
    pub(crate) fn add_counter(&mut self, row: Arc<Rule>, rule: RangeRuleType) -> usize {
        self.counters.push(Counter { row, rule });
        self.enabled.push(0);
        self.counters.len() - 1
    }

    /// When the next window closes that could raise or settle something.
    pub(crate) fn next_close(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(end, _)| *end)
    }

    /// Monitoring starts: the first windows open.
    pub(crate) fn start(&mut self, origin: Timestamp) {
        self.origin = Some(origin);
        for index in 0..self.gauges.len() {
            self.schedule(GaugeIndex(index as u32), origin);
        }
    }

    /// A device is in this group from now on.
    pub(crate) fn enroll(&mut self, roster: &mut Roster, index: DeviceIndex, name: &str, at: Timestamp) {
        let group = self.group(name);
        let Some(device) = roster.get_mut(index) else { return };
        match device.group.replace(group) {
            Some(before) if before == group => return,
            Some(before) => drop(self.groups[before.0 as usize].members.remove(&index)),
            None => (),
        }
        device.rest.member_since = at;
        device.place = self.groups[group.0 as usize].place_of(device, group);
        self.groups[group.0 as usize].members.insert(index, device.place);
        for gauge in self.groups[group.0 as usize].gauges.clone().into_iter().flatten() {
            self.schedule(gauge, at);
        }
    }

    /// A device is in no group from now on.
    pub(crate) fn leave(&mut self, roster: &mut Roster, index: DeviceIndex) {
        if let Some(group) = roster.get_mut(index).and_then(|device| device.group.take()) {
            self.groups[group.0 as usize].members.remove(&index);
        }
    }

    /// The list that the device's group has for a rule, with the name of the group.
    pub(crate) fn allow_list(&self, device: &Device, rule: AllowRuleType) -> Option<(Arc<Allowed>, &str)> {
        let group = &self.groups[device.group?.0 as usize];
        group.allow_lists.get(&rule).map(|allowed| (Arc::clone(allowed), group.name.as_str()))
    }

    /// Whether any group has a list for the rule; where none has, no device needs to be looked up.
    pub(crate) fn is_listed(&self, rule: AllowRuleType) -> bool {
        self.listed.contains(&rule)
    }

    /// Whether any group counts at this slot; where none does, no device needs to be looked up.
    pub(crate) fn is_enabled(&self, slot: usize) -> bool {
        self.enabled.get(slot).is_some_and(|groups| *groups > 0)
    }

    /// Whether events of unregistered ids count at this slot.
    pub(crate) fn counts_strangers(&self, slot: usize) -> bool {
        self.strangers_group().is_some_and(|group| self.groups[group.0 as usize].gauges[slot].is_some())
    }

    fn strangers_group(&self) -> Option<GroupIndex> {
        self.names.get(DEFAULT_GROUP).copied()
    }

    /// A group has these rules, and no other, from now on.
    pub(crate) fn configure(&mut self, name: &str, rules: &SecurityGroup, at: Timestamp) {
        let group = self.group(name);
        let allowed = |(rule, list): (&AllowRuleType, &AllowList)| (*rule, Arc::new(Allowed::from(list)));
        self.groups[group.0 as usize].allow_lists = rules.allow_lists.iter().map(allowed).collect();
        self.listed = self.groups.iter().flat_map(|group| group.allow_lists.keys().copied()).collect();
        for slot in 0..self.counters.len() {
            let rule = rules.ranges.get(&self.counters[slot].rule).copied();
            let previous = self.groups[group.0 as usize].gauges[slot];
            if previous.map(|gauge| self.gauges[gauge.0 as usize].rule) == rule {
                continue;
            }
            if let Some(gauge) = previous {
                self.gauges[gauge.0 as usize].enabled_since = None;
                self.enabled[slot] -= 1;
                self.retired.push(gauge);
            }
            let next = rule.map(|rule| self.intern(group, slot, rule));
            self.groups[group.0 as usize].gauges[slot] = next;
            if let Some(gauge) = next {
                self.gauges[gauge.0 as usize].enabled_since = Some(at);
                self.enabled[slot] += 1;
                self.schedule(gauge, at);
            }
        }
    }

    /// One event of a device for the counter at `slot`.
    pub(crate) fn count(
        &mut self,
        (roster, ledger): (&mut Roster, &mut Ledger),
        slot: usize,
        (index, unit): (DeviceIndex, Unit<'_>),
        position: Position,
    ) {
        let Some(device) = roster.get_mut(index) else { return };
        let Some(origin) = self.origin else { return };
        let (group, place) = match (device.group, unit) {
            (Some(group), _) => (group, device.place),
            (None, Unit::Claim) => {
                let Some(group) = self.strangers_group() else { return };
                (group, self.groups[group.0 as usize].place_of(device, group))
            }
            (None, _) => return,
        };
        let group = &self.groups[group.0 as usize];
        let Some(gauge_index) = group.gauges[slot] else { return };
        let gauge = &mut self.gauges[gauge_index.0 as usize];
        let window = gauge.window(position.at, origin);
        let count = match unit {
            Unit::Connection(flow) => gauge.connect(place, flow),
            Unit::Event | Unit::Claim => gauge.count(place),
        };
        let Some(count) = count else { return };
        // Only the first one beyond: an alert is raised once a window.
        if gauge.rule.max().checked_add(1) != Some(count) {
            return;
        }
        let breach = gauge.breach(Side::Above, &group.name, window, count);
        let span = (window.start, position.at);
        let raised_by = Some(position.ordinal);
        let registered = device.registered.is_some();
        let device = (index, &device.rest.id);
        let raised = ledger.breach(&gauge.counter.row, device, breach, span, raised_by);
        if let Some(alert) = raised.filter(|_| !registered) {
            ledger.note(alert, "unregistered", "true");
        }
        if let Some(alert) = raised {
            gauge.breaches.push((place, alert));
            self.schedule(gauge_index, position.at);
        }
    }

    /// Closes every window that is over at `at`, in the order of their ends.
    pub(crate) fn advance(&mut self, roster: &Roster, ledger: &mut Ledger, at: Timestamp) {
        while let Some(&(end, index)) = self.agenda.first()
            && end <= at
        {
            self.agenda.pop_first();
            self.close(index, roster, ledger);
            // Once alerts are being dropped, the silent windows of a long jump have nothing left to say.
            let next = if ledger.overflowed() { at } else { end };
            self.schedule(index, next);
        }
        if !self.retired.is_empty() {
            self.clear_retired(at);
        }
    }

    /// The run ends: counts above the maximum are final, partial windows are never below the minimum.
    pub(crate) fn finish(&mut self, ledger: &mut Ledger, at: Timestamp) {
        self.agenda.clear();
        for gauge in &mut self.gauges {
            if let Some(window) = gauge.scheduled.take() {
                gauge.settle(window, ledger, at);
            }
        }
    }

    fn close(&mut self, index: GaugeIndex, roster: &Roster, ledger: &mut Ledger) {
        let gauge = &mut self.gauges[index.0 as usize];
        let Some(window) = gauge.scheduled.take() else { return };
        let Some(end) = window.end else { return };
        gauge.settle(window, ledger, end);
        if gauge.enabled_since.is_none_or(|since| since > window.start) {
            return;
        }
        let group = &self.groups[gauge.group.0 as usize];
        for (&member, &place) in &group.members {
            let count = gauge.counted(place, window);
            if count >= gauge.rule.min() {
                continue;
            }
            let Some(device) = roster.get(member) else { continue };
            if device.rest.member_since <= window.start {
                let breach = gauge.breach(Side::Below, &group.name, window, count);
                let device = (member, &device.rest.id);
                ledger.breach(&gauge.counter.row, device, breach, (window.start, end), None);
            }
        }
    }

    /// Puts the close of the gauge's window at `at` on the agenda, if it could raise or settle something.
    fn schedule(&mut self, index: GaugeIndex, at: Timestamp) {
        let Some(origin) = self.origin else { return };
        let gauge = &mut self.gauges[index.0 as usize];
        let members = &self.groups[gauge.group.0 as usize].members;
        let may_be_below = gauge.enabled_since.is_some() && gauge.rule.min() > 0 && !members.is_empty();
        let silent = !may_be_below && gauge.breaches.is_empty();
        if silent || gauge.scheduled.is_some() {
            return;
        }
        let window = gauge.window(at, origin);
        if let Some(end) = window.end {
            self.agenda.insert((end, index));
        }
        gauge.scheduled = Some(window);
    }

    fn group(&mut self, name: &str) -> GroupIndex {
        let name = name.to_lowercase();
        if let Some(group) = self.names.get(&name) {
            return *group;
        }
        let index = GroupIndex(self.groups.len() as u32);
        let gauges = vec![None; self.counters.len()];
        let (allow_lists, members) = (BTreeMap::new(), BTreeMap::new());
        self.groups.push(Group { name: name.clone(), gauges, allow_lists, members, places: 0 });
        self.names.insert(name, index);
        index
    }

    fn intern(&mut self, group: GroupIndex, slot: usize, rule: RangeRule) -> GaugeIndex {
        let next = GaugeIndex(self.gauges.len() as u32);
        let key = (group, slot, rule.min(), rule.max(), rule.window());
        let index = *self.interned.entry(key).or_insert(next);
        if index == next {
            self.gauges.push(Gauge::new(self.counters[slot].clone(), group, rule));
        }
        index
    }

    /// Frees the counts of replaced rules whose windows are over.
    fn clear_retired(&mut self, at: Timestamp) {
        let gauges = &mut self.gauges;
        self.retired.retain(|index| {
            let gauge = &mut gauges[index.0 as usize];
            let over = gauge.current.is_none_or(|window| window.over(at));
            if over && gauge.enabled_since.is_none() {
                gauge.clear();
            }
            !over && gauge.enabled_since.is_none()
        });
    }
}

impl Group {
    /// The device's place, the same as ever if it had one.
    fn place_of(&mut self, device: &mut Device, group: GroupIndex) -> Place {
        let known = device.rest.places.iter().find(|(known, _)| *known == group);
        if let Some((_, place)) = known {
            return *place;
        }
        let place = Place(self.places);
        self.places += 1;
        device.rest.places.push((group, place));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::rules;

    #[test]
    fn what_a_replaced_rule_counted_is_freed_when_its_window_is_over() {
        let (mut ranges, mut roster, mut ledger) = (Ranges::default(), Roster::default(), Ledger::default());
        let row = rules().find(|rule| rule.detection.slug == "d2c-mqtt").unwrap();
        let slot = ranges.add_counter(Arc::new(row), RangeRuleType::MqttD2CMessages);
        let group = |window| {
            let rule = RangeRule::new(0, 9, Duration::from_secs(window)).unwrap();
            SecurityGroup {
                ranges: [(RangeRuleType::MqttD2CMessages, rule)].into(),
                ..SecurityGroup::default()
            }
        };
        let at = Timestamp::from_secs;
        ranges.configure(DEFAULT_GROUP, &group(60), at(0));
        let device = roster.intern(&"pump-1".parse().unwrap());
        ranges.enroll(&mut roster, device, DEFAULT_GROUP, at(0));
        ranges.start(at(0));
        let position = Position { at: at(1), ordinal: 0 };
        ranges.count((&mut roster, &mut ledger), slot, (device, Unit::Event), position);
        let place = roster.get(device).unwrap().place;
        let window = ranges.gauges[0].current.unwrap();
        let kept = |ranges: &Ranges| ranges.gauges[0].counted(place, window);
        assert_eq!(kept(&ranges), 1);
        ranges.configure(DEFAULT_GROUP, &group(300), at(2));
        ranges.advance(&roster, &mut ledger, at(59));
        assert_eq!(kept(&ranges), 1, "the rule may come back within the window");
        ranges.advance(&roster, &mut ledger, at(60));
        assert_eq!(kept(&ranges), 0);
    }
}
