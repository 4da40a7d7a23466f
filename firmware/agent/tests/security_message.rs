//! What the agent's encoder writes, read by the official `flatbuffers` crate: verified first against the
//! schema's tables with every required field, then compared field by field.
//!
//! A test of its own crate, since reading generically takes `unsafe`, which the agent forbids.

use flatbuffers::{
    Follow, ForwardsUOffset, InvalidFlatbuffer, Table, Vector, Verifiable, Verifier, VerifierOptions,
};
use hilarm_agent::security_message::{self, SecurityEvent, SecurityPayload};
use hilarm_agent::{Flow, FlowKey, FlowProtocol};
use proptest::prelude::*;

/// The vtable position of a field.
const fn field(slot: u16) -> u16 {
    4 + 2 * slot
}

/// A table type of the schema, with what the verifier demands of it.
macro_rules! table {
    ($name:ident, |$visitor:ident| $fields:expr) => {
        #[derive(Clone, Copy)]
        struct $name<'a>(Table<'a>);

        impl<'a> Follow<'a> for $name<'a> {
            type Inner = Self;
            unsafe fn follow(buf: &'a [u8], loc: usize) -> Self {
                Self(unsafe { Table::new(buf, loc) })
            }
        }

        impl Verifiable for $name<'_> {
            fn run_verifier(verifier: &mut Verifier<'_, '_>, at: usize) -> Result<(), InvalidFlatbuffer> {
                let $visitor = verifier.visit_table(at)?;
                $fields.finish();
                Ok(())
            }
        }

        impl<'a> $name<'a> {
            #[allow(dead_code, reason = "not every table is read by every way")]
            fn get<T: Follow<'a> + 'a>(&self, slot: u16) -> Option<T::Inner> {
                // Sound: the buffer was verified with the field types that the tests ask for.
                unsafe { self.0.get::<T>(field(slot), None) }
            }
        }
    };
}

/// A struct of the schema: bytes in place.
macro_rules! structure {
    ($name:ident, $bytes:literal) => {
        #[repr(transparent)]
        struct $name([u8; $bytes]);

        impl<'a> Follow<'a> for $name {
            type Inner = &'a Self;
            unsafe fn follow(buf: &'a [u8], loc: usize) -> &'a Self {
                unsafe { flatbuffers::follow_cast_ref::<Self>(buf, loc) }
            }
        }

        impl Verifiable for $name {
            fn run_verifier(verifier: &mut Verifier<'_, '_>, at: usize) -> Result<(), InvalidFlatbuffer> {
                verifier.in_buffer::<Self>(at)
            }
        }
    };
}

type Tables<'a, T> = ForwardsUOffset<Vector<'a, ForwardsUOffset<T>>>;

structure!(Uuid, 16);
structure!(IPv4Addresses, 8);

table!(Common, |visitor| visitor
    .visit_field::<u16>("local_port", field(0), false)?
    .visit_field::<u16>("remote_port", field(1), false)?
    .visit_field::<u32>("bytes_in", field(2), false)?
    .visit_field::<u32>("bytes_out", field(3), false)?
    .visit_field::<i8>("protocol", field(4), false)?);

table!(NetworkActivityV4, |visitor| visitor
    .visit_field::<IPv4Addresses>("addresses", field(0), true)?
    .visit_field::<ForwardsUOffset<Common<'_>>>("common", field(1), true)?);

table!(NetworkActivity, |visitor| visitor.visit_field::<Tables<'_, NetworkActivityV4<'_>>>(
    "ipv4_activity",
    field(0),
    false
)?);

table!(SystemInformation, |visitor| visitor
    .visit_field::<ForwardsUOffset<&str>>("os_info", field(0), false)?
    .visit_field::<ForwardsUOffset<&str>>("kernel_info", field(1), false)?
    .visit_field::<ForwardsUOffset<&str>>("hw_info", field(2), false)?);

table!(Heartbeat, |visitor| visitor);

table!(Event, |visitor| visitor
    .visit_field::<Uuid>("id", field(0), true)?
    .visit_field::<u32>("time", field(1), false)?
    .visit_field::<u32>("collection_interval", field(2), false)?
    .visit_union::<u8, _>("payload_type", field(3), "payload", field(4), true, |kind, verifier, at| {
        match kind {
            1 => verifier.verify_union_variant::<ForwardsUOffset<NetworkActivity<'_>>>("1", at),
            2 => verifier.verify_union_variant::<ForwardsUOffset<SystemInformation<'_>>>("2", at),
            4 => verifier.verify_union_variant::<ForwardsUOffset<Heartbeat<'_>>>("4", at),
            other => panic!("payload type {other} is not collected here"),
        }
    })?);

table!(Message, |visitor| visitor
    .visit_field::<ForwardsUOffset<&str>>("security_module_id", field(0), true)?
    .visit_field::<u32>("security_module_version", field(1), false)?
    .visit_field::<i8>("timezone", field(2), false)?
    .visit_field::<Tables<'_, Event<'_>>>("events", field(3), true)?);

fn read(bytes: &[u8]) -> Message<'_> {
    let options = VerifierOptions { max_tables: 1000, ..VerifierOptions::default() };
    flatbuffers::root_with_opts::<Message<'_>>(&options, bytes).expect("a valid buffer")
}

fn events<'a>(message: &Message<'a>) -> Vec<Event<'a>> {
    message.get::<Tables<'a, Event<'a>>>(3).expect("events").iter().collect()
}

