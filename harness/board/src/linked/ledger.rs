//! What crossed between harness and device, in each direction. A device is idle only when it says so and its
//! counters agree with these: then nothing is under way between the two.

use hilarm_link::{Grant, Idle};
use hilarm_model::Now;

/// The harness's counters, the last grant and the last idle.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Its number is 0 before the first.
    granted: Grant,
    idle: Idle,
    /// Messages that crossed the link's byte stream. An [`Idle`] is none: it could never account for itself.
    link_tx: u32,
    link_rx: u32,
    /// Frames that crossed an interface of the device's own; those over the link are messages.
    frames_tx: u32,
    frames_rx: u32,
    boot_nonce: Option<u64>,
}

impl Ledger {
    /// Nothing has crossed.
    pub(super) fn new() -> Self {
        Self {
            granted: Grant { seq: 0, mono_us: 0, unix_us: 0 },
            idle: Idle::default(),
            link_tx: 0,
            link_rx: 0,
            frames_tx: 0,
            frames_rx: 0,
            boot_nonce: None,
        }
    }

    /// Numbers the next grant.
    pub(super) fn next_grant(&mut self, now: Now) -> Grant {
        self.granted = Grant {
            seq: self.granted.seq.wrapping_add(1),
            mono_us: now.mono.as_micros(),
            unix_us: now.unix.as_micros(),
        };
        self.granted
    }

    /// Whether the device has been granted this very instant.
    pub(super) fn is_current(&self, now: Now) -> bool {
        self.granted.seq != 0
            && self.granted.mono_us == now.mono.as_micros()
            && self.granted.unix_us == now.unix.as_micros()
    }

    pub(super) fn message_sent(&mut self) {
        self.link_tx = self.link_tx.wrapping_add(1);
    }

    pub(super) fn message_received(&mut self) {
        self.link_rx = self.link_rx.wrapping_add(1);
    }

    pub(super) fn frame_sent(&mut self) {
        self.frames_tx = self.frames_tx.wrapping_add(1);
    }

    pub(super) fn frame_received(&mut self) {
        self.frames_rx = self.frames_rx.wrapping_add(1);
    }

    pub(super) fn idled(&mut self, idle: Idle) {
        self.idle = idle;
    }

    pub(super) fn idle(&self) -> &Idle {
        &self.idle
    }

    /// Notes a boot; answers with the nonce of an earlier one.
    pub(super) fn booted(&mut self, nonce: u64) -> Option<u64> {
        let earlier = self.boot_nonce;
        self.boot_nonce = earlier.or(Some(nonce));
        earlier
    }

    pub(super) fn boot_nonce(&self) -> Option<u64> {
        self.boot_nonce
    }

    /// Whether the last idle accounts for all that crossed.
    pub(super) fn is_settled(&self) -> bool {
        self.boot_nonce.is_some()
            && self.idle.seq == self.granted.seq
            && self.idle.link_rx == self.link_tx
            && self.idle.link_tx == self.link_rx
            && self.idle.frames_rx == self.frames_tx
            && self.idle.frames_tx == self.frames_rx
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hilarm_model::{Monotonic, Timestamp};

    fn now(micros: u64) -> Now {
        Now { mono: Monotonic::from_micros(micros), unix: Timestamp::from_secs(1_767_225_600) }
    }

    #[test]
    fn a_device_that_never_booted_is_never_settled() {
        let mut ledger = Ledger::new();
        ledger.idled(Idle::default());
        assert!(!ledger.is_settled());
        ledger.message_received();
        assert_eq!(ledger.booted(7), None);
        ledger.idled(Idle { link_tx: 1, ..Idle::default() });
        assert!(ledger.is_settled());
    }

    #[test]
    fn each_thing_under_way_unsettles() {
        let crossings: [fn(&mut Ledger); 5] = [
            Ledger::message_sent,
            Ledger::message_received,
            Ledger::frame_sent,
            Ledger::frame_received,
            |ledger| {
                ledger.next_grant(now(1));
            },
        ];
        for (number, cross) in crossings.into_iter().enumerate() {
            let mut ledger = Ledger::new();
            ledger.booted(7);
            assert!(ledger.is_settled());
            cross(&mut ledger);
            assert!(!ledger.is_settled(), "crossing {number}");
        }
    }

    #[test]
    fn the_same_instant_is_granted_once() {
        let mut ledger = Ledger::new();
        assert!(!ledger.is_current(now(0)), "nothing was granted yet");
        assert_eq!(ledger.next_grant(now(0)).seq, 1);
        assert!(ledger.is_current(now(0)));
        assert!(!ledger.is_current(now(1)));
    }

    #[test]
    fn a_second_boot_answers_with_the_first() {
        let mut ledger = Ledger::new();
        assert_eq!(ledger.booted(7), None);
        assert_eq!(ledger.booted(8), Some(7));
    }
}
