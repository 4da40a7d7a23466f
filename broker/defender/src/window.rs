//! Tumbling windows `[k*W, (k+1)*W)` from the start of monitoring, on the hub's calendar clock.

use std::time::Duration;

use hilarm_model::Timestamp;

/// One window. Its end belongs to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// 0-based, from the start of monitoring.
    pub(crate) number: u64,
    /// First instant.
    pub(crate) start: Timestamp,
    /// First instant after; `None` for a window that outlasts the calendar.
    pub(crate) end: Option<Timestamp>,
}

impl Window {
    /// The window that holds `at`; the first one when `at` lies before the origin.
    pub(crate) fn holding(at: Timestamp, origin: Timestamp, width: Duration) -> Self {
        // i128: the difference of two timestamps, and a window of centuries, overflow i64.
        let width = i128::try_from(width.as_micros()).unwrap_or(i128::MAX).max(1);
        let origin = i128::from(origin.as_micros());
        let number = (i128::from(at.as_micros()) - origin).max(0) / width;
        let start = origin + number * width;
        Self {
            number: u64::try_from(number).unwrap_or(u64::MAX),
            start: timestamp(start).unwrap_or(at),
            end: start.checked_add(width).and_then(timestamp),
        }
    }

    /// Whether the window is over at `at`.
    pub(crate) fn over(&self, at: Timestamp) -> bool {
        self.end.is_some_and(|end| end <= at)
    }
}

fn timestamp(micros: i128) -> Option<Timestamp> {
    i64::try_from(micros).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn window(at: i64) -> Window {
        Window::holding(Timestamp::from_micros(at), Timestamp::from_secs(1_000), MINUTE)
    }

    #[test]
    fn the_last_microsecond_belongs_to_the_window_and_the_boundary_to_the_next() {
        let last = window(1_060_000_000 - 1);
        let first = window(1_060_000_000);
        assert_eq!((last.number, last.end), (0, Some(Timestamp::from_secs(1_060))));
        assert_eq!((first.number, first.start), (1, Timestamp::from_secs(1_060)));
        assert!(!last.over(Timestamp::from_micros(1_060_000_000 - 1)));
        assert!(last.over(Timestamp::from_secs(1_060)));
    }

    #[test]
    fn a_window_that_outlasts_the_calendar_never_ends() {
        let end = Timestamp::from_micros(i64::MAX);
        let window = Window::holding(end, Timestamp::from_micros(i64::MIN), Duration::MAX);
        assert_eq!((window.number, window.end), (0, None));
        assert!(!window.over(end));
        assert!(!Window::holding(end, Timestamp::default(), MINUTE).over(end));
    }
}
