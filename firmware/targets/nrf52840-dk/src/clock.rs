//! Microseconds since the start, from TIMER0. The HAL's own driver counts 32768 a second, and the link speaks of
//! microseconds.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_nrf::interrupt::typelevel::{Binding, Handler, Interrupt, TIMER0};
use embassy_nrf::pac::timer::vals::{Bitmode, Mode};
use embassy_nrf::{Peri, pac, peripherals};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;
use hilarm_device::WideCounter;

/// 16 MHz divided by 2 to this power is one count a microsecond.
const PRESCALER: u8 = 4;
/// The alarm's register and the one that a look at the counter goes to.
const ALARM: usize = 0;
const LOOK: usize = 1;
/// The counter is looked at twice a round at least.
const SLEEP_US_MAX: u64 = 1 << 31;
/// A compare register set this close to the counter might be passed before it counts.
const SLEEP_US_MIN: u64 = 3;

struct Clock {
    state: Mutex<RefCell<State>>,
}

struct State {
    counter: WideCounter,
    queue: Queue,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    state: Mutex::new(RefCell::new(State { counter: WideCounter::new(), queue: Queue::new() })),
});

impl State {
    fn now(&mut self) -> u64 {
        let timer = pac::TIMER0;
        timer.tasks_capture(LOOK).write_value(1);
        self.counter.widen(timer.cc(LOOK).read())
    }

    /// Wakes what is due and sets the alarm to what comes next.
    fn set_alarm(&mut self) {
        let timer = pac::TIMER0;
        loop {
            let now = self.now();
            let next = self.queue.next_expiration(now).min(now + SLEEP_US_MAX);
            timer.cc(ALARM).write_value(next as u32);
            // One that was passed while it was being set would come a whole round late.
            if self.now() + SLEEP_US_MIN < next {
                return;
            }
        }
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.state.borrow_ref_mut(cs).now())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let mut state = self.state.borrow_ref_mut(cs);
            if state.queue.schedule_wake(at, waker) {
                state.set_alarm();
            }
        });
    }
}

/// The alarm's interrupt.
pub(crate) struct Alarm;

impl Handler<TIMER0> for Alarm {
    unsafe fn on_interrupt() {
        pac::TIMER0.events_compare(ALARM).write_value(0);
        critical_section::with(|cs| CLOCK.state.borrow_ref_mut(cs).set_alarm());
    }
}

/// Starts the clock. To be called once, before anything asks for the time.
pub(crate) fn start(_timer: Peri<'static, peripherals::TIMER0>, _interrupts: impl Binding<TIMER0, Alarm>) {
    let timer = pac::TIMER0;
    timer.tasks_stop().write_value(1);
    timer.mode().write(|w| w.set_mode(Mode::Timer));
    timer.bitmode().write(|w| w.set_bitmode(Bitmode::_32bit));
    timer.prescaler().write(|w| w.set_prescaler(PRESCALER));
    timer.tasks_clear().write_value(1);
    timer.intenset().write(|w| w.set_compare(ALARM, true));
    timer.tasks_start().write_value(1);
    critical_section::with(|cs| CLOCK.state.borrow_ref_mut(cs).set_alarm());
    TIMER0::unpend();
    // SAFETY: the handler touches the timer and the clock's state, the latter within critical sections.
    unsafe { TIMER0::enable() };
}
