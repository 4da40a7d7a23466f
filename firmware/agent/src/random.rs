//! Seeded random streams: ChaCha20, its key derived from the device's seed and a component's name, so that
//! one component's draws never move another's.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// One component's random stream.
pub(crate) struct Random(ChaCha20Rng);

impl Random {
    /// The stream of `component` under `seed`.
    pub(crate) fn new(seed: u64, component: &str) -> Self {
        let key = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(component).finalize();
        Self(ChaCha20Rng::from_seed(key.into()))
    }

    /// A number from 0 up to but not including `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of this reduction is far below anything a scenario could see.
        (u128::from(self.0.next_u64()).wrapping_mul(u128::from(bound)) >> 64) as u64
    }

    /// Bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_and_names_give_equal_streams_and_other_names_others() {
        let draw = |seed, name| Random::new(seed, name).bytes::<16>();
        assert_eq!(draw(42, "backoff"), draw(42, "backoff"));
        assert_ne!(draw(42, "backoff"), draw(42, "telemetry"));
        assert_ne!(draw(42, "backoff"), draw(43, "backoff"));
    }

    #[test]
    fn draws_stay_below_their_bound() {
        let mut random = Random::new(1, "test");
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
    }
}
