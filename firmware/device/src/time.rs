//! Time. Under a harness that grants it there is no clock: the time driver returns a variable that only a
//! [`Grant`] moves, so ten minutes of waiting cost no more than the events within them. A board with a clock
//! of its own keeps its monotonic time, and a grant tells it the calendar alone.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use critical_section::Mutex;
use embassy_time::Instant;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;
use hilarm_agent::Now;
use hilarm_link::Grant;

/// Who moves monotonic time.
#[derive(Clone, Copy)]
pub enum Pace {
    /// The harness, by grants. The driver is the one that the target gave to `embassy_time_driver`.
    Granted(&'static GrantedTime),
    /// A clock of the board.
    Real,
}

/// A driver behind `embassy_time` that only grants move. A target hands it to `time_driver_impl!`.
pub struct GrantedTime {
    state: Mutex<RefCell<State>>,
}

struct State {
    mono_us: u64,
    queue: Queue,
}

impl GrantedTime {
    /// Time stands at zero.
    #[expect(clippy::new_without_default, reason = "made in a static alone")]
    pub const fn new() -> Self {
        Self { state: Mutex::new(RefCell::new(State { mono_us: 0, queue: Queue::new() })) }
    }

    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        critical_section::with(|cs| f(&mut self.state.borrow_ref_mut(cs)))
    }

    /// Wakes whatever is due and returns the next alarm.
    pub(crate) fn next_deadline_us(&self) -> Option<u64> {
        let next = self.with(|state| state.queue.next_expiration(state.mono_us));
        (next != u64::MAX).then_some(next)
    }
}

impl Driver for GrantedTime {
    fn now(&self) -> u64 {
        self.with(|state| state.mono_us)
    }

    /// Only notes the alarm: the executor asks for due alarms before it sleeps.
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        self.with(|state| state.queue.schedule_wake(at, waker));
    }
}

/// A counter of 32 bits made wide. It must be looked at once a round at least.
#[derive(Debug)]
pub struct WideCounter {
    rounds: u64,
    last: u32,
}

impl WideCounter {
    /// At zero.
    #[expect(clippy::new_without_default, reason = "made in a static alone")]
    pub const fn new() -> Self {
        Self { rounds: 0, last: 0 }
    }

    /// What the counter would read now if it were wide.
    pub fn widen(&mut self, count: u32) -> u64 {
        if count < self.last {
            self.rounds += 1 << 32;
        }
        self.last = count;
        self.rounds | u64::from(count)
    }
}

/// What the last grant said of the calendar, and when it came.
#[derive(Clone, Copy)]
struct Calendar {
    unix_us: i64,
    at_mono_us: u64,
}

/// Nothing before the first grant: the device does not know the date yet.
static CALENDAR: Mutex<Cell<Option<Calendar>>> = Mutex::new(Cell::new(None));

/// Moves time. A grant that would move monotonic time backwards moves the calendar only.
pub(crate) fn grant(pace: Pace, grant: &Grant) {
    if let Pace::Granted(time) = pace {
        time.with(|state| state.mono_us = state.mono_us.max(grant.mono_us));
    }
    let calendar = Calendar { unix_us: grant.unix_us, at_mono_us: Instant::now().as_micros() };
    critical_section::with(|cs| CALENDAR.borrow(cs).set(Some(calendar)));
}

/// Both clocks; nothing before the first grant.
pub(crate) fn now() -> Option<Now> {
    let calendar = critical_section::with(|cs| CALENDAR.borrow(cs).get())?;
    let mono_us = Instant::now().as_micros();
    let since_us = i64::try_from(mono_us.saturating_sub(calendar.at_mono_us)).unwrap_or(i64::MAX);
    Some(Now { mono_us, unix_us: calendar.unix_us.saturating_add(since_us) })
}

/// The calendar as certificates need it, in seconds.
pub(crate) fn unix_s() -> Option<u64> {
    now().and_then(|now| u64::try_from(now.unix_us / 1_000_000).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    embassy_time_driver::time_driver_impl!(static TIME: GrantedTime = GrantedTime::new());

    #[test]
    fn a_wide_counter_goes_on_where_the_narrow_one_begins_anew() {
        let mut wide = WideCounter::new();
        assert_eq!(wide.widen(7), 7);
        assert_eq!(wide.widen(u32::MAX), 0xFFFF_FFFF);
        assert_eq!(wide.widen(0), 1 << 32);
        assert_eq!(wide.widen(0), 1 << 32, "the same instant twice is no round");
        assert_eq!(wide.widen(5), (1 << 32) + 5);
        assert_eq!(wide.widen(4), (2 << 32) + 4);
    }

    fn granted(seq: u32, mono_us: u64, unix_us: i64) -> Option<Now> {
        grant(Pace::Granted(&TIME), &Grant { seq, mono_us, unix_us });
        now()
    }

    // One test, because both clocks are statics.
    #[test]
    fn only_grants_move_time_and_the_calendar_may_jump_while_time_stands() {
        assert_eq!(now(), None, "no date before the first grant");
        assert_eq!(granted(1, 5, 1_000_000), Some(Now { mono_us: 5, unix_us: 1_000_000 }));
        assert_eq!(granted(2, 5, 3_600_000_000), Some(Now { mono_us: 5, unix_us: 3_600_000_000 }));
        assert_eq!(unix_s(), Some(3_600));
        assert_eq!(granted(3, 1, 7), Some(Now { mono_us: 5, unix_us: 7 }), "never backwards");
        assert_eq!(TIME.next_deadline_us(), None);
        TIME.schedule_wake(9, Waker::noop());
        assert_eq!(TIME.next_deadline_us(), Some(9));
        granted(4, 9, 7);
        assert_eq!(TIME.next_deadline_us(), None, "it is due, and woken");
        // A board with a clock of its own is told the calendar alone.
        grant(Pace::Real, &Grant { seq: 5, mono_us: 1_000, unix_us: 50 });
        assert_eq!(now(), Some(Now { mono_us: 9, unix_us: 50 }));
    }
}
