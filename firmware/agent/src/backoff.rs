//! Growing pauses between tries: 1 s, 2 s, 4 s ... 60 s, each lengthened by a seeded part of up to half.

use crate::random::Random;

const FIRST_US: u64 = 1_000_000;
const LONGEST_US: u64 = 60_000_000;

/// The pauses of one component.
pub(crate) struct Backoff {
    next_us: u64,
    random: Random,
}

impl Backoff {
    /// Pauses whose jitter comes from `random`.
    pub(crate) fn new(random: Random) -> Self {
        Self { next_us: FIRST_US, random }
    }

    /// Begins again at the shortest pause.
    pub(crate) fn reset(&mut self) {
        self.next_us = FIRST_US;
    }

    /// The next pause.
    pub(crate) fn next_pause_us(&mut self) -> u64 {
        let pause_us = self.next_us;
        self.next_us = (pause_us * 2).min(LONGEST_US);
        (pause_us + self.random.below(pause_us / 2)).min(LONGEST_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_one_second_to_sixty_and_reset_starts_over() {
        let mut backoff = Backoff::new(Random::new(7, "test"));
        let first = backoff.next_pause_us();
        assert!((1_000_000..1_500_000).contains(&first), "{first}");
        let pauses: alloc::vec::Vec<u64> = (0..10).map(|_| backoff.next_pause_us()).collect();
        assert!((2_000_000..3_000_000).contains(&pauses[0]), "{pauses:?}");
        assert_eq!(pauses[9], LONGEST_US);
        backoff.reset();
        assert!(backoff.next_pause_us() < 1_500_000);
    }
}
