//! The name server: answers A queries over UDP (RFC 1035). Unknown names are NXDOMAIN; other types of known
//! names have no data.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::RESOLVER;
use crate::route::{Routes, canonical};

const HEADER_BYTES: usize = 12;
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;
const NXDOMAIN: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;
/// Records are authored by a scenario that may change them at its next step.
const TTL_S: u32 = 0;
/// What an address adds to a reply.
const ADDRESS_BYTES: usize = 16;
/// Where the name server listens.
pub(crate) const SERVER: SocketAddrV4 = SocketAddrV4::new(RESOLVER, 53);

/// A reply, and what it told if it was about an address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) reply: Vec<u8>,
    pub(crate) told: Option<(String, Option<Ipv4Addr>)>,
}

struct Question {
    name: String,
    kind: u16,
    class: u16,
    /// Where it ends in the query.
    end: usize,
}

/// The answer to a query; none to what is no query with exactly one well-formed question.
pub(crate) fn answer(query: &[u8], routes: &Routes) -> Option<Answer> {
    let header = query.get(..HEADER_BYTES)?;
    let is_response = header[2] & 0x80 != 0;
    if is_response || header[4..6] != [0, 1] {
        return None;
    }
    let question = read_question(query)?;
    let opcode = header[2] >> 3 & 0x0F;
    if opcode != 0 {
        return Some(Answer { reply: reply(query, &question, NOT_IMPLEMENTED, None), told: None });
    }
    let known = routes.resolve(&question.name);
    let asks_address = (question.kind, question.class) == (TYPE_A, CLASS_IN);
    let code = if known.is_some() { 0 } else { NXDOMAIN };
    let address = known.filter(|_| asks_address);
    let told = asks_address.then(|| (canonical(&question.name), address));
    Some(Answer { reply: reply(query, &question, code, address), told })
}

/// Length of a query for the address of a name.
pub(crate) fn query_bytes(name: &str) -> usize {
    // Each label has its length before it, the last one also the root's behind it; then come type and class.
    HEADER_BYTES + name.len() + 2 + 4
}

/// Length of the reply.
pub(crate) fn reply_bytes(query_bytes: usize, address: Option<Ipv4Addr>) -> usize {
    query_bytes + if address.is_some() { ADDRESS_BYTES } else { 0 }
}

/// Labels of the first question. Compression has no place before the first name.
fn read_question(query: &[u8]) -> Option<Question> {
    let mut at = HEADER_BYTES;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        match length {
            0 => break,
            1..=63 => labels.push(std::str::from_utf8(query.get(at..at + length)?).ok()?),
            _ => return None,
        }
        at += length;
    }
    let fixed = query.get(at..at + 4)?;
    let name = labels.join(".");
    let (kind, class) = (u16::from_be_bytes([fixed[0], fixed[1]]), u16::from_be_bytes([fixed[2], fixed[3]]));
    (name.len() <= 253).then_some(Question { name, kind, class, end: at + 4 })
}

fn reply(query: &[u8], question: &Question, code: u8, address: Option<Ipv4Addr>) -> Vec<u8> {
    let mut out = Vec::with_capacity(question.end + ADDRESS_BYTES);
    out.extend_from_slice(&query[..2]);
    // Response, authoritative; opcode and recursion desired as asked; recursion available.
    out.push(0x84 | query[2] & 0x79);
    out.push(0x80 | code);
    out.extend_from_slice(&[0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    out.extend_from_slice(&query[HEADER_BYTES..question.end]);
    if let Some(address) = address {
        // The name, as a pointer to the question's.
        out.extend_from_slice(&[0xC0, HEADER_BYTES as u8]);
        out.extend_from_slice(&TYPE_A.to_be_bytes());
        out.extend_from_slice(&CLASS_IN.to_be_bytes());
        out.extend_from_slice(&TTL_S.to_be_bytes());
        out.extend_from_slice(&[0, 4]);
        out.extend_from_slice(&address.octets());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn routes() -> Routes {
        Routes::new("10.77.0.10:8883".parse().unwrap(), "hub.hilarm.test")
    }

    fn query(labels: &[&str], kind: u8) -> Vec<u8> {
        let mut out = vec![0xAB, 0xCD, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            out.push(label.len() as u8);
            out.extend_from_slice(label.as_bytes());
        }
        out.extend_from_slice(&[0, 0, kind, 0, 1]);
        out
    }

    #[test]
    fn lengths_are_known_without_a_query() {
        for (labels, known) in [(&["hub", "hilarm", "test"], true), (&["c2", "evil", "test"], false)] {
            let query = query(labels, 1);
            let address = known.then_some(Ipv4Addr::LOCALHOST);
            assert_eq!(query_bytes(&labels.join(".")), query.len());
            let reply = answer(&query, &routes()).unwrap().reply;
            assert_eq!(reply_bytes(query.len(), address), reply.len());
        }
    }

    #[test]
    fn a_known_name_gets_its_address() {
        let answer = answer(&query(&["HUB", "hilarm", "test"], 1), &routes()).unwrap();
        assert_eq!(answer.reply[..4], [0xAB, 0xCD, 0x85, 0x80]);
        assert_eq!(answer.reply[4..8], [0, 1, 0, 1]);
        assert!(answer.reply.ends_with(&[0, 4, 10, 77, 0, 10]));
        assert_eq!(answer.told, Some(("hub.hilarm.test".to_string(), Some(Ipv4Addr::new(10, 77, 0, 10)))));
    }

    #[test]
    fn an_unknown_name_does_not_exist_and_another_type_has_no_data() {
        let unknown = answer(&query(&["c2", "evil", "test"], 1), &routes()).unwrap();
        assert_eq!((unknown.reply[3] & 0x0F, unknown.reply[7]), (NXDOMAIN, 0));
        assert_eq!(unknown.told, Some(("c2.evil.test".to_string(), None)));
        let aaaa = answer(&query(&["hub", "hilarm", "test"], 28), &routes()).unwrap();
        assert_eq!((aaaa.reply[3] & 0x0F, aaaa.reply[7]), (0, 0));
        assert_eq!(aaaa.told, None);
    }

    #[test]
    fn what_is_no_query_gets_no_answer() {
        let good = query(&["hub"], 1);
        for length in 0..good.len() {
            assert_eq!(answer(&good[..length], &routes()), None);
        }
        let mut response = good.clone();
        response[2] |= 0x80;
        assert_eq!(answer(&response, &routes()), None);
        let mut pointer = good;
        pointer[12] = 0xC0;
        assert_eq!(answer(&pointer, &routes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = answer(&bytes, &routes());
        }
    }
}
