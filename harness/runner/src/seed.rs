//! One seed a scenario; each component's stream derives from the seed and the component's name.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};

/// The seed of one component's stream.
pub(crate) fn derive(seed: u64, component: &str) -> u64 {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(component).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// A key of 32 bytes, as IoT Hub generates them.
pub(crate) fn key(seed: u64, component: &str) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    ChaCha20Rng::seed_from_u64(derive(seed, component)).fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_have_streams_of_their_own() {
        assert_eq!(derive(42, "hub"), derive(42, "hub"));
        assert_ne!(derive(42, "hub"), derive(42, "network"));
        assert_ne!(derive(42, "hub"), derive(43, "hub"));
        assert_ne!(key(42, "a"), key(42, "b"));
    }
}
