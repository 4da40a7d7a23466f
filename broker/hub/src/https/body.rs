//! The body of a request, of one length or in chunks (RFC 9112, 6 and 7), taken as it arrives: kept up to a
//! limit, or only counted.

use httparse::Status;

use super::head::Framing;
use super::refusal::Malformed;

/// Greatest length of the line that begins a chunk, extensions included.
const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Greatest length of all trailer fields.
const TRAILER_BYTES_MAX: usize = 4 * 1024;

/// What happens to the bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// They are kept; a longer body is refused.
    All {
        /// The limit.
        bytes_max: usize,
    },
    /// They are counted; a longer body is refused.
    Count {
        /// The limit.
        bytes_max: u64,
    },
}

impl Keeping {
    fn bytes_max(self) -> u64 {
        match self {
            Self::All { bytes_max } => bytes_max as u64,
            Self::Count { bytes_max } => bytes_max,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of data follow, and then the end or the next chunk.
    Data {
        rest: u64,
    },
    ChunkLine,
    /// The line end after a chunk's data.
    ChunkEnd,
    /// Trailer fields, so many bytes of them so far.
    Trailer {
        bytes: usize,
    },
    Done,
}

/// A body under way.
#[derive(Debug)]
pub(super) struct Body {
    keeping: Keeping,
    chunked: bool,
    state: State,
    length: u64,
    kept: Vec<u8>,
}

impl Body {
    pub(super) fn new(framing: Framing, keeping: Keeping) -> Result<Self, Malformed> {
        let (chunked, state) = match framing {
            Framing::Length(0) => (false, State::Done),
            Framing::Length(rest) if rest > keeping.bytes_max() => {
                return Err(Malformed::BodyTooLarge { bytes_max: keeping.bytes_max() });
            }
            Framing::Length(rest) => (false, State::Data { rest }),
            Framing::Chunked => (true, State::ChunkLine),
        };
        Ok(Self { keeping, chunked, state, length: 0, kept: Vec::new() })
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How long it was.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What was kept.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.kept
    }

    /// Takes what belongs to the body from the beginning of `bytes`; says how much that was. Taking nothing
    /// means that more must arrive.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut taken = 0;
        while !self.is_done() {
            let step = self.step(bytes.get(taken..).unwrap_or_default())?;
            if step == 0 {
                break;
            }
            taken += step;
        }
        Ok(taken)
    }

    fn step(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match self.state {
            State::Data { rest } => self.data(bytes, rest),
            State::ChunkLine => self.chunk_line(bytes),
            State::ChunkEnd => match bytes {
                [b'\r', b'\n', ..] => {
                    self.state = State::ChunkLine;
                    Ok(2)
                }
                [] | [b'\r'] => Ok(0),
                _ => Err(Malformed::Chunk),
            },
            State::Trailer { bytes: so_far } => self.trailer(bytes, so_far),
            State::Done => Ok(0),
        }
    }

    fn data(&mut self, bytes: &[u8], rest: u64) -> Result<usize, Malformed> {
        let data = bytes.get(..usize::try_from(rest).unwrap_or(usize::MAX)).unwrap_or(bytes);
        self.length += data.len() as u64;
        if let Keeping::All { .. } = self.keeping {
            self.kept.extend_from_slice(data);
        }
        self.state = match rest - data.len() as u64 {
            0 if self.chunked => State::ChunkEnd,
            0 => State::Done,
            rest => State::Data { rest },
        };
        Ok(data.len())
    }

    fn chunk_line(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let line = bytes.get(..CHUNK_LINE_BYTES_MAX).unwrap_or(bytes);
        match httparse::parse_chunk_size(line) {
            Ok(Status::Complete((length, 0))) => {
                self.state = State::Trailer { bytes: 0 };
                Ok(length)
            }
            Ok(Status::Complete((length, size))) => {
                let bytes_max = self.keeping.bytes_max();
                if size > bytes_max.saturating_sub(self.length) {
                    return Err(Malformed::BodyTooLarge { bytes_max });
                }
                self.state = State::Data { rest: size };
                Ok(length)
            }
            Ok(Status::Partial) if line.len() < CHUNK_LINE_BYTES_MAX => Ok(0),
            Ok(Status::Partial) | Err(_) => Err(Malformed::Chunk),
        }
    }

    /// Trailer fields mean nothing here; they end with an empty line.
    fn trailer(&mut self, bytes: &[u8], so_far: usize) -> Result<usize, Malformed> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return if so_far + bytes.len() > TRAILER_BYTES_MAX { Err(Malformed::Chunk) } else { Ok(0) };
        };
        let length = end + 1;
        if so_far + length > TRAILER_BYTES_MAX {
            return Err(Malformed::Chunk);
        }
        let is_empty = matches!(bytes.get(..end), Some([] | [b'\r']));
        self.state = if is_empty { State::Done } else { State::Trailer { bytes: so_far + length } };
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Keeping = Keeping::All { bytes_max: 64 };

