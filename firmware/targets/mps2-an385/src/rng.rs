//! Randomness: ChaCha20 seeded by the configuration, one stream for each purpose and boot. It repeats, on
//! purpose; a physical board must use its hardware generator instead.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// What a stream is for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// The number by which the harness tells one boot from the next.
    BootNonce,
    /// Sequence numbers, ports and DNS identifiers.
    Network,
    /// TLS on the socket of this number.
    Tls(u8),
}

/// The streams of one boot.
#[derive(Clone, Copy)]
pub(crate) struct Seeds {
    seed: u64,
    boot: u32,
}

impl Seeds {
    pub(crate) fn new(seed: u64, boot: u32) -> Self {
        Self { seed, boot }
    }

    pub(crate) fn stream(self, purpose: Purpose) -> ChaCha20Rng {
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
