//! One range rule of one security group, as one detection counts it: the counts of its current window.
//!
//! Counts lie side by side at the place that each device has in the group. A count carries the ordinal of its
//! window, so that a new window costs nothing: the counts of the one before are void. So are its connections,
//! and what they took beyond a fixed place for each device is freed.

use std::sync::Arc;

use hilarm_model::{Flow, RangeRule, RangeRuleType, Timestamp};

use crate::alert::{RangeBreach, Side};
use crate::connections::Connections;
use crate::ledger::{AlertIndex, Ledger};
use crate::ranges::GroupIndex;
use crate::rule::Rule;
use crate::window::Window;

/// A device's place among the counts of its group; it keeps the place when it leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) u32);

/// A device's count in one window of one gauge. Small, for there is one for each member.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Ordinal of the window among those in which the gauge counted; 0 in none.
    ordinal: u32,
    count: u32,
}

/// A detection that counts, at its slot in every group.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) row: Arc<Rule>,
    pub(crate) rule: RangeRuleType,
}

/// One rule of one group, as one detection counts it.
#[derive(Debug)]
pub(crate) struct Gauge {
    pub(crate) counter: Counter,
    pub(crate) group: GroupIndex,
    pub(crate) rule: RangeRule,
    /// `None` while the group does not have this rule.
    pub(crate) enabled_since: Option<Timestamp>,
    /// The window of the latest event; a cache, the division is not free.
    pub(crate) current: Option<Window>,
    /// How many windows were current so far, this one included.
    ordinal: u32,
    /// By place; those of other windows are void.
    tallies: Vec<Tally>,
    /// By place, where connections are counted; those of other windows are void.
    connections: Vec<Connections>,
    /// The places that have many in the current window.
    crowded: Vec<Place>,
    /// Broken maximums of the scheduled window.
    pub(crate) breaches: Vec<(Place, AlertIndex)>,
    /// The window whose close is on the agenda.
    pub(crate) scheduled: Option<Window>,
}

impl Gauge {
    pub(crate) fn new(counter: Counter, group: GroupIndex, rule: RangeRule) -> Self {
        Self {
            counter,
            group,
            rule,
            enabled_since: None,
            current: None,
            ordinal: 0,
            tallies: Vec::new(),
            connections: Vec::new(),
            crowded: Vec::new(),
            breaches: Vec::new(),
            scheduled: None,
        }
    }

    /// The window that holds `at`, which is current from now on.
    pub(crate) fn window(&mut self, at: Timestamp, origin: Timestamp) -> Window {
        match self.current {
            Some(window) if window.start <= at && !window.over(at) => window,
            _ => {
                // A journal has no four thousand million records.
                self.ordinal = self.ordinal.wrapping_add(1);
                self.disperse();
                *self.current.insert(Window::holding(at, origin, self.rule.window()))
            }
        }
    }

    /// One more at this place in the current window; the count so far, `None` when there is no room for more.
    pub(crate) fn count(&mut self, place: Place) -> Option<u64> {
        let place = place.0 as usize;
        if self.tallies.len() <= place {
            self.tallies.resize(place + 1, Tally::default());
        }
        let tally = &mut self.tallies[place];
        if tally.ordinal != self.ordinal {
            *tally = Tally { ordinal: self.ordinal, count: 0 };
        }
        tally.count = tally.count.checked_add(1)?;
        Some(u64::from(tally.count))
    }

    /// One more at this place if the connection is the first of its kind in the current window; the count so far,
    /// `None` when it is not, or there is no room for more.
    pub(crate) fn connect(&mut self, place: Place, flow: &Flow) -> Option<u64> {
        if self.connections.len() <= place.0 as usize {
            self.connections.resize_with(place.0 as usize + 1, Connections::default);
        }
        let connections = &mut self.connections[place.0 as usize];
        if connections.ordinal != self.ordinal {
            *connections = Connections::of(self.ordinal);
        }
        let were_many = connections.are_many();
        let is_new = connections.insert(flow);
        if connections.are_many() && !were_many {
            self.crowded.push(place);
        }
        is_new.then_some(connections.len() as u64)
    }

