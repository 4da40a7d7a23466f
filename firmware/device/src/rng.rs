//! Randomness: one ChaCha20 stream for each purpose. In simulation they are seeded by the configuration and
//! repeat, on purpose; on silicon the hardware generator seeds each one.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The number by which the harness tells one boot from the next.
    BootNonce,
    /// Sequence numbers, ports and DNS identifiers.
    Network,
    /// TLS on the socket of this number.
    Tls(u8),
}

/// Where random streams come from.
pub trait Randomness {
    /// The stream of a purpose.
    fn stream(&self, purpose: Purpose) -> ChaCha20Rng;

    /// The first number of a purpose's stream.
    fn number(&self, purpose: Purpose) -> u64 {
        self.stream(purpose).next_u64()
    }
}

/// The repeatable streams of one boot.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    seed: u64,
    boot: u32,
}

impl Seeds {
    /// Of the configuration's seed and the number of boots before this one.
    pub fn new(seed: u64, boot: u32) -> Self {
        Self { seed, boot }
    }
}

impl Randomness for Seeds {
    fn stream(&self, purpose: Purpose) -> ChaCha20Rng {
        let number = match purpose {
            Purpose::BootNonce => 0,
            Purpose::Network => 1,
            Purpose::Tls(socket) => 0x100 | u32::from(socket),
        };
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::from(self.boot) << 32 | u64::from(number));
        rng
    }
}

/// Streams that a hardware generator seeds: it fills the whole 32 bytes of each seed.
pub struct HardwareSeeds<Fill>(
    /// Fills a buffer from the hardware generator.
    pub Fill,
);

impl<Fill: Fn(&mut [u8])> Randomness for HardwareSeeds<Fill> {
    fn stream(&self, _purpose: Purpose) -> ChaCha20Rng {
        let mut seed = [0; 32];
        (self.0)(&mut seed);
        ChaCha20Rng::from_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn seeded_streams_repeat_and_differ_by_purpose_and_boot() {
        let first = Seeds::new(42, 0);
        assert_eq!(first.number(Purpose::Network), Seeds::new(42, 0).number(Purpose::Network));
        assert_ne!(first.number(Purpose::Network), first.number(Purpose::BootNonce));
        assert_ne!(first.number(Purpose::Tls(0)), first.number(Purpose::Tls(1)));
        assert_ne!(first.number(Purpose::BootNonce), Seeds::new(42, 1).number(Purpose::BootNonce));
    }

    #[test]
    fn every_stream_of_a_hardware_generator_draws_a_whole_seed() {
        let drawn = Cell::new(0_u8);
        let seeds = HardwareSeeds(|buffer: &mut [u8]| {
            assert_eq!(buffer.len(), 32);
            drawn.set(drawn.get() + 1);
            buffer.fill(drawn.get());
        });
        assert_ne!(seeds.number(Purpose::Tls(0)), seeds.number(Purpose::Tls(0)));
        assert_eq!(drawn.get(), 2);
    }
}
