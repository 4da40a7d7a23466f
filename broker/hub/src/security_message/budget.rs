//! How much a security message may cost to keep, in proportion to its length. Whoever decodes one spends from it
//! what the result holds beyond the bytes that were read, so that a short message cannot become a long one.

use std::cell::Cell;

/// Decoded items and text bytes allowed for each byte of the message.
const AMPLIFICATION_MAX: usize = 8;

/// What a recorded item costs. It is kept as a map of texts, many times as long as the few bytes that may stand for
/// it: an offset in FlatBuffers, `{},` in JSON.
pub(super) const ITEM_WORK: usize = 128;

/// What is left to spend.
#[derive(Debug)]
pub(super) struct Budget(Cell<usize>);

/// The message would cost more than its length allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overspent;

impl Budget {
    /// That of a message of so many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        Self(Cell::new(bytes.saturating_mul(AMPLIFICATION_MAX)))
    }

    /// Takes from it what something costs.
    pub(super) fn spend(&self, work: usize) -> Result<(), Overspent> {
        self.0.set(self.0.get().checked_sub(work).ok_or(Overspent)?);
        Ok(())
    }
}
