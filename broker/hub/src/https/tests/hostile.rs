//! Peers that do not speak HTTP, and bytes of any kind.

use hilarm_model::{CloseReason, HubEvent};
use proptest::prelude::*;

use super::world::{World, event, request_with};

/// Status of the answer, the violation and the evidence; the connection must be over.
fn violation(bytes: &[u8]) -> (String, String, String) {
    let mut world = World::new();
    let connection = world.open();
    let (answer, closed) = world.exchange(connection, bytes);
    assert!(closed, "{answer}");
    let facts = world.facts();
    let [HubEvent::ProtocolViolated { violation, bytes_hex, .. }, HubEvent::ConnectionClosed { reason, .. }] =
        &facts[..]
    else {
        panic!("{facts:?}")
    };
    assert_eq!(*reason, CloseReason::ProtocolViolated);
    assert_eq!(world.exchange(connection, b"more"), (String::new(), false));
    (answer[9..12].to_owned(), violation.clone(), bytes_hex.clone())
}

#[test]
fn what_is_not_http_is_answered_recorded_and_closed() {
    let (status, why, evidence) = violation(b"\x10\x0C\x00\x04MQTT\x04\x02\x00\x3C");
    assert_eq!((&status[..], &why[..]), ("400", "the head is no HTTP request"));
    assert_eq!(evidence, "100c00044d5154540402003c");
    assert_eq!(violation(b"GET / HTTP/3.0\r\n\r\n").0, "505");
    assert_eq!(violation(&[b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'a'; 20_000]].concat()).0, "431");
    let line = "POST /devices/pump-1/messages/events";
    assert_eq!(violation(&request_with(line, "Content-Length: 262145\r\n", b"")).0, "413");
}

#[test]
fn evidence_holds_no_token() {
    let bytes = b"PUT /c/f?sig=secret HTTP/1.1\r\n\r\n";
    assert_eq!(violation(bytes).2, hex::encode(b"PUT /c/f"));
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_answered_without_a_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
        good_first in any::<bool>(),
    ) {
        let mut world = World::new();
        let connection = world.open();
        if good_first {
            world.exchange(connection, &event(b"x"));
        }
        for piece in pieces {
            world.exchange(connection, &piece);
        }
    }

    #[test]
    fn a_request_with_one_byte_changed_is_answered_or_waits(at in 0_usize..300, byte in any::<u8>()) {
        let mut bytes = event(b"hello");
        let at = at % bytes.len();
        bytes[at] = byte;
        let mut world = World::new();
        let connection = world.open();
        world.exchange(connection, &bytes);
    }
}
