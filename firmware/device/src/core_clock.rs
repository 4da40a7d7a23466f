//! A clock from the timer that every core of this kind has (SysTick, "Armv7-M Architecture Reference Manual", B3.3),
//! for boards that live in their own time and have no better one. It ticks a thousand times a second.

use core::cell::RefCell;
use core::task::Waker;

use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

const TICK_US: u32 = 1000;

/// A driver behind `embassy_time`. A target hands it to `time_driver_impl!`, starts it, and calls it at every tick.
pub struct CoreClock {
    /// Cycles of the core in a microsecond.
    core_mhz: u32,
    state: Mutex<RefCell<State>>,
}

struct State {
    ticks: u64,
    queue: Queue,
}

impl CoreClock {
    /// Time stands at zero until [`start`](Self::start).
    pub const fn new(core_mhz: u32) -> Self {
        Self { core_mhz, state: Mutex::new(RefCell::new(State { ticks: 0, queue: Queue::new() })) }
    }

    fn counts_a_tick(&self) -> u32 {
        self.core_mhz * TICK_US
    }

    /// Lets time pass. To be called once, before anything asks for the time.
    pub fn start(&self) {
        // SAFETY: the timer is this clock's alone.
        let mut timer = unsafe { cortex_m::Peripherals::steal() }.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(self.counts_a_tick() - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
    }

    /// The timer's exception.
    pub fn on_tick(&self) {
        critical_section::with(|cs| {
            let mut state = self.state.borrow_ref_mut(cs);
            state.ticks += 1;
            let now = state.ticks * u64::from(TICK_US);
            // Wakes what is due; what is due before the next tick waits for it.
            state.queue.next_expiration(now);
        });
    }

    /// Counts since the last tick, and whether that tick has not been handled yet.
    fn since_tick(&self) -> (u32, bool) {
        let before = SCB::is_pendst_pending();
        let left = SYST::get_current();
        let pending = SCB::is_pendst_pending();
        // It ticked between two looks: this one is after the tick for certain.
        let left = if before == pending { left } else { SYST::get_current() };
        (counted(left, self.counts_a_tick()), pending)
    }
}

/// Counts since the tick, which the timer's zero is: from there it begins anew at the top.
fn counted(left: u32, counts_a_tick: u32) -> u32 {
    if left == 0 { 0 } else { counts_a_tick - left }
}

impl Driver for CoreClock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| {
            let (counts, pending) = self.since_tick();
            let ticks = self.state.borrow_ref(cs).ticks + u64::from(pending);
            ticks * u64::from(TICK_US) + u64::from(counts / self.core_mhz)
        })
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            self.state.borrow_ref_mut(cs).queue.schedule_wake(at, waker);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_counted_from_the_timers_zero() {
        let counts = CoreClock::new(168).counts_a_tick();
        assert_eq!(counts, 168_000);
        let seen = [0, counts - 1, counts - 168, 1].map(|left| counted(left, counts) / 168);
        assert_eq!(seen, [0, 0, 1, 999], "microseconds since the tick, never a whole one");
    }
}
