//! What every range rule must do, given an event that counts.

use hilarm_model::{HubEvent, RangeRuleType};

use super::fixture::{DEVICE, World, at, ranged};
use crate::Side;

/// A range rule and the events that it counts: each number is another one.
pub(crate) struct Row {
    pub(crate) slug: &'static str,
    pub(crate) rule: RangeRuleType,
    pub(crate) event: fn(&str, u64) -> HubEvent,
}

impl Row {
    /// A device whose group allows `min..=max` of it a minute.
    pub(crate) fn world(&self, min: u64, max: u64) -> World {
        let mut world = World::provisioned(ranged(self.rule, min, max, 60));
        world.start();
        world
    }

    /// Fires on the event that exceeds the maximum, and on a window below the minimum; counts on to the close.
    pub(crate) fn fires(&self) {
        let mut world = self.world(1, 2);
        (0..4).for_each(|number| world.see(number as i64, (self.event)(DEVICE, number)));
        world.defender.advance_to(at(120));
        let found = world.alerts(self.slug).into_iter().map(|alert| {
            let range = alert.range.as_ref().unwrap();
            assert_eq!((range.rule, alert.facts["DeviceId"].as_str()), (self.rule, DEVICE));
            (range.side, range.window_number, alert.count)
        });
        assert_eq!(found.collect::<Vec<_>>(), [(Side::Above, 0, 4), (Side::Below, 1, 0)]);
        assert_eq!(world.defender.considered(self.slug), 4);
    }

    /// One fewer than the minimum and one more than the maximum fire; neither end does.
    pub(crate) fn allows_both_ends(&self) {
        for (count, alerts) in [(1, 1), (2, 0), (3, 0), (4, 1)] {
            let mut world = self.world(2, 3);
            (0..count).for_each(|number| world.see(1, (self.event)(DEVICE, number)));
            world.defender.advance_to(at(60));
            world.expect(self.slug, alerts);
        }
    }

    /// Does not count these, however often.
    pub(crate) fn stays_silent_on<const N: usize>(&self, events: [HubEvent; N]) {
        for event in events {
            let mut world = self.world(0, 0);
            (0..3).for_each(|second| world.see(second, event.clone()));
            world.expect(self.slug, 0);
            assert_eq!(world.defender.considered(self.slug), 0, "{event:?}");
        }
    }
}
