//! Requests as bytes (RFC 9112).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hilarm_link::Disposition;
use serde_json::json;

use crate::sas::percent_encode;

/// Every request asks for this version; the hub does not judge it.
const API_VERSION: &str = "api-version=2020-03-13";

const JSON: &str = "Content-Type: application/json\r\n";

/// What files consist of.
pub(crate) const FILE_BYTE: u8 = b'x';

/// A request of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    method: &'static str,
    target: String,
    fields: &'static str,
    body: Vec<u8>,
    /// How many of [`FILE_BYTE`] follow the body: a file may be longer than the device's memory.
    file_bytes: u32,
    /// Whether the device proves itself in it; a blob's token is in its target already.
    authorized: bool,
}

fn of_device(method: &'static str, device: &str, path: &str) -> Request {
    let target = format!("/devices/{}/{path}?{API_VERSION}", percent_encode(device));
    Request { method, target, fields: "", body: Vec::new(), file_bytes: 0, authorized: true }
}

impl Request {
    /// Telemetry.
    pub(crate) fn event(device: &str, payload: Vec<u8>) -> Self {
        let fields = "Content-Type: application/octet-stream\r\n";
        Self { fields, body: payload, ..of_device("POST", device, "messages/events") }
    }

    /// The oldest waiting cloud-to-device message.
    pub(crate) fn receive(device: &str) -> Self {
        of_device("GET", device, "messages/devicebound")
    }

    /// Ends a cloud-to-device message, or gives it back.
    pub(crate) fn settle(device: &str, lock: &str, disposition: Disposition) -> Self {
        let lock = percent_encode(lock);
        let path = format!("messages/devicebound/{lock}");
        match disposition {
            Disposition::Complete => of_device("DELETE", device, &path),
            Disposition::Reject => {
                let mut request = of_device("DELETE", device, &path);
                request.target.push_str("&reject");
                request
            }
            Disposition::Abandon => of_device("POST", device, &format!("{path}/abandon")),
        }
    }

    /// Asks for leave to upload a file.
    pub(crate) fn begin_upload(device: &str, name: &str) -> Self {
        let body = json!({ "blobName": name }).to_string().into_bytes();
        Self { fields: JSON, body, ..of_device("POST", device, "files") }
    }

    /// The file itself, where the hub said, with the token it gave.
    pub(crate) fn put_blob(container: &str, blob: &str, token: &str, size_bytes: u32) -> Self {
        let segments: Vec<String> =
            [container].into_iter().chain(blob.split('/')).map(percent_encode).collect();
        let target = format!("/{}{token}", segments.join("/"));
        let fields = "x-ms-blob-type: BlockBlob\r\n";
        Self { method: "PUT", target, fields, body: Vec::new(), file_bytes: size_bytes, authorized: false }
    }

    /// Tells how an upload ended; `status` is what the storage answered.
    pub(crate) fn end_upload(device: &str, correlation: &str, status: u16) -> Self {
        let body = json!({
            "correlationId": correlation,
            "isSuccess": status == 201,
            "statusCode": status,
            "statusDescription": status.to_string(),
        });
        let body = body.to_string().into_bytes();
        Self { fields: JSON, body, ..of_device("POST", device, "files/notifications") }
    }

    /// How many of [`FILE_BYTE`] have to follow [`encode`](Self::encode).
    pub(crate) fn file_bytes(&self) -> u32 {
        self.file_bytes
    }

    /// The whole request less its file. `authorization` is left out where a certificate or the target speaks.
    pub(crate) fn encode(&self, host: &str, authorization: Option<&str>) -> Vec<u8> {
        let Self { method, target, fields, body, file_bytes, authorized } = self;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}");
        if let Some(token) = authorization.filter(|_| *authorized) {
            head.push_str(&format!("Authorization: {token}\r\n"));
        }
        if *method != "GET" {
            let length = body.len() as u64 + u64::from(*file_bytes);
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}
