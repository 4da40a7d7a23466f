//! What is under way: every delayed thing of the network in one deterministic order, by due time and then
//! by the order of sending. Within one direction of one link nothing overtakes, also when latency falls.

use std::collections::BTreeMap;

use hilarm_model::Monotonic;

use crate::LinkId;

/// Which way a thing travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    FromDevice,
    ToDevice,
}

/// The queue of one network.
#[derive(Debug)]
pub(crate) struct Wire<T> {
    queue: BTreeMap<(Monotonic, u64), (LinkId, Option<Direction>, T)>,
    order: u64,
    lanes: BTreeMap<(LinkId, Direction), Lane>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    last_due: Monotonic,
    under_way: usize,
}

impl<T> Wire<T> {
    pub(crate) fn new() -> Self {
        Self { queue: BTreeMap::new(), order: 0, lanes: BTreeMap::new() }
    }

    /// Sends behind everything else of that direction.
    pub(crate) fn send(&mut self, link: LinkId, direction: Direction, due: Monotonic, item: T) {
        let lane = self.lanes.entry((link, direction)).or_default();
        lane.last_due = lane.last_due.max(due);
        lane.under_way += 1;
        let due = lane.last_due;
        self.insert(due, (link, Some(direction), item));
    }

    /// A timer of a link: due at its time, in no direction's order.
    pub(crate) fn at(&mut self, link: LinkId, due: Monotonic, item: T) {
        self.insert(due, (link, None, item));
    }

    fn insert(&mut self, due: Monotonic, entry: (LinkId, Option<Direction>, T)) {
        self.queue.insert((due, self.order), entry);
        self.order += 1;
    }

    /// How many things are under way in a direction.
    pub(crate) fn under_way(&self, link: LinkId, direction: Direction) -> usize {
        self.lanes.get(&(link, direction)).map_or(0, |lane| lane.under_way)
    }

    pub(crate) fn pop_due(&mut self, now: Monotonic) -> Option<(LinkId, T)> {
        let first = self.queue.first_entry().filter(|first| first.key().0 <= now)?;
        let (link, direction, item) = first.remove();
        if let Some(lane) = direction.and_then(|direction| self.lanes.get_mut(&(link, direction))) {
            lane.under_way -= 1;
        }
        Some((link, item))
    }

    pub(crate) fn next_due(&self) -> Option<Monotonic> {
        self.queue.first_key_value().map(|(key, _)| key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{FromDevice, ToDevice};

    fn at(micros: u64) -> Monotonic {
        Monotonic::from_micros(micros)
    }

    #[test]
    fn things_arrive_in_the_order_of_their_time_and_nothing_arrives_early() {
        let mut wire = Wire::new();
        wire.send(LinkId(0), ToDevice, at(10), 'b');
        wire.send(LinkId(1), ToDevice, at(5), 'a');
        wire.send(LinkId(2), ToDevice, at(10), 'c');
        assert_eq!(wire.pop_due(at(4)), None);
        assert_eq!(wire.next_due(), Some(at(5)));
        let order: Vec<char> = std::iter::from_fn(|| wire.pop_due(at(10)).map(|(_, item)| item)).collect();
        assert_eq!(order, ['a', 'b', 'c']);
    }

    #[test]
    fn nothing_overtakes_within_a_direction() {
        let mut wire = Wire::new();
        wire.send(LinkId(0), FromDevice, at(50), 1);
        wire.send(LinkId(0), FromDevice, at(10), 2);
        wire.send(LinkId(0), ToDevice, at(10), 3);
        wire.at(LinkId(0), at(9), 4);
        assert_eq!(wire.under_way(LinkId(0), FromDevice), 2);
        let order: Vec<i32> = std::iter::from_fn(|| wire.pop_due(at(50)).map(|(_, item)| item)).collect();
        assert_eq!(order, [4, 3, 1, 2]);
        assert_eq!(wire.under_way(LinkId(0), FromDevice), 0);
    }
}
