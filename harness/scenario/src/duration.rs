//! Durations as people write them: a number and a unit, `500ms`, `10s`, `61m`, `1h`, `2d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time with its unit, at most [`Span::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        crate::schema::format::duration()
    }
}

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// Digits and nothing behind them.
    #[error("a duration needs a unit: ms, s, m, h or d")]
    UnitMissing,
    /// The unit is none of ours.
    #[error("unknown unit: durations end with ms, s, m, h or d")]
    UnknownUnit,
    /// No whole number in front of the unit.
    #[error("a duration is a whole number and a unit, such as `500ms`, `10s`, `61m`, `1h` or `2d`")]
    NotANumber,
    /// Longer than ten years.
    #[error("impossible duration: at most 3650d")]
    TooLong,
}

/// The units with their length in milliseconds, longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// The longest duration of a scenario: ten years, longer than any certificate or token lives.
    pub const MAX: Self = Self(Duration::from_secs(3650 * 86_400));

    /// 1s.
    pub const fn one_second() -> Self {
        Self(Duration::from_secs(1))
    }

    /// 30s.
    pub const fn thirty_seconds() -> Self {
        Self(Duration::from_secs(30))
    }

    /// 1m.
    pub const fn one_minute() -> Self {
        Self(Duration::from_secs(60))
    }

    /// 1h.
    pub const fn one_hour() -> Self {
        Self(Duration::from_secs(3_600))
    }

    /// 1d.
    pub const fn one_day() -> Self {
        Self(Duration::from_secs(86_400))
    }

    /// The duration of the standard library.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(InvalidSpan::NotANumber);
        }
        if unit.is_empty() {
            return Err(InvalidSpan::UnitMissing);
        }
        // `1.5h` and `1h30m` have digits behind the first unit.
        if unit.chars().any(|c| c.is_ascii_digit()) {
            return Err(InvalidSpan::NotANumber);
        }
        let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or(InvalidSpan::UnknownUnit)?;
        let number: u64 = number.parse().map_err(|_| InvalidSpan::TooLong)?;
        let span = number.checked_mul(unit.1).map(|ms| Self(Duration::from_millis(ms)));
        span.filter(|span| *span <= Self::MAX).ok_or(InvalidSpan::TooLong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms == 0 {
            return f.write_str("0s");
        }
        // Milliseconds divide everything, so there is always a unit.
        let exact = UNITS.iter().find(|(_, length)| ms.is_multiple_of(u128::from(*length)));
        let (name, length) = exact.copied().unwrap_or(("ms", 1));
        write!(f, "{}{name}", ms / u128::from(length))
    }
}

impl TryFrom<String> for Span {
    type Error = InvalidSpan;
    fn try_from(text: String) -> Result<Self, InvalidSpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written_back() {
        for text in ["500ms", "10s", "61m", "1h", "25h", "2d", "0s", "1500ms", "3650d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_longest_exact_unit_is_written() {
        assert_eq!("120s".parse::<Span>().unwrap().to_string(), "2m");
        assert_eq!("0d".parse::<Span>().unwrap().to_string(), "0s");
    }

    #[test]
    fn what_is_no_duration_is_refused_with_its_cause() {
        let refused = |text: &str| text.parse::<Span>().unwrap_err();
        assert_eq!(refused("61"), InvalidSpan::UnitMissing);
        assert_eq!(refused("61min"), InvalidSpan::UnknownUnit);
        assert_eq!(refused("61 m"), InvalidSpan::UnknownUnit);
        assert_eq!(refused("1.5h"), InvalidSpan::NotANumber);
        assert_eq!(refused("1h30m"), InvalidSpan::NotANumber);
        assert_eq!(refused("-5m"), InvalidSpan::NotANumber);
        assert_eq!(refused(""), InvalidSpan::NotANumber);
        assert_eq!(refused("ten seconds"), InvalidSpan::NotANumber);
        assert_eq!(refused("3651d"), InvalidSpan::TooLong);
        assert_eq!(refused("99999999999999999999d"), InvalidSpan::TooLong);
        assert_eq!(refused("18446744073709551615d"), InvalidSpan::TooLong);
    }
}
