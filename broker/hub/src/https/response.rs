//! Answers as bytes. A value that came from elsewhere is never written into a header line unchecked.

use std::fmt::Write;

use serde_json::Value;

/// Leave to send a body (RFC 9110, 15.2.1).
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Vec::new() }
    }

    pub(super) fn no_content() -> Self {
        Self::new(204)
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        let mut response = Self::new(status);
        response.field("Content-Type", "application/json; charset=utf-8");
        response.body(body.to_string().into_bytes())
    }

    pub(super) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Adds a header field; one that would break its line is left out.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7F);
        if !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(is_text) {
            self.fields.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The bytes; `keep_alive` says whether the connection stays.
    pub(super) fn encode(&self, keep_alive: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        // RFC 9110, 8.6: no length where there can be no body.
        if self.status != 204 {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !keep_alive {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        505 => "HTTP Version Not Supported",
        _ => "Refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_begin_a_line_of_its_own() {
        let mut response = Response::no_content();
        response.field("iothub-app-a", "b\r\nEvil: yes");
        response.field("iothub app", "b");
        response.field("iothub-app-c", "d");
        assert_eq!(response.encode(true), b"HTTP/1.1 204 No Content\r\niothub-app-c: d\r\n\r\n");
    }

    #[test]
    fn a_body_has_its_length_and_a_last_answer_says_so() {
        let bytes = Response::new(200).body(b"hi".to_vec()).encode(false);
        assert_eq!(bytes, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    }
}