    /// Frees what a few devices with many connections took in the window that was current.
    fn disperse(&mut self) {
        for place in self.crowded.drain(..) {
            self.connections[place.0 as usize] = Connections::default();
        }
    }

    /// What was counted at this place in this window.
    pub(crate) fn counted(&self, place: Place, window: Window) -> u64 {
        if self.current.is_none_or(|current| current.number != window.number) {
            return 0;
        }
        let tally = self.tallies.get(place.0 as usize).filter(|tally| tally.ordinal == self.ordinal);
        let connections =
            self.connections.get(place.0 as usize).filter(|known| known.ordinal == self.ordinal);
        tally.map_or(0, |tally| tally.count.into()) + connections.map_or(0, |known| known.len() as u64)
    }

    /// The window is over: its counts are final.
    pub(crate) fn settle(&mut self, window: Window, ledger: &mut Ledger, end: Timestamp) {
        for (place, alert) in std::mem::take(&mut self.breaches) {
            ledger.settle_breach(alert, self.counted(place, window), end);
        }
    }

    /// Frees the counts.
    pub(crate) fn clear(&mut self) {
        self.tallies = Vec::new();
        self.connections = Vec::new();
        self.crowded = Vec::new();
    }

    pub(crate) fn breach(&self, side: Side, group: &str, window: Window, count: u64) -> RangeBreach {
        RangeBreach {
            rule: self.counter.rule,
            side,
            min: self.rule.min(),
            max: self.rule.max(),
            window: self.rule.window(),
            window_number: window.number,
            group: group.to_owned(),
            actual_count: count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::rules;
    use crate::tests::fixture::flow;
    use std::time::Duration;

    const ORIGIN: Timestamp = Timestamp::from_secs(1_000);
    const PLACE: Place = Place(3);

    /// A gauge of connections with windows of a minute.
    fn gauge() -> Gauge {
        let row = rules().find(|rule| rule.detection.slug == "active-connections").unwrap();
        let counter = Counter { row: Arc::new(row), rule: RangeRuleType::ActiveConnections };
        Gauge::new(counter, GroupIndex::default(), RangeRule::new(0, 9, Duration::from_secs(60)).unwrap())
    }

    fn connection(number: u64) -> Flow {
        Flow { local_port: number as u16, remote_port: (number >> 16) as u16, ..flow("198.51.100.7", 1, 1) }
    }

    fn connects(gauge: &mut Gauge, number: u64) -> bool {
        gauge.connect(PLACE, &connection(number)).is_some()
    }

    #[test]
    fn counts_and_connections_of_a_window_that_is_over_are_gone() {
        let mut gauge = gauge();
        let first = gauge.window(ORIGIN, ORIGIN);
        assert!(connects(&mut gauge, 1) && connects(&mut gauge, 2) && !connects(&mut gauge, 1));
        assert_eq!(gauge.counted(PLACE, first), 2);
        let second = gauge.window(ORIGIN + Duration::from_secs(60), ORIGIN);
        assert_eq!((gauge.counted(PLACE, first), gauge.counted(PLACE, second)), (0, 0));
        assert!(connects(&mut gauge, 1));
        assert_eq!(gauge.counted(PLACE, second), 1);
    }

    #[test]
    fn what_many_connections_took_is_freed_when_their_window_is_over() {
        let mut gauge = gauge();
        gauge.window(ORIGIN, ORIGIN);
        assert!((0..50).all(|number| connects(&mut gauge, number)));
        assert!(gauge.connections[3].are_many());
        gauge.window(ORIGIN + Duration::from_secs(60), ORIGIN);
        assert!(gauge.connections.iter().all(|connections| !connections.are_many()));
        assert!((0..50).all(|number| connects(&mut gauge, number)));
    }

    #[test]
    fn the_connections_of_a_device_are_bounded_and_those_of_another_are_not_its_own() {
        let mut gauge = gauge();
        let window = gauge.window(ORIGIN, ORIGIN);
        for number in 0..65_536 {
            assert_eq!(gauge.connect(PLACE, &connection(number)), Some(number + 1));
        }
        assert!(!connects(&mut gauge, 65_536));
        assert_eq!(gauge.counted(PLACE, window), 65_536);
        assert_eq!(gauge.connect(Place(0), &connection(0)), Some(1));
    }
}
