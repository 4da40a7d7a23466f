//! Why a request is refused: broken HTTP, or one of IoT Hub's errors with its code and body.

use hilarm_model::Timestamp;
use serde_json::json;

use super::response::Response;
use crate::core::calendar;
use crate::service::HubError;

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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// What the core says.
    Hub(HubError),
}

impl From<HubError> for Refusal {
    fn from(error: HubError) -> Self {
        Self::Hub(error)
    }
}

impl Refusal {
    fn status(&self) -> u16 {
        match self {
            Self::Malformed(Malformed::HeadTooLarge) => 431,
            Self::Malformed(Malformed::BodyTooLarge { .. }) => 413,
            Self::Malformed(Malformed::Version) => 505,
            Self::Malformed(_) | Self::Argument(_) => 400,
            Self::TimedOut => 408,
            Self::Unauthorized | Self::Forbidden => 401,
            Self::NoSuchResource => 404,
            Self::Method => 405,
            Self::Hub(error) => error.status(),
        }
    }

    /// Whether the hub's throttles refused.
    pub(super) fn is_throttle(&self) -> bool {
        matches!(self, Self::Hub(HubError::Throttled(_)))
    }

    /// IoT Hub's code, of what an identity may ask for and has asked for wrongly.
    pub(super) fn code(&self) -> Option<u32> {
        match self {
            Self::Argument(_) => Some(400_004),
            Self::Hub(error) => Some(error.code()),
            _ => None,
        }
    }

    /// IoT Hub's name of it, and what it says about it.
    fn told(&self) -> (String, String) {
        let (name, detail) = match self {
            Self::Malformed(why @ Malformed::BodyTooLarge { .. }) => ("MessageTooLarge", why.to_string()),
            Self::Malformed(why) => ("InvalidProtocolVersion", why.to_string()),
            Self::TimedOut => ("RequestTimedOut", "the request did not arrive in time".into()),
            Self::Argument(why) => ("ArgumentInvalid", (*why).into()),
            // One text for every cause: the peer learns no more.
            Self::Unauthorized => ("IotHubUnauthorized", "Unauthorized".into()),
            Self::Forbidden => ("IotHubUnauthorizedAccess", "the device has no right to this".into()),
            Self::NoSuchResource => ("NotFound", "no such resource".into()),
            Self::Method => ("MethodNotAllowed", "the resource does not take this method".into()),
            Self::Hub(error) => return split(&error.to_string()),
        };
        (name.into(), detail)
    }

    /// The answer; `tracking` numbers it.
    pub(super) fn response(&self, tracking: u128, now: Timestamp) -> Response {
        let (name, detail) = self.told();
        let body = json!({
            "Message": format!("ErrorCode:{name};{detail}"),
            "ExceptionMessage": format!("Tracking ID:{tracking:032x}-G:0-TimeStamp:{}", calendar::us(now)),
        });
        let mut response = Response::json(self.status(), &body);
        response.field("iothub-errorcode", &name);
        response
    }
}

/// `ErrorCode:{name};{detail}` or `{name}: {detail}`, taken apart.
fn split(text: &str) -> (String, String) {
    let parts = match text.strip_prefix("ErrorCode:") {
        Some(text) => text.split_once(';'),
        None => text.split_once(": "),
    };
    let (name, detail) = parts.unwrap_or((text, ""));
    (name.to_owned(), detail.to_owned())
}

#[cfg(test)]
mod tests {
    use hilarm_model::DeviceId;

    use super::*;

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

    #[test]
    fn what_the_core_says_keeps_its_status_and_name() {
        let lost = Refusal::from(HubError::DeviceMessageLockLost(DeviceId::new("a").unwrap()));
        assert_eq!((lost.status(), lost.told()), (412, ("DeviceMessageLockLost".into(), "a".into())));
        let blob = Refusal::from(HubError::BlobNotAuthenticated("a/b".into()));
        assert_eq!((blob.status(), blob.told().0.as_str()), (403, "AuthenticationFailed"));
    }
}
