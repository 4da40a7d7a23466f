//! Answers of the hub (RFC 9112), taken as they arrive and bounded.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use httparse::Status;

const HEAD_BYTES_MAX: usize = 8 * 1024;
/// A cloud-to-device message has 64 KiB at most.
const BODY_BYTES_MAX: usize = 80 * 1024;
const FIELDS_MAX: usize = 64;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The entity tag, without its quotes.
    pub(crate) etag: Option<String>,
    pub(crate) body: Vec<u8>,
    /// The hub closes the connection after it.
    pub(crate) closes: bool,
}

/// What arrived so far.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    pending: Vec<u8>,
    head: Option<(Response, usize)>,
}

impl Incoming {
    /// Takes bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.head.is_none()
    }

    /// The next whole answer, if there is one; an error says what the hub did wrong.
    pub(crate) fn next(&mut self) -> Result<Option<Response>, &'static str> {
        loop {
            if let Some((mut response, length)) = self.head.take() {
                if self.pending.len() < length {
                    self.head = Some((response, length));
                    return Ok(None);
                }
                let rest = self.pending.split_off(length);
                response.body = core::mem::replace(&mut self.pending, rest);
                return Ok(Some(response));
            }
            let Some((head, taken)) = parse(&self.pending)? else { return Ok(None) };
            self.pending.drain(..taken);
            // Leave to go on with a request that was sent whole already.
            if head.0.status >= 200 {
                self.head = Some(head);
            }
        }
    }
}

type Head = (Response, usize);

fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, &'static str> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut fields);
    let taken = match parsed.parse(bytes) {
        Ok(Status::Complete(taken)) if taken <= HEAD_BYTES_MAX => taken,
        Ok(Status::Partial) if bytes.len() <= HEAD_BYTES_MAX => return Ok(None),
        Ok(_) => return Err("http: the head is too large"),
        Err(_) => return Err("http: no answer of a server"),
    };
    let status = parsed.code.unwrap_or_default();
    let field = |name: &str| {
        let field = parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.and_then(|field| core::str::from_utf8(field.value).ok())
    };
    if field("transfer-encoding").is_some() {
        return Err("http: the body has a transfer coding");
    }
    let length = match field("content-length") {
        _ if status < 200 || status == 204 || status == 304 => 0,
        None => return Err("http: the body has no length"),
        Some(length) => match length.parse() {
            Ok(length) if length <= BODY_BYTES_MAX => length,
            _ => return Err("http: the body is too large"),
        },
    };
    let etag = field("etag").map(|etag| etag.trim_matches('"').to_owned());
    let closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
        || parsed.version == Some(0);
    Ok(Some(((Response { status, etag, body: Vec::new(), closes }, length), taken)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a-1\"\r\n\r\nhelloHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

    fn all(pieces: &[&[u8]]) -> Result<Vec<Response>, &'static str> {
        let (mut incoming, mut responses) = (Incoming::default(), Vec::new());
        for piece in pieces {
            incoming.push(piece);
            while let Some(response) = incoming.next()? {
                responses.push(response);
            }
        }
        assert!(incoming.is_empty());
        Ok(responses)
    }

    #[test]
    fn answers_come_out_whole_however_they_are_cut() {
        for cut in 0..TWO.len() {
            let (first, second) = TWO.split_at(cut);
            let responses = all(&[first, second]).unwrap();
            assert_eq!((responses[0].status, &responses[0].body[..]), (200, &b"hello"[..]));
            assert_eq!((responses[0].etag.as_deref(), responses[0].closes), (Some("a-1"), false));
            assert_eq!((responses[1].status, responses[1].closes), (204, true));
        }
    }

    #[test]
    fn leave_to_go_on_is_no_answer() {
        let responses = all(&[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"]).unwrap();
        assert_eq!(responses.len(), 1);
    }

    #[test]
    fn what_has_no_bound_or_is_no_answer_is_an_error() {
        for bad in [
            &b"220 smtp.example\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(all(&[bad]).is_err());
        }
        let long = [&b"HTTP/1.1 200 OK\r\nA: "[..], &[b'a'; HEAD_BYTES_MAX]].concat();
        assert!(all(&[&long]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut incoming = Incoming::default();
            incoming.push(&bytes);
            while let Ok(Some(_)) = incoming.next() {}
        }
    }
}
