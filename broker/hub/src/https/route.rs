//! Which operation of which identity a request asks for. The api-version is not judged.

use hilarm_model::{DeviceId, ModuleId};
use percent_encoding::percent_decode_str;

use super::head::{Head, Method};
use crate::core::registry::ClientIdentity;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Something of an identity, which must prove itself.
    Of(ClientIdentity, Operation),
    /// Nothing that this hub knows.
    Unknown,
}

/// What an identity asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Send telemetry or a security message, or a batch of them.
    SendEvent,
    /// A resource that exists, with a method that it does not take.
    WrongMethod,
    /// Anything else under `/devices/{device}`: not a device's business.
    NotForDevices,
}

/// Reads method and path.
pub(super) fn route(head: &Head) -> Route {
    let mut segments = head.path().split('/').skip(1).filter(|segment| !segment.is_empty());
    if !segments.next().is_some_and(|first| first.eq_ignore_ascii_case("devices")) {
        return Route::Unknown;
    }
    let Some(device) = segments.next().and_then(decode).and_then(|text| DeviceId::new(text).ok()) else {
        return Route::Unknown;
    };
    let mut rest: Vec<&str> = segments.collect();
    let mut module = None;
    if let ["modules", name, tail @ ..] = &rest[..] {
        let Some(name) = decode(name).and_then(|text| ModuleId::new(text).ok()) else {
            return Route::Unknown;
        };
        module = Some(name);
        rest = tail.to_vec();
    }
    Route::Of(ClientIdentity { device, module }, operation(head, &rest))
}

fn operation(head: &Head, rest: &[&str]) -> Operation {
    let lower: Vec<String> = rest.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    match (&lower[..], head.method) {
        (["messages", "events"], Method::Post) => Operation::SendEvent,
        (["messages", "events"], _) => Operation::WrongMethod,
        _ => Operation::NotForDevices,
    }
}

/// A segment without its percent encoding, if it is text.
pub(super) fn decode(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::super::head::parse;
    use super::*;

    fn routed(line: &str) -> Route {
        let text = format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
        route(&parse(text.as_bytes()).unwrap().unwrap().0)
    }

    fn of(device: &str, module: Option<&str>, operation: Operation) -> Route {
        let device = DeviceId::new(device).unwrap();
        Route::Of(ClientIdentity { device, module: module.map(|id| ModuleId::new(id).unwrap()) }, operation)
    }

    #[test]
    fn events_belong_to_a_device_or_a_module_whatever_the_api_version() {
        for query in ["", "?api-version=2020-03-13", "?api-version=nonsense"] {
            let line = format!("POST /devices/pump-1/messages/events{query}");
            assert_eq!(routed(&line), of("pump-1", None, Operation::SendEvent));
        }
        let module = of("p:1", Some("m"), Operation::SendEvent);
        assert_eq!(routed("POST /devices/p%3A1/modules/m/messages/events"), module);
    }

    #[test]
    fn other_methods_other_paths_and_names_that_are_none() {
        assert_eq!(routed("GET /devices/a/messages/events"), of("a", None, Operation::WrongMethod));
        assert_eq!(routed("DELETE /devices/a"), of("a", None, Operation::NotForDevices));
        for unknown in
            ["GET /", "GET *", "POST /devices", "POST /devices/%FF/messages/events", "GET /twins/a"]
        {
            assert_eq!(routed(unknown), Route::Unknown, "{unknown}");
        }
    }
}
