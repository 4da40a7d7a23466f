//! The head of a request: request line, header fields, and how the body is framed (RFC 9112). What could
//! be read in two ways is refused, because two readers would disagree about where the next request begins.

use httparse::Status;

use super::refusal::Malformed;

/// Greatest length of a head.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Greatest number of header fields.
const FIELDS_MAX: usize = 64;

/// The methods that a device uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Delete,
    /// Any other.
    Other,
}

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// The head of a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: Method,
    /// Method and path, as sent.
    pub(super) line: String,
    /// Path and query, as sent.
    pub(super) target: String,
    fields: Vec<(String, String)>,
    pub(super) framing: Framing,
    /// Whether the connection is for further requests.
    pub(super) keep_alive: bool,
    /// Whether the client waits for leave to send its body.
    pub(super) expects_continue: bool,
}

/// Reads a head from the beginning of `bytes`; nothing while it is not complete. Says how long it was.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes.get(..HEAD_BYTES_MAX).unwrap_or(bytes)) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() >= HEAD_BYTES_MAX => return Err(Malformed::HeadTooLarge),
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::HeadTooLarge),
        Err(httparse::Error::Version) => return Err(Malformed::Version),
        Err(_) => return Err(Malformed::Head),
    };
    let head = read(&request)?;
    Ok(Some((head, length)))
}

fn read(request: &httparse::Request<'_, '_>) -> Result<Head, Malformed> {
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(Malformed::Head);
    };
    let mut fields = Vec::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let value = str::from_utf8(field.value).map_err(|_| Malformed::Head)?;
        fields.push((field.name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut head = Head {
        method: known(method),
        line: format!("{method} {}", target.split('?').next().unwrap_or_default()),
        target: target.to_owned(),
        fields,
        framing: Framing::Length(0),
        keep_alive: version == 1,
        expects_continue: false,
    };
    if version == 1 && head.all("host").count() != 1 {
        return Err(Malformed::Host);
    }
    head.framing = framing(&head)?;
    let closes = head.all("connection").any(|value| has_token(value, "close"));
    let waits = head.all("expect").any(|value| value.eq_ignore_ascii_case("100-continue"));
    head.keep_alive &= !closes;
    head.expects_continue = waits;
    Ok(head)
}

fn known(method: &str) -> Method {
    match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        _ => Method::Other,
    }
}

/// RFC 9112, 6.3. Both framings at once, or two lengths, are how requests are smuggled.
fn framing(head: &Head) -> Result<Framing, Malformed> {
    let mut lengths = head.all("content-length");
    let mut codings = head.all("transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(length), None) if lengths.next().is_none() => {
            let digits = (1..=18).contains(&length.len()) && length.bytes().all(|byte| byte.is_ascii_digit());
            length.parse().ok().filter(|_| digits).map(Framing::Length).ok_or(Malformed::Length)
        }
        (None, Some(coding)) if codings.next().is_none() && coding.eq_ignore_ascii_case("chunked") => {
            Ok(Framing::Chunked)
        }
        _ => Err(Malformed::Length),
    }
}

fn has_token(value: &str, wanted: &str) -> bool {
    value.split(',').any(|token| token.trim().eq_ignore_ascii_case(wanted))
}

impl Head {
    /// Every value of a header field; `name` is lower case.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The value of a header field; `name` is lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Header fields in the order sent, names in lower case.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The path without its query.
    pub(super) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Parts of the query, as sent.
    pub(super) fn query(&self) -> impl Iterator<Item = &str> {
        self.target.split_once('?').map_or("", |(_, query)| query).split('&')
    }
}

// The authorization field and a blob's query hold tokens.
impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path();
        f.debug_struct("Head").field("method", &self.method).field("path", &path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Option<(Head, usize)>, Malformed> {
        parse(text.as_bytes())
    }

    fn framing_of(fields: &str) -> Result<Framing, Malformed> {
        let head = one(&format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n")).map(Option::unwrap);
        head.map(|(head, _)| head.framing)
    }

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let text = "GET /a/b?c=d&e HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\n\r\nrest";
        let (head, length) = one(text).unwrap().unwrap();
        assert_eq!((head.method, head.path(), length), (Method::Get, "/a/b", text.len() - 4));
        assert_eq!(head.query().collect::<Vec<_>>(), ["c=d", "e"]);
        assert_eq!((head.field("x-y"), head.keep_alive), (Some("z"), true));
        assert_eq!(one(&text[..30]), Ok(None));
    }

    #[test]
    fn a_body_has_one_framing_only() {
        assert_eq!(framing_of(""), Ok(Framing::Length(0)));
        assert_eq!(framing_of("Content-Length: 12\r\n"), Ok(Framing::Length(12)));
        assert_eq!(framing_of("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        for two in [
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length:\r\n",
        ] {
            assert_eq!(framing_of(two), Err(Malformed::Length), "{two}");
        }
    }

    #[test]
    fn a_host_is_required_of_version_1_1_and_other_versions_are_refused() {
        assert_eq!(one("GET / HTTP/1.1\r\n\r\n"), Err(Malformed::Host));
        assert_eq!(one("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), Err(Malformed::Host));
        assert!(!one("GET / HTTP/1.0\r\n\r\n").unwrap().unwrap().0.keep_alive);
        assert_eq!(one("GET / HTTP/2.0\r\n\r\n"), Err(Malformed::Version));
    }

    #[test]
    fn a_head_without_end_and_one_with_too_many_fields_are_too_large() {
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HEAD_BYTES_MAX));
        assert_eq!(one(&long), Err(Malformed::HeadTooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(FIELDS_MAX + 1));
        assert_eq!(one(&many), Err(Malformed::HeadTooLarge));
    }

    #[test]
    fn what_is_no_head_is_refused_at_once() {
        for bytes in
            [&b"\x16\x03\x01\x02\x00"[..], b"GET / HTTP/1.1\r\nHost: \xFF\r\n\r\n", b"G\0T / HTTP/1.1\r\n"]
        {
            assert_eq!(parse(bytes), Err(Malformed::Head));
        }
    }

    #[test]
    fn a_token_is_not_debugged() {
        let (head, _) =
            one("GET /a?sig=secret HTTP/1.1\r\nHost: h\r\nAuthorization: secret\r\n\r\n").unwrap().unwrap();
        assert!(!format!("{head:?}").contains("secret"));
    }
}
