//! Bytes between a receive interrupt and the link's task.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use critical_section::Mutex;
use embassy_sync::waitqueue::AtomicWaker;

use crate::link::Receive;

/// Filled by an interrupt, emptied by the link's task. It must hold the longest frame that comes while the
/// device computes.
pub struct ReceiveRing<const BYTES: usize> {
    ring: Mutex<RefCell<Ring<BYTES>>>,
    waker: AtomicWaker,
}

impl<const BYTES: usize> ReceiveRing<BYTES> {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "made in a static alone")]
    pub const fn new() -> Self {
        let ring = Ring { bytes: [0; BYTES], start: 0, length: 0, overruns: 0 };
        Self { ring: Mutex::new(RefCell::new(ring)), waker: AtomicWaker::new() }
    }

    /// Takes bytes until `next` has none. For the interrupt.
    pub fn fill(&self, mut next: impl FnMut() -> Option<u8>) {
        let wake = critical_section::with(|cs| {
            let mut ring = self.ring.borrow_ref_mut(cs);
            let mut wake = false;
            while let Some(byte) = next() {
                wake |= ring.push(byte);
            }
            wake
        });
        if wake {
            self.waker.wake();
        }
    }
}

impl<const BYTES: usize> Receive for &'static ReceiveRing<BYTES> {
    async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        poll_fn(|context| {
            self.waker.register(context.waker());
            match critical_section::with(|cs| self.ring.borrow_ref_mut(cs).pop(buffer)) {
                0 => Poll::Pending,
                taken => Poll::Ready(taken),
            }
        })
        .await
    }

    fn overruns(&self) -> u32 {
        critical_section::with(|cs| self.ring.borrow_ref(cs).overruns)
    }
}

struct Ring<const BYTES: usize> {
    bytes: [u8; BYTES],
    start: usize,
    length: usize,
    overruns: u32,
}

impl<const BYTES: usize> Ring<BYTES> {
    /// Keeps the byte and tells whether the reader should look: at a frame's end, or before the ring is full.
    fn push(&mut self, byte: u8) -> bool {
        if self.length == BYTES {
            self.overruns = self.overruns.wrapping_add(1);
            return true;
        }
        self.bytes[(self.start + self.length) % BYTES] = byte;
        self.length += 1;
        byte == 0 || self.length > BYTES / 2
    }

    fn pop(&mut self, buffer: &mut [u8]) -> usize {
        let taken = self.length.min(buffer.len());
        for slot in &mut buffer[..taken] {
            *slot = self.bytes[self.start];
            self.start = (self.start + 1) % BYTES;
        }
        self.length -= taken;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Ring<8> {
        Ring { bytes: [0; 8], start: 0, length: 0, overruns: 0 }
    }

    #[test]
    fn bytes_come_out_in_order_also_around_the_end() {
        let mut ring = empty();
        for round in 0..5_u8 {
            (0..6).for_each(|byte| {
                ring.push(round * 6 + byte);
            });
            let mut taken = [0; 6];
            assert_eq!(ring.pop(&mut taken), 6);
            assert_eq!(taken, core::array::from_fn(|at| round * 6 + at as u8));
        }
        assert_eq!(ring.pop(&mut [0; 1]), 0);
    }

    #[test]
    fn a_full_ring_counts_what_it_loses_and_keeps_what_it_has() {
        let mut ring = empty();
        (1..=10).for_each(|byte| {
            ring.push(byte);
        });
        assert_eq!(ring.overruns, 2);
        let mut taken = [0; 10];
        assert_eq!(ring.pop(&mut taken), 8);
        assert_eq!(taken[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn the_reader_is_woken_at_a_frames_end_and_before_the_ring_is_full() {
        let mut ring = empty();
        assert!(!ring.push(1) && ring.push(0));
        assert!(!ring.push(1) && !ring.push(1) && ring.push(1));
    }
}
