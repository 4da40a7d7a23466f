//! What happened on the device and waits for its collector, within bounds: the oldest is lost first, and counted.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// How many happenings of one kind wait for their collector.
pub(super) const HAPPENINGS_MAX: usize = 256;

/// Happenings of one kind since the last collection.
pub(super) struct Happenings<T> {
    kept: VecDeque<T>,
    lost: u32,
}

impl<T> Default for Happenings<T> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), lost: 0 }
    }
}

impl<T> Happenings<T> {
    /// Keeps a happening.
    pub(super) fn note(&mut self, happening: T) {
        if self.kept.len() >= HAPPENINGS_MAX {
            self.kept.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        self.kept.push_back(happening);
    }

    /// The happenings since the last time.
    pub(super) fn take(&mut self) -> Noted<T> {
        let Self { kept, lost } = core::mem::take(self);
        Noted { kept: kept.into(), lost }
    }
}

/// Happenings as a collector gets them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Noted<T> {
    /// Those that were kept, the oldest first.
    pub(crate) kept: Vec<T>,
    /// How many older ones there was no room for.
    pub(crate) lost: u32,
}

impl<T> Noted<T> {
    /// The same happenings in other words.
    pub(crate) fn map<U>(self, word: impl FnMut(T) -> U) -> Noted<U> {
        Noted { kept: self.kept.into_iter().map(word).collect(), lost: self.lost }
    }
}

/// Happenings of which none was lost.
impl<T> FromIterator<T> for Noted<T> {
    fn from_iter<I: IntoIterator<Item = T>>(kept: I) -> Self {
        Self { kept: kept.into_iter().collect(), lost: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_collector_takes_is_bounded_and_the_oldest_goes_first_and_is_counted() {
        let mut happenings = Happenings::default();
        for number in 0..HAPPENINGS_MAX + 3 {
            happenings.note(number);
        }
        let noted = happenings.take();
        assert_eq!((noted.kept.len(), noted.kept[0], noted.lost), (HAPPENINGS_MAX, 3, 3));
        assert_eq!(happenings.take(), Noted { kept: Vec::new(), lost: 0 });
    }
}