    /// Takes the pieces one after the other, as a connection would; what is left over comes back.
    fn feed(body: &mut Body, pieces: &[&[u8]]) -> Result<Vec<u8>, Malformed> {
        let mut pending = Vec::new();
        for piece in pieces {
            pending.extend_from_slice(piece);
            let taken = body.take(&pending)?;
            pending.drain(..taken);
        }
        Ok(pending)
    }

    fn chunked(pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
        let mut body = Body::new(Framing::Chunked, ALL)?;
        let rest = feed(&mut body, pieces)?;
        assert!(body.is_done());
        Ok((body.into_bytes(), rest))
    }

    #[test]
    fn a_body_of_a_length_takes_so_much_and_no_more() {
        let mut body = Body::new(Framing::Length(5), ALL).unwrap();
        assert_eq!(feed(&mut body, &[b"he", b"llo!"]).unwrap(), b"!");
        assert!(body.is_done() && body.length() == 5);
        assert_eq!(body.into_bytes(), b"hello");
        assert!(Body::new(Framing::Length(0), ALL).unwrap().is_done());
    }

    #[test]
    fn chunks_are_put_together_whatever_their_extensions_and_trailers() {
        let (body, rest) = chunked(&[b"2;a=b\r\nhe\r\n3\r", b"\nllo\r\n0\r\nX: y\r\n\r\nGET"]).unwrap();
        assert_eq!((&body[..], &rest[..]), (&b"hello"[..], &b"GET"[..]));
    }

    #[test]
    fn what_is_longer_than_its_limit_is_refused_before_it_arrives() {
        let too_large = Malformed::BodyTooLarge { bytes_max: 64 };
        assert_eq!(Body::new(Framing::Length(65), ALL).map(|_| ()), Err(too_large));
        assert_eq!(chunked(&[b"41\r\n"]).map(|_| ()), Err(too_large));
        assert_eq!(chunked(&[b"40\r\n", &[b'x'; 64], b"\r\n1\r\n"]).map(|_| ()), Err(too_large));
        assert_eq!(chunked(&[b"ffffffffffffffff\r\n"]).map(|_| ()), Err(too_large));
    }

    #[test]
    fn damaged_chunks_are_refused() {
        for bad in [&b"x\r\n"[..], b"2\r\nhelp", b"1\r\na\n\n", b"ffffffffffffffffff\r\n", &[b'0'; 300]] {
            assert_eq!(chunked(&[bad]).map(|_| ()), Err(Malformed::Chunk), "{bad:?}");
        }
        let endless = [&b"0\r\n"[..], &[b'a'; TRAILER_BYTES_MAX + 1]].concat();
        assert_eq!(chunked(&[&endless]).map(|_| ()), Err(Malformed::Chunk));
    }

    #[test]
    fn a_counted_body_is_not_kept() {
        let mut body = Body::new(Framing::Length(9), Keeping::Count { bytes_max: 9 }).unwrap();
        feed(&mut body, &[b"123456789"]).unwrap();
        assert_eq!((body.length(), body.into_bytes().len()), (9, 0));
    }

    proptest! {
        #[test]
        fn any_cut_of_a_chunked_body_gives_the_same_body(cuts in prop::collection::vec(0_usize..40, 0..5)) {
            let whole = b"5;x\r\nhello\r\n6\r\n world\r\n0\r\nT: u\r\n\r\n";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.sort_unstable();
            cuts.push(whole.len());
            let mut pieces = Vec::new();
            let mut from = 0;
            for to in cuts {
                pieces.push(&whole[from..to]);
                from = to;
            }
            prop_assert_eq!(chunked(&pieces).unwrap().0, b"hello world");
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut body = Body::new(Framing::Chunked, ALL).unwrap();
            if let Ok(taken) = body.take(&bytes) {
                prop_assert!(taken <= bytes.len() && body.length() <= 64);
            }
        }
    }
}
