//! ISO 8601 durations as Azure's JSON has them: days, hours, minutes and seconds, leading zeros allowed.

use std::time::Duration;

/// Longer numbers are no durations.
const DIGITS_MAX: usize = 9;

/// Reads `PT5M`, `PT05M`, `P1DT2H`; anything with years, months or fractions is refused.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = sum(date, &[('D', 86_400)])?;
    let seconds = sum(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
    Some(Duration::from_secs(days + seconds))
}

/// Numbers with designators, each at most once and in this order.
fn sum(mut text: &str, designators: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    for &(designator, seconds) in designators {
        let Some((number, rest)) = text.split_once(designator) else { continue };
        let right = (1..=DIGITS_MAX).contains(&number.len()) && number.bytes().all(|c| c.is_ascii_digit());
        total += number.parse::<u64>().ok().filter(|_| right)? * seconds;
        text = rest;
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_with_and_without_leading_zeros_are_read() {
        for (text, seconds) in [
            ("PT5M", 300),
            ("PT05M", 300),
            ("PT1H", 3600),
            ("P1DT2H3M4S", 93_784),
            ("P1D", 86_400),
            ("PT0S", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "5M",
            "PTM",
            "PT5",
            "P1M",
            "P1Y",
            "PT1.5S",
            "PT5M1H",
            "PT-5M",
            "P1DT",
            "PT9999999999S",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
