//! Why a request is refused: broken HTTP, or one of IoT Hub's errors with its code and body.

use hilarm_model::Timestamp;
use serde_json::json;

use super::response::Response;

/// A request that is not HTTP as this hub speaks it. The connection ends after the answer, because nobody
/// can say where the next request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the head is no HTTP request")]
    Head,
    #[error("the head is too large")]
    HeadTooLarge,
    #[error("the version is not HTTP/1.1")]
    Version,
    #[error("a request names one host")]
    Host,
    #[error("the length of the body is not clear")]
    Length,
    #[error("a chunk is damaged")]
    Chunk,
    #[error("the body is larger than {bytes_max} bytes")]
    BodyTooLarge { bytes_max: u64 },
}

/// An error of IoT Hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request cannot be understood.
    Malformed(Malformed),
    /// The whole request did not arrive in time.
    TimedOut,
    /// 400004: the body or a parameter is not what the operation takes.
    Argument(&'static str),
    /// 401003: neither token nor certificate proves the identity.
    Unauthorized,
    /// 401002: the identity has no right to this.
    Forbidden,
    /// Nothing is there.
    NoSuchResource,
    /// The resource does not take this method.
    Method,
}

impl Refusal {
    fn status(self) -> (u16, &'static str) {
        match self {
            Self::Malformed(Malformed::HeadTooLarge) => (431, "Request Header Fields Too Large"),
            Self::Malformed(Malformed::BodyTooLarge { .. }) => (413, "Content Too Large"),
            Self::Malformed(Malformed::Version) => (505, "HTTP Version Not Supported"),
            Self::Malformed(_) | Self::Argument(_) => (400, "Bad Request"),
            Self::TimedOut => (408, "Request Timeout"),
            Self::Unauthorized | Self::Forbidden => (401, "Unauthorized"),
            Self::NoSuchResource => (404, "Not Found"),
            Self::Method => (405, "Method Not Allowed"),
        }
    }

    /// IoT Hub's name of it.
    fn name(self) -> &'static str {
        match self {
            Self::Malformed(Malformed::BodyTooLarge { .. }) => "MessageTooLarge",
            Self::Malformed(_) | Self::TimedOut => "InvalidProtocolVersion",
            Self::Argument(_) => "ArgumentInvalid",
            Self::Forbidden => "IotHubUnauthorizedAccess",
            Self::Unauthorized => "IotHubUnauthorized",
            Self::NoSuchResource => "NotFound",
            Self::Method => "MethodNotAllowed",
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Malformed(why) => why.to_string(),
            Self::Argument(why) => why.into(),
            Self::TimedOut => "the request did not arrive in time".into(),
            // One text for every cause: the peer learns no more.
            Self::Unauthorized => "Unauthorized".into(),
            Self::Forbidden => "the device has no right to this".into(),
            Self::NoSuchResource => "no such resource".into(),
            Self::Method => "the resource does not take this method".into(),
        }
    }

    /// The answer; `tracking` numbers it.
    pub(super) fn response(self, tracking: u128, now: Timestamp) -> Response {
        let name = self.name();
        let body = json!({
            "Message": format!("ErrorCode:{name};{}", self.detail()),
            "ExceptionMessage": format!("Tracking ID:{tracking:032x}-G:0-TimeStamp:{}", us_date_time(now)),
        });
        let status = self.status();
        let mut response = Response::json(status, &body);
        response.field("iothub-errorcode", name);
        response
    }
}

/// `MM/dd/yyyy HH:mm:ss`. The civil date is Howard Hinnant's `civil_from_days`.
fn us_date_time(at: Timestamp) -> String {
    let seconds = at.as_secs();
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{month:02}/{day:02}/{year:04} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_iot_hub_writes_them() {
        assert_eq!(us_date_time(Timestamp::from_secs(1_767_225_600)), "01/01/2026 00:00:00");
        assert_eq!(us_date_time(Timestamp::from_secs(1_709_251_199)), "02/29/2024 23:59:59");
        assert_eq!(us_date_time(Timestamp::from_secs(-1)), "12/31/1969 23:59:59");
    }

    #[test]
    fn an_error_has_its_name_in_a_header_and_in_the_body() {
        let text = Refusal::Unauthorized.response(7, Timestamp::from_secs(0)).encode(true);
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{text}");
        assert!(text.contains("\r\niothub-errorcode: IotHubUnauthorized\r\n"), "{text}");
        assert!(text.contains(r#""Message":"ErrorCode:IotHubUnauthorized;Unauthorized""#), "{text}");
        assert!(
            text.contains("Tracking ID:00000000000000000000000000000007-G:0-TimeStamp:01/01/1970"),
            "{text}"
        );
    }
}
