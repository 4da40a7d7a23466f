//! Time as the harness grants it. There is no clock here: the time driver returns a variable that only a
//! [`Grant`] moves, so ten minutes of waiting cost no more than the events within them.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;
use hilarm_agent::Now;
use hilarm_link::Grant;

/// The driver behind `embassy_time`, and the calendar.
struct GrantedTime {
    state: Mutex<RefCell<State>>,
}

struct State {
    mono_us: u64,
    /// Nothing before the first grant: the device does not know the date yet.
    unix_us: Option<i64>,
    queue: Queue,
}

embassy_time_driver::time_driver_impl!(static TIME: GrantedTime = GrantedTime {
    state: Mutex::new(RefCell::new(State { mono_us: 0, unix_us: None, queue: Queue::new() })),
});

impl GrantedTime {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        critical_section::with(|cs| f(&mut self.state.borrow_ref_mut(cs)))
    }
}

impl Driver for GrantedTime {
    fn now(&self) -> u64 {
        self.with(|state| state.mono_us)
    }

    /// Only notes the alarm: the executor asks for due alarms before it sleeps ([`next_deadline_us`]).
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        self.with(|state| state.queue.schedule_wake(at, waker));
    }
}

/// Moves time. A grant that would move monotonic time backwards moves the calendar only.
pub(crate) fn grant(grant: &Grant) {
    TIME.with(|state| {
        state.mono_us = state.mono_us.max(grant.mono_us);
        state.unix_us = Some(grant.unix_us);
    });
}

/// Wakes whatever is due and returns the next alarm.
pub(crate) fn next_deadline_us() -> Option<u64> {
    let next = TIME.with(|state| state.queue.next_expiration(state.mono_us));
    (next != u64::MAX).then_some(next)
}

/// Both clocks; nothing before the first grant.
pub(crate) fn now() -> Option<Now> {
    TIME.with(|state| state.unix_us.map(|unix_us| Now { mono_us: state.mono_us, unix_us }))
}

/// The calendar as certificates need it, in seconds.
pub(crate) fn unix_s() -> Option<u64> {
    now().and_then(|now| u64::try_from(now.unix_us / 1_000_000).ok())
}
