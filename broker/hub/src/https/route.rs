//! Which operation of which identity a request asks for. The api-version is not judged.

use hilarm_model::{DeviceId, ModuleId};
use percent_encoding::percent_decode_str;

use super::head::{Head, Method};
use crate::core::registry::ClientIdentity;
use crate::core::upload::CONTAINER;
use crate::service::{BlobWrite, Settlement};

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Something of an identity, which must prove itself.
    Of(ClientIdentity, Operation),
    /// Bytes of a blob; the signature in the query speaks for itself.
    Blob {
        /// Within the container.
        path: String,
        write: BlobWrite,
    },
    /// The list of a blob's blocks, which are all there already.
    BlobBlocks {
        /// Within the container.
        path: String,
    },
    /// Nothing that this hub knows.
    Unknown,
}

/// What an identity asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Send telemetry or a security message, or a batch of them.
    SendEvent,
    /// Receive a cloud-to-device message.
    Receive,
    /// End a cloud-to-device message, or give it back.
    Settle {
        /// The lock, as sent.
        lock: String,
        settlement: Settlement,
    },
    /// Ask for leave to upload a file.
    BeginUpload,
    /// Tell how an upload ended.
    EndUpload {
        /// The correlation id, if the path has it.
        correlation: Option<String>,
    },
    /// A resource that exists, with a method that it does not take.
    WrongMethod,
    /// Anything else under `/devices/{device}`: not a device's business.
    NotForDevices,
}

/// Reads method and path.
pub(super) fn route(head: &Head) -> Route {
    let mut segments = head.path().split('/').skip(1).skip_while(|segment| segment.is_empty());
    match segments.next() {
        Some(first) if first.eq_ignore_ascii_case("devices") => {}
        // Between the slashes of a blob's name may be nothing.
        Some(CONTAINER) => return blob(head, segments),
        _ => return Route::Unknown,
    }
    let mut segments = segments.filter(|segment| !segment.is_empty());
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
    let operation = match operation(head, &rest) {
        // Queues and uploads are a device's.
        Operation::SendEvent => Operation::SendEvent,
        _ if module.is_some() => Operation::NotForDevices,
        operation => operation,
    };
    Route::Of(ClientIdentity { device, module }, operation)
}

fn blob<'a>(head: &Head, segments: impl Iterator<Item = &'a str>) -> Route {
    let Some(path) = segments.map(decode).collect::<Option<Vec<_>>>() else { return Route::Unknown };
    let path = path.join("/");
    let part = head.query().find_map(|pair| pair.strip_prefix("comp="));
    match (head.method, part) {
        (Method::Put, None) => Route::Blob { path, write: BlobWrite::Whole },
        (Method::Put, Some("block")) => Route::Blob { path, write: BlobWrite::Block },
        (Method::Put, Some("blocklist")) => Route::BlobBlocks { path },
        _ => Route::Unknown,
    }
}

/// Names of resources compare without case; a lock and a correlation id are kept as sent.
fn operation(head: &Head, rest: &[&str]) -> Operation {
    let lower: Vec<String> = rest.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let sent = |at: usize| rest.get(at).and_then(|segment| decode(segment)).unwrap_or_default();
    let settle = |settlement| Operation::Settle { lock: sent(2), settlement };
    match (&lower[..], head.method) {
        (["messages", "events"], Method::Post) => Operation::SendEvent,
        (["messages", "devicebound"], Method::Get) => Operation::Receive,
        (["messages", "devicebound", _], Method::Delete) if rejects(head) => settle(Settlement::Reject),
        (["messages", "devicebound", _], Method::Delete) => settle(Settlement::Complete),
        (["messages", "devicebound", _, "abandon"], Method::Post) => settle(Settlement::Abandon),
        (["files"], Method::Post) => Operation::BeginUpload,
        (["files", "notifications"], Method::Post) => Operation::EndUpload { correlation: None },
        (["files", "notifications", _], Method::Post) => Operation::EndUpload { correlation: Some(sent(2)) },
        (
            ["messages", "events" | "devicebound"]
            | ["messages", "devicebound", _]
            | ["messages", "devicebound", _, "abandon"]
            | ["files"]
            | ["files", "notifications"]
            | ["files", "notifications", _],
            _,
        ) => Operation::WrongMethod,
        _ => Operation::NotForDevices,
    }
}

/// `reject`, with or without a value.
fn rejects(head: &Head) -> bool {
    head.query().any(|pair| pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("reject")))
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
    fn a_message_is_ended_by_its_lock_in_three_ways() {
        let ended = |settlement| of("a", None, Operation::Settle { lock: "L-1".into(), settlement });
        let path = "/devices/a/messages/deviceBound/L-1";
        assert_eq!(routed(&format!("DELETE {path}?api-version=1")), ended(Settlement::Complete));
        for reject in ["reject", "reject=", "reject=true"] {
            let line = format!("DELETE {path}?api-version=1&{reject}");
            assert_eq!(routed(&line), ended(Settlement::Reject), "{line}");
        }
        assert_eq!(routed(&format!("POST {path}/abandon")), ended(Settlement::Abandon));
        assert_eq!(routed(&format!("GET {path}")), of("a", None, Operation::WrongMethod));
    }

    #[test]
    fn an_upload_has_three_requests() {
        assert_eq!(routed("POST /devices/a/files"), of("a", None, Operation::BeginUpload));
        let ended = |correlation| of("a", None, Operation::EndUpload { correlation });
        assert_eq!(routed("POST /devices/a/files/notifications"), ended(None));
        assert_eq!(routed("POST /devices/a/files/notifications/Mz%3D"), ended(Some("Mz=".into())));
        let path = || "a/b c".to_owned();
        let put = |query: &str| routed(&format!("PUT /uploads/a/b%20c?sig=x{query}"));
        assert_eq!(put(""), Route::Blob { path: path(), write: BlobWrite::Whole });
        assert_eq!(put("&comp=block"), Route::Blob { path: path(), write: BlobWrite::Block });
        assert_eq!(put("&comp=blocklist"), Route::BlobBlocks { path: path() });
        assert_eq!(put("&comp=lease"), Route::Unknown);
    }

    #[test]
    fn slashes_of_a_blobs_name_stay_and_superfluous_ones_elsewhere_do_not() {
        let blob = |path: &str| Route::Blob { path: path.into(), write: BlobWrite::Whole };
        for (sent, path) in [
            ("a/logs//today", "a/logs//today"),
            ("a//", "a//"),
            ("a/logs/%2Ftoday", "a/logs//today"),
            ("a/x/../y", "a/x/../y"),
        ] {
            assert_eq!(routed(&format!("PUT /uploads/{sent}?sig=x")), blob(path), "{sent}");
        }
        assert_eq!(routed("POST //devices//a/messages/events/"), of("a", None, Operation::SendEvent));
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
