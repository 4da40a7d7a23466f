//! Packets that stop rumqttd 0.20 for everybody, found by reading it and shown in `tests/why_not_devices.rs`.
//! The device's connection ends in their place, which is all that the device could have seen of it anyway.

use rumqttd::protocol::Packet;

use crate::broker::OPERATOR;

/// Why the broker must not see this packet.
pub(crate) fn lethal(packet: &Packet) -> Option<&'static str> {
    match packet {
        Packet::Publish(publish, _) => lethal_topic(&publish.topic),
        Packet::Connect(connect, _, will, _, _) => {
            let will = will.as_ref().and_then(|will| lethal_topic(&will.topic));
            lethal_client_id(&connect.client_id).or(will)
        }
        Packet::Subscribe(subscribe, _) => subscribe
            .filters
            .iter()
            .any(|filter| filter.path.starts_with("$share"))
            .then_some("a shared subscription: its bookkeeping ends in an assertion"),
        _ => None,
    }
}

/// The router looks at the first byte of a topic as a string slice.
fn lethal_topic(topic: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(topic).ok()?;
    (!text.is_empty() && !text.is_char_boundary(1))
        .then_some("a topic that starts with a non-ASCII character: the router panics")
}

fn lethal_client_id(client_id: &str) -> Option<&'static str> {
    if client_id == OPERATOR {
        return Some("the operator's own client id: its link would be taken over");
    }
    client_id
        .contains(['+', '$', '#', '/'])
        .then_some("a client id that the router refuses: seen twice, it poisons a lock of the listener")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttd::protocol::{Connect, Publish};

    fn publish(topic: &[u8]) -> Packet {
        let publish = Publish::new(topic.to_vec(), Vec::new(), false);
        Packet::Publish(publish, None)
    }

    fn connect(client_id: &str) -> Packet {
        let connect = Connect { keep_alive: 60, client_id: client_id.into(), clean_session: true };
        Packet::Connect(connect, None, None, None, None)
    }

    #[test]
    fn stops_a_topic_with_a_wide_first_character() {
        assert!(lethal(&publish("é/x".as_bytes())).is_some());
    }

    #[test]
    fn lets_ordinary_empty_and_malformed_topics_through() {
        for topic in [&b"exfil/pump-1"[..], b"", b"\xFF", "x/é".as_bytes()] {
            assert_eq!(lethal(&publish(topic)), None, "{topic:?}");
        }
    }

    #[test]
    fn stops_client_ids_that_the_router_refuses_and_our_own() {
        assert!(lethal(&connect("pump/1")).is_some());
        assert!(lethal(&connect(OPERATOR)).is_some());
        assert_eq!(lethal(&connect("pump-1")), None);
    }
}
