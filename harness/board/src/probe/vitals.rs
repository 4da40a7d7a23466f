//! Whether a processor still runs its program, and whether the program still turns: looked at now and then while a run
//! goes on, so that a fault ends it at once and not at a time limit, and so that its history is there afterwards.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use probe_rs::{Core, CoreType, MemoryInterface, Session, VectorCatchCondition};

use crate::{Beat, ProcessorEnd};

/// A glance stops an emulated core for a moment, so it is rare.
const PAUSE: Duration = Duration::from_millis(100);
/// Times at which the heartbeat stood, not looks: a firmware that hangs adds none.
const BEATS_MAX: usize = 32;

/// Debug Halting Control and Status Register, and Debug Fault Status Register: ARMv7-M C1.6.
const DHCSR: u64 = 0xE000_EDF0;
pub(super) const DFSR: u64 = 0xE000_ED30;
const S_HALT: u32 = 1 << 17;
const S_LOCKUP: u32 = 1 << 19;
const VCATCH: u32 = 1 << 3;
/// Interrupt Control and State Register, and the number of the exception that is handled.
const ICSR: u64 = 0xE000_ED04;
const VECTACTIVE: u32 = 0x1FF;

/// What the probe's thread has seen; a handle for everybody else.
#[derive(Clone, Debug, Default)]
pub(super) struct VitalSigns(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    beats: VecDeque<Beat>,
    end: Option<ProcessorEnd>,
}

impl VitalSigns {
    /// How the processor came to stand, if it does.
    pub(super) fn end(&self) -> Option<ProcessorEnd> {
        self.seen().end
    }

    /// How the heartbeat went.
    pub(super) fn beats(&self) -> Vec<Beat> {
        self.seen().beats.iter().copied().collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, at_ms: u64, count: u32) {
        let beats = &mut self.seen().beats;
        match beats.back_mut() {
            Some(last) if last.count == count => last.to_ms = at_ms,
            _ => {
                if beats.len() >= BEATS_MAX {
                    beats.pop_front();
                }
                beats.push_back(Beat { from_ms: at_ms, to_ms: at_ms, count });
            }
        }
    }
}

/// What the probe's thread looks at; nothing between runs.
#[derive(Debug, Default)]
pub(super) struct Vitals(Option<Watched>);

#[derive(Debug)]
struct Watched {
    heartbeat: Option<u64>,
    /// Whether its debug registers are known.
    tells_its_end: bool,
    signs: VitalSigns,
    began: Instant,
    next: Instant,
}

impl Vitals {
    /// Follows the run that begins now. The core is halted before its first instruction; from now on a fault halts it
    /// at the entry of the handler, and a reset before the next first instruction, while memory is as it was.
    pub(super) fn follow(
        core: &mut Core<'_>,
        heartbeat: Option<u64>,
        signs: &VitalSigns,
    ) -> Result<Self, probe_rs::Error> {
        *signs.seen() = Seen::default();
        let tells_its_end = is_cortex_m(core);
        if tells_its_end {
            // A core that catches nothing is found out by its silence.
            for condition in [VectorCatchCondition::HardFault, VectorCatchCondition::CoreReset] {
                let _ = core.enable_vector_catch(condition);
            }
            // What an earlier halt left there would be taken for the next one's cause; a written one clears.
            core.write_word_32(DFSR, 0x1F)?;
        }
        let began = Instant::now();
        let (signs, next) = (signs.clone(), began + PAUSE);
        Ok(Self(Some(Watched { heartbeat, tells_its_end, signs, began, next })))
    }

    /// How long the thread may wait for a request before it looks.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.0.as_ref().map(|watched| watched.next.saturating_duration_since(Instant::now()))
    }

    /// Looks, if it is time. A core that does not answer is found out by the next request.
    pub(super) fn look(&mut self, session: &mut Session) {
        let Some(watched) = &mut self.0 else { return };
        let now = Instant::now();
        if now < watched.next {
            return;
        }
        watched.next = now + PAUSE;
        if let Ok(mut core) = session.core(0) {
            // A failed look is no sign; whoever asks the probe for something hears of it.
            let _ = watched.look(&mut core, now);
        }
    }
}

impl Watched {
    fn look(&self, core: &mut Core<'_>, now: Instant) -> Result<(), probe_rs::Error> {
        if self.signs.end().is_some() {
            return Ok(());
        }
        if let Some(address) = self.heartbeat {
            let since = now.duration_since(self.began).as_millis();
            self.signs.add(u64::try_from(since).unwrap_or(u64::MAX), core.read_word_32(address)?);
        }
        if self.tells_its_end {
            let end = how_it_ended(core)?;
            self.signs.seen().end = end;
        }
        Ok(())
    }
}

/// How a core came to stand that nobody asked to; nothing while it runs. By what memory shows: asking probe-rs for
/// its status clears the cause.
pub(super) fn how_it_ended(core: &mut Core<'_>) -> Result<Option<ProcessorEnd>, probe_rs::Error> {
    let status = core.read_word_32(DHCSR)?;
    if status & S_LOCKUP != 0 {
        return Ok(Some(ProcessorEnd::LockedUp));
    }
    if status & S_HALT == 0 {
        return Ok(None);
    }
    if core.read_word_32(DFSR)? & VCATCH == 0 {
        return Ok(Some(ProcessorEnd::Halted));
    }
    // It handles no exception yet when it comes out of reset.
    let handled = core.read_word_32(ICSR)? & VECTACTIVE;
    Ok(Some(if handled == 0 { ProcessorEnd::Reset } else { ProcessorEnd::Fault }))
}

/// Whether it has the debug registers of this family.
pub(super) fn is_cortex_m(core: &Core<'_>) -> bool {
    matches!(core.core_type(), CoreType::Armv6m | CoreType::Armv7m | CoreType::Armv7em | CoreType::Armv8m)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_that_stands_is_one_time_and_not_many_looks() {
        let signs = VitalSigns::default();
        for at_ms in (0..10_000).step_by(100) {
            signs.add(at_ms, 7);
        }
        signs.add(10_000, 8);
        let stood = Beat { from_ms: 0, to_ms: 9_900, count: 7 };
        assert_eq!(signs.beats(), [stood, Beat { from_ms: 10_000, to_ms: 10_000, count: 8 }]);
    }

    #[test]
    fn a_long_history_keeps_its_end() {
        let signs = VitalSigns::default();
        (0..1000).for_each(|at| signs.add(u64::from(at), at));
        let beats = signs.beats();
        assert_eq!(beats.len(), BEATS_MAX);
        assert_eq!(beats.last().map(|beat| beat.count), Some(999));
    }
}
