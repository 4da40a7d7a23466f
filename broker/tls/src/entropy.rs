//! Randomness of a session: the operating system's on sockets, a seeded stream in simulation.
//!
//! rustls takes its random source and its key exchange as `&'static` parts of a configuration, without a
//! session in sight. A simulated session therefore lends its own stream to the current thread for the length
//! of one call; outside such a call everything comes from ring. With the stream, the P-256 key exchange and
//! the server's RFC 6979 signature a handshake is the same byte for byte, so TCP sequence numbers, and the
//! losses keyed to them, repeat.

use std::cell::RefCell;

use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{PublicKey, SecretKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup, ring,
};
use rustls::{Error, NamedGroup, PeerMisbehaved};

use crate::key::draw_secret;

thread_local! {
    static STREAM: RefCell<Option<ChaCha20Rng>> = const { RefCell::new(None) };
}

/// Puts the stream back where it came from, also when the work panics.
struct Loan<'a>(&'a mut Option<ChaCha20Rng>);

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        STREAM.with_borrow_mut(|current| std::mem::swap(current, self.0));
    }
}

/// Runs `work` with this stream as the thread's randomness; without one, with the operating system's.
pub(crate) fn with_stream<T>(stream: &mut Option<ChaCha20Rng>, work: impl FnOnce() -> T) -> T {
    STREAM.with_borrow_mut(|current| std::mem::swap(current, stream));
    let _loan = Loan(stream);
    work()
}

fn from_stream<T>(draw: impl FnOnce(&mut ChaCha20Rng) -> T) -> Option<T> {
    STREAM.with_borrow_mut(|stream| stream.as_mut().map(draw))
}

/// ring's provider with session streams, and with the two curves that devices bring.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![&Secp256r1, ring::kx_group::X25519, ring::kx_group::SECP384R1],
        secure_random: &Random,
        ..ring::default_provider()
    }
}

#[derive(Debug)]
struct Random;

impl SecureRandom for Random {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        match from_stream(|stream| stream.fill_bytes(out)) {
            Some(()) => Ok(()),
            None => ring::default_provider().secure_random.fill(out),
        }
    }
}

#[derive(Debug)]
struct Secp256r1;

impl SupportedKxGroup for Secp256r1 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        match from_stream(draw_secret) {
            Some(secret) => Ok(Box::new(StreamExchange::new(secret))),
            None => ring::kx_group::SECP256R1.start(),
        }
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

struct StreamExchange {
    secret: SecretKey,
    point: Vec<u8>,
}

impl StreamExchange {
    fn new(secret: SecretKey) -> Self {
        let point = secret.public_key().to_encoded_point(false).as_bytes().to_vec();
        Self { secret, point }
    }
}

impl ActiveKeyExchange for StreamExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let refused = || Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
        // RFC 8446, 4.2.8.2: uncompressed points only.
        let peer = Some(peer).filter(|point| point.first() == Some(&4)).ok_or_else(refused)?;
        let peer = PublicKey::from_sec1_bytes(peer).map_err(|_| refused())?;
        let shared = p256::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(SharedSecret::from(&shared.raw_secret_bytes()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.point
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    fn draw() -> [u8; 16] {
        let mut out = [0; 16];
        Random.fill(&mut out).unwrap();
        out
    }

    #[test]
    fn a_lent_stream_repeats_and_goes_on_where_it_stopped() {
        let mut stream = Some(Seed::from(1).stream("a"));
        let first = with_stream(&mut stream, draw);
        let second = with_stream(&mut stream, draw);
        assert_ne!(first, second);
        assert_eq!(with_stream(&mut Some(Seed::from(1).stream("a")), draw), first);
        assert_ne!(draw(), draw());
    }

    #[test]
    fn the_exchange_agrees_with_rings_and_refuses_bad_points() {
        let mut stream = Some(Seed::from(1).stream("a"));
        let ours = with_stream(&mut stream, || Secp256r1.start().unwrap());
        let theirs = Secp256r1.start().unwrap();
        let (our_point, their_point) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
        let ours = ours.complete(&their_point).unwrap();
        assert_eq!(ours.secret_bytes(), theirs.complete(&our_point).unwrap().secret_bytes());
        for bad in [&[][..], &[4; 65], &[2; 33], &[0]] {
            let exchange = with_stream(&mut stream, || Secp256r1.start().unwrap());
            assert!(exchange.complete(bad).is_err());
        }
    }
}
