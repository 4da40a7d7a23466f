//! The direct methods that an honest device answers: `ping`, `set-interval`; 404 for all others.

use alloc::format;
use alloc::string::{String, ToString};

use serde::Deserialize;

use crate::telemetry::Telemetry;

#[derive(Deserialize)]
struct SetInterval {
    interval_ms: u32,
}

/// Carries a method out; status and JSON body of the answer.
pub(super) fn answer(name: &str, payload: &[u8], telemetry: &mut Telemetry) -> (u16, String) {
    match name {
        "ping" => (200, r#"{"pong":true}"#.to_string()),
        "set-interval" => set_interval(payload, telemetry),
        _ => (404, r#"{"error":"unknown method"}"#.to_string()),
    }
}

fn set_interval(payload: &[u8], telemetry: &mut Telemetry) -> (u16, String) {
    match serde_json::from_slice(payload) {
        Ok(SetInterval { interval_ms }) => {
            telemetry.set_interval(interval_ms);
            (200, format!(r#"{{"interval_ms":{interval_ms}}}"#))
        }
        Err(_) => (400, r#"{"error":"expected {\"interval_ms\": <whole number>}"}"#.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::telemetry::Room;

    fn telemetry() -> Telemetry {
        Telemetry::new(Random::new(1, "telemetry"))
    }

    #[test]
    fn ping_is_answered_and_an_unknown_method_is_404() {
        assert_eq!(answer("ping", b"null", &mut telemetry()), (200, r#"{"pong":true}"#.to_string()));
        assert_eq!(answer("reboot", b"null", &mut telemetry()).0, 404);
    }

    #[test]
    fn set_interval_changes_the_pace_of_telemetry_under_way() {
        let mut telemetry = telemetry();
        telemetry.begin(10, 1000, 8, 0);
        assert_eq!(answer("set-interval", br#"{"interval_ms":50}"#, &mut telemetry).0, 200);
        telemetry.take_due(Room::Open, 0).unwrap();
        assert_eq!(telemetry.poll_timeout(Room::Open), Some(50_000));
    }

    #[test]
    fn a_payload_that_makes_no_sense_is_400_and_every_answer_is_json() {
        for payload in [&b""[..], b"null", br#"{"interval_ms":-1}"#, b"\xFF"] {
            let (status, body) = answer("set-interval", payload, &mut telemetry());
            assert_eq!(status, 400);
            assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
        }
    }
}