fn event(payload: SecurityPayload) -> SecurityEvent {
    SecurityEvent {
        id: core::array::from_fn(|index| index as u8 + 1),
        time_s: 1_767_225_630,
        collection_interval_s: 10,
        payload,
    }
}

fn flow(protocol: FlowProtocol, local_port: u16, remote_port: u16) -> Flow {
    Flow {
        key: FlowKey {
            protocol,
            local_address: [10, 42, 0, 2],
            local_port,
            remote_address: [198, 51, 100, 66],
            remote_port,
        },
        bytes_in: 123_456,
        bytes_out: 78,
    }
}

#[test]
fn the_message_names_the_module_and_its_version_and_no_time_zone() {
    let bytes = security_message::encode(&[event(SecurityPayload::Heartbeat)]);
    let message = read(&bytes);
    assert_eq!(message.get::<ForwardsUOffset<&str>>(0), Some("defender-iot-micro-agent"));
    assert_eq!(message.get::<u32>(1), Some(0x0305_0004));
    assert_eq!(message.get::<i8>(2), None);
}

#[test]
fn an_event_has_its_id_time_and_interval() {
    let bytes = security_message::encode(&[event(SecurityPayload::Heartbeat)]);
    let events = events(&read(&bytes));
    let [event] = &events[..] else { panic!("one event") };
    assert_eq!(event.get::<Uuid>(0).map(|id| id.0), Some(core::array::from_fn(|index| index as u8 + 1)));
    assert_eq!(event.get::<u32>(1), Some(1_767_225_630));
    assert_eq!(event.get::<u32>(2), Some(10));
    assert_eq!(event.get::<u8>(3), Some(4), "heartbeat");
    assert!(event.get::<ForwardsUOffset<Heartbeat<'_>>>(4).is_some());
}

#[test]
fn system_information_has_the_operating_system_only() {
    let os_info = "hilarm firmware 0.1.0".to_string();
    let bytes = security_message::encode(&[event(SecurityPayload::SystemInformation { os_info })]);
    let events = events(&read(&bytes));
    assert_eq!(events[0].get::<u8>(3), Some(2));
    let payload = events[0].get::<ForwardsUOffset<SystemInformation<'_>>>(4).unwrap();
    assert_eq!(payload.get::<ForwardsUOffset<&str>>(0), Some("hilarm firmware 0.1.0"));
    assert_eq!(payload.get::<ForwardsUOffset<&str>>(1), None);
    assert_eq!(payload.get::<ForwardsUOffset<&str>>(2), None);
}

#[test]
fn flows_have_addresses_in_network_order_ports_in_host_order_and_both_counts() {
    let flows = vec![
        flow(FlowProtocol::Tcp, 49152, 1883),
        flow(FlowProtocol::Udp, 49153, 53),
        flow(FlowProtocol::Icmp, 0, 0),
    ];
    let bytes = security_message::encode(&[event(SecurityPayload::NetworkActivity(flows))]);
    let events = events(&read(&bytes));
    assert_eq!(events[0].get::<u8>(3), Some(1));
    let activity = events[0].get::<ForwardsUOffset<NetworkActivity<'_>>>(4).unwrap();
    let flows = activity.get::<Tables<'_, NetworkActivityV4<'_>>>(0).unwrap();
    let read: Vec<_> = flows
        .iter()
        .map(|flow| {
            let common = flow.get::<ForwardsUOffset<Common<'_>>>(1).unwrap();
            assert_eq!(flow.get::<IPv4Addresses>(0).unwrap().0, [10, 42, 0, 2, 198, 51, 100, 66]);
            assert_eq!((common.get::<u32>(2), common.get::<u32>(3)), (Some(123_456), Some(78)));
            (common.get::<i8>(4), common.get::<u16>(0), common.get::<u16>(1))
        })
        .collect();
    assert_eq!(
        read,
        [(None, Some(49152), Some(1883)), (Some(1), Some(49153), Some(53)), (Some(2), None, None)],
        "defaults are left out"
    );
}

#[test]
fn addresses_and_ids_lie_where_the_schema_wants_them() {
    let flows = vec![flow(FlowProtocol::Tcp, 1, 2), flow(FlowProtocol::Udp, 0, 3)];
    let bytes = security_message::encode(&[event(SecurityPayload::NetworkActivity(flows))]);
    assert_eq!(bytes.len() % 4, 0);
    let events = events(&read(&bytes));
    let activity = events[0].get::<ForwardsUOffset<NetworkActivity<'_>>>(4).unwrap();
    for flow in activity.get::<Tables<'_, NetworkActivityV4<'_>>>(0).unwrap().iter() {
        let at = flow.0.loc() + usize::from(flow.0.vtable().get(field(0)));
        assert_eq!(at % 4, 0, "IPv4Addresses is aligned to 4");
    }
}

#[test]
fn a_full_message_keeps_the_documented_bound() {
    let flows = (0..64).map(|port| flow(FlowProtocol::Udp, 49152 + port, 1883)).collect();
    let events = [
        event(SecurityPayload::NetworkActivity(flows)),
        event(SecurityPayload::SystemInformation { os_info: "hilarm firmware 0.1.0".to_string() }),
        event(SecurityPayload::Heartbeat),
    ];
    let bytes = security_message::encode(&events);
    assert!(bytes.len() <= 500 + 40 * 64, "{} bytes", bytes.len());
    assert_eq!(self::events(&read(&bytes)).len(), 3);
}

proptest! {
    #[test]
    fn every_message_verifies(
        ids in proptest::collection::vec(any::<[u8; 16]>(), 1..5),
        time_s: u32,
        os_info in ".{0,40}",
        flows in proptest::collection::vec(any::<([u8; 4], u16, u16, u32, u32, u8)>(), 0..70),
    ) {
        let flows: Vec<Flow> = flows
            .into_iter()
            .map(|(remote_address, local_port, remote_port, bytes_in, bytes_out, kind)| {
                let protocol = [FlowProtocol::Tcp, FlowProtocol::Udp, FlowProtocol::Icmp][usize::from(kind % 3)];
                let local_address = [10, 42, 0, 2];
                let key = FlowKey { protocol, local_address, local_port, remote_address, remote_port };
                Flow { key, bytes_in, bytes_out }
            })
            .collect();
        let payloads = [
            SecurityPayload::NetworkActivity(flows.clone()),
            SecurityPayload::SystemInformation { os_info: os_info.clone() },
            SecurityPayload::Heartbeat,
        ];
        let sent: Vec<SecurityEvent> = ids
            .iter()
            .zip(payloads.into_iter().cycle())
            .map(|(&id, payload)| SecurityEvent { id, time_s, collection_interval_s: 60, payload })
            .collect();
        let bytes = security_message::encode(&sent);
        let got = events(&read(&bytes));
        prop_assert_eq!(got.len(), sent.len());
        for (got, sent) in got.iter().zip(&sent) {
            prop_assert_eq!(got.get::<Uuid>(0).unwrap().0, sent.id);
            prop_assert_eq!(got.get::<u32>(1).unwrap_or(0), time_s);
        }
        let activity = got[0].get::<ForwardsUOffset<NetworkActivity<'_>>>(4).unwrap();
        let read_flows = activity.get::<Tables<'_, NetworkActivityV4<'_>>>(0).unwrap();
        prop_assert_eq!(read_flows.len(), flows.len());
        for (got, sent) in read_flows.iter().zip(&flows) {
            let common = got.get::<ForwardsUOffset<Common<'_>>>(1).unwrap();
            prop_assert_eq!(&got.get::<IPv4Addresses>(0).unwrap().0[4..], &sent.key.remote_address[..]);
            prop_assert_eq!(common.get::<u16>(0).unwrap_or(0), sent.key.local_port);
            prop_assert_eq!(common.get::<u32>(2).unwrap_or(0), sent.bytes_in);
            prop_assert_eq!(common.get::<u32>(3).unwrap_or(0), sent.bytes_out);
        }
    }
}
