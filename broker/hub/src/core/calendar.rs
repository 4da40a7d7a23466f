//! Calendar time as Azure writes it (H. Hinnant, "chrono-compatible low-level date algorithms").

use hilarm_model::Timestamp;

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

fn civil(at: Timestamp) -> Civil {
    let (days, rest) = (at.as_secs().div_euclid(86_400), at.as_secs().rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = (month_from_march + 2) % 12;
    Civil {
        year: year_of_era + era * 400 + i64::from(month < 2),
        month: usize::try_from(month).unwrap_or_default(),
        day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
        weekday: usize::try_from(days.rem_euclid(7)).unwrap_or_default(),
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
    }
}

/// `2026-01-01T00:00:00Z`.
pub(crate) fn iso8601(at: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = civil(at);
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1)
}

/// `Thu, 01 Jan 2026 00:00:00 GMT`.
pub(crate) fn rfc1123(at: Timestamp) -> String {
    let Civil { year, month, day, weekday, hour, minute, second } = civil(at);
    let weekday = WEEKDAYS.get(weekday).copied().unwrap_or_default();
    let month = MONTHS.get(month).copied().unwrap_or_default();
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// `01/31/2026 00:00:00`, the form of IoT Hub's error bodies.
pub(crate) fn us(at: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = civil(at);
    format!("{:02}/{day:02}/{year:04} {hour:02}:{minute:02}:{second:02}", month + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_known_days_are_right() {
        for (seconds, iso, rfc) in [
            (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_767_225_600, "2026-01-01T00:00:00Z", "Thu, 01 Jan 2026 00:00:00 GMT"),
            (1_709_208_000, "2024-02-29T12:00:00Z", "Thu, 29 Feb 2024 12:00:00 GMT"),
            (-1, "1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ] {
            let at = Timestamp::from_secs(seconds);
            assert_eq!((iso8601(at).as_str(), rfc1123(at).as_str()), (iso, rfc));
        }
        assert_eq!(us(Timestamp::from_secs(1_709_208_000)), "02/29/2024 12:00:00");
    }
}
