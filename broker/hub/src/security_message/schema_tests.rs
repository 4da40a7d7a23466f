//! The decoder against messages built by the official `flatbuffers` crate, an independent implementation,
//! and against damaged ones.

use flatbuffers::{FlatBufferBuilder, TableFinishedWIPOffset, WIPOffset};
use hilarm_model::{
    Flow, FlowProtocol, ListeningPort, ProcessCreate, SecurityEvent, SecurityPayload, SystemInformation,
};
use proptest::prelude::*;

use super::flatbuffer::Invalid;
use super::{SecurityMessage, recorded_tests, schema};

pub(super) type Builder = FlatBufferBuilder<'static>;
pub(super) type Finished = WIPOffset<TableFinishedWIPOffset>;

const ID: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The place of a field in a vtable.
pub(super) fn slot(index: u16) -> u16 {
    4 + 2 * index
}

/// Puts a struct into a table: words next to each other, the slot naming the lowest.
fn put_struct(builder: &mut Builder, index: u16, bytes: &[u8]) {
    let words: Vec<u64> = bytes.chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
    let (lowest, higher) = words.split_first().unwrap();
    higher.iter().rev().for_each(|word| {
        builder.push(*word);
    });
    builder.push_slot_always(slot(index), *lowest);
}

pub(super) fn tables(
    builder: &mut Builder,
    items: &[Finished],
) -> WIPOffset<flatbuffers::Vector<'static, flatbuffers::ForwardsUOffset<TableFinishedWIPOffset>>> {
    builder.start_vector::<Finished>(items.len());
    items.iter().rev().for_each(|item| {
        builder.push(*item);
    });
    builder.end_vector(items.len())
}

fn octets(flow: &Flow) -> Vec<u8> {
    let bytes = |address: std::net::IpAddr| match address {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    [bytes(flow.local_address), bytes(flow.remote_address)].concat()
}

fn put_flow(builder: &mut Builder, flow: &Flow, protocol: i8) -> Finished {
    let executable = builder.create_string("not judged yet");
    let start = builder.start_table();
    builder.push_slot(slot(0), flow.local_port, 0);
    builder.push_slot(slot(1), flow.remote_port, 0);
    builder.push_slot(slot(2), flow.bytes_in as u32, 0);
    builder.push_slot(slot(3), flow.bytes_out as u32, 0);
    builder.push_slot(slot(4), protocol, 0);
    builder.push_slot_always(slot(7), executable);
    let common = builder.end_table(start);
    let start = builder.start_table();
    put_struct(builder, 0, &octets(flow));
    builder.push_slot_always(slot(1), common);
    builder.end_table(start)
}

fn put_payload(builder: &mut Builder, payload: &SecurityPayload) -> (u8, Finished) {
    match payload {
        SecurityPayload::NetworkActivity(flows) => {
            let mut put = |v4: bool| {
                let chosen = flows.iter().filter(|flow| flow.local_address.is_ipv4() == v4);
                let items: Vec<_> = chosen.map(|flow| put_flow(builder, flow, flow.protocol as i8)).collect();
                (!items.is_empty()).then(|| tables(builder, &items))
            };
            let (v4, v6) = (put(true), put(false));
            let start = builder.start_table();
            v4.into_iter().for_each(|vector| builder.push_slot_always(slot(0), vector));
            v6.into_iter().for_each(|vector| builder.push_slot_always(slot(1), vector));
            (1, builder.end_table(start))
        }
        SecurityPayload::SystemInformation(system) => {
            let os = builder.create_string(&system.os_info);
            let hardware = builder.create_string(&system.hw_info);
            let start = builder.start_table();
            builder.push_slot_always(slot(0), os);
            builder.push_slot_always(slot(2), hardware);
            (2, builder.end_table(start))
        }
        SecurityPayload::Heartbeat => (4, empty_table(builder)),
        SecurityPayload::ListeningPorts(ports) => {
            let mut put = |v4: bool| {
                let chosen: Vec<_> = ports.iter().filter(|port| port.address.is_ipv4() == v4).collect();
                (!chosen.is_empty()).then(|| put_ports(builder, &chosen))
            };
            let (v4, v6) = (put(true), put(false));
            let start = builder.start_table();
            v4.into_iter().for_each(|vector| builder.push_slot_always(slot(0), vector));
            v6.into_iter().for_each(|vector| builder.push_slot_always(slot(1), vector));
            (3, builder.end_table(start))
        }
        SecurityPayload::ProcessCreate(process) => (6, put_process(builder, process, [9, 4, 1000], 1)),
        SecurityPayload::Recorded(event) => recorded_tests::put_recorded(builder, event),
        SecurityPayload::Login(_) => panic!("only JSON carries logins"),
    }
}

/// A vector of structs: address in network byte order, port, protocol, padding.
fn put_ports(
    builder: &mut Builder,
    ports: &[&ListeningPort],
) -> WIPOffset<flatbuffers::Vector<'static, u32>> {
    let bytes: Vec<u8> = ports
        .iter()
        .flat_map(|port| {
            let address = match port.address {
                std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
                std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            [address, port.port.to_le_bytes().to_vec(), vec![port.protocol as u8, 0]].concat()
        })
        .collect();
    let words: Vec<u32> = bytes.chunks_exact(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
    builder.start_vector::<u32>(words.len());
    words.iter().rev().for_each(|word| {
        builder.push(*word);
    });
    builder.end_vector(ports.len())
}

/// A process with its id, its parent's and its user's.
pub(super) fn put_process(
    builder: &mut Builder,
    process: &ProcessCreate,
    [id, parent, user_id]: [u32; 3],
    event_type: i8,
) -> Finished {
    let executable = builder.create_string(&process.executable);
    let user = builder.create_string(&process.user);
    let command_line = builder.create_string(&process.command_line);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), executable);
    builder.push_slot(slot(1), id, 0);
    builder.push_slot(slot(2), parent, 0);
    builder.push_slot(slot(3), user_id, 0);
    builder.push_slot_always(slot(4), user);
    builder.push_slot_always(slot(5), command_line);
    builder.push_slot(slot(6), event_type, 0);
    builder.end_table(start)
}

fn empty_table(builder: &mut Builder) -> Finished {
    let start = builder.start_table();
    builder.end_table(start)
}

/// An event as short as they come around a payload.
pub(super) fn put_event(builder: &mut Builder, kind: u8, payload: Finished) -> Finished {
    let start = builder.start_table();
    put_struct(builder, 0, &ID);
    builder.push_slot(slot(3), kind, 0);
    builder.push_slot_always(slot(4), payload);
    builder.end_table(start)
}

/// A message of these events.
pub(super) fn finish_message(builder: &mut Builder, events: &[Finished]) -> Vec<u8> {
    let events = tables(builder, events);
    let id = builder.create_string("agent");
    let start = builder.start_table();
    builder.push_slot_always(slot(0), id);
    builder.push_slot_always(slot(3), events);
    let root = builder.end_table(start);
    builder.finish_minimal(root);
    builder.finished_data().to_vec()
}

pub(super) fn build(message: &SecurityMessage) -> Vec<u8> {
    let mut builder = Builder::new();
    let events: Vec<_> = message
        .events
        .iter()
        .map(|event| {
            let (kind, payload) = put_payload(&mut builder, &event.payload);
            let start = builder.start_table();
            put_struct(&mut builder, 0, &hex::decode(&event.id).unwrap());
            builder.push_slot(slot(1), event.agent_time as u32, 0);
            builder.push_slot(slot(2), event.collection_interval_s.unwrap_or(0), 0);
            builder.push_slot(slot(3), kind, 0);
            builder.push_slot_always(slot(4), payload);
            builder.end_table(start)
        })
        .collect();
    let id = builder.create_string(&message.agent.id);
    let events = tables(&mut builder, &events);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), id);
    builder.push_slot(slot(1), 0x0305_0004_u32, 0);
    builder.push_slot_always(slot(3), events);
    let root = builder.end_table(start);
    builder.finish_minimal(root);
    builder.finished_data().to_vec()
}

pub(super) fn message(payloads: Vec<SecurityPayload>) -> SecurityMessage {
    let event = |payload| SecurityEvent {
        id: hex::encode(ID),
        agent_time: 1_767_225_600,
        collection_interval_s: Some(10),
        payload,
    };
    let agent =
        hilarm_model::AgentIdentity { id: "defender-iot-micro-agent".into(), version: "3.5.4".into() };
    SecurityMessage { agent, events: payloads.into_iter().map(event).collect() }
}

fn flow(local: &str, remote: &str, protocol: FlowProtocol) -> Flow {
    Flow {
        protocol,
        local_address: local.parse().unwrap(),
        local_port: 49_152,
        remote_address: remote.parse().unwrap(),
        remote_port: 8883,
        bytes_in: 1_000,
        bytes_out: u64::from(u32::MAX),
        direction: None,
    }
}

fn sample() -> SecurityMessage {
    let icmp = Flow {
        local_port: 0,
        remote_port: 0,
        bytes_in: 0,
        ..flow("10.42.0.2", "192.0.2.9", FlowProtocol::Icmp)
    };
    let flows = vec![
        flow("10.42.0.2", "198.51.100.7", FlowProtocol::Tcp),
        flow("10.42.0.2", "10.77.0.53", FlowProtocol::Udp),
        icmp,
        flow("fd00::2", "2001:db8::7", FlowProtocol::Tcp),
    ];
    let system = SystemInformation { os_info: "hilarm".into(), hw_info: "mps2".into(), ..Default::default() };
    let port = |address: &str, port, protocol| {
        let address = address.parse().unwrap();
        ListeningPort { protocol, address, port }
    };
    let ports = vec![
        port("10.42.0.2", 22, FlowProtocol::Tcp),
        port("10.42.0.2", 5353, FlowProtocol::Udp),
        port("fd00::2", 4444, FlowProtocol::Tcp),
    ];
    let process = ProcessCreate {
        executable: "/tmp/miner".into(),
        command_line: "/tmp/miner -t 4".into(),
        user: "root".into(),
    };
    message(vec![
        SecurityPayload::NetworkActivity(flows),
        SecurityPayload::SystemInformation(system),
        SecurityPayload::ListeningPorts(ports),
        SecurityPayload::ProcessCreate(process),
        SecurityPayload::Heartbeat,
    ])
}

#[test]
fn what_the_official_builder_writes_is_read_back() {
    assert_eq!(schema::decode(&build(&sample())), Ok(sample()));
}

#[test]
fn omitted_scalars_have_their_defaults() {
    let zero = Flow {
        local_port: 0,
        remote_port: 0,
        bytes_in: 0,
        bytes_out: 0,
        ..flow("10.42.0.2", "192.0.2.9", FlowProtocol::Tcp)
    };
    let mut bare = message(vec![SecurityPayload::NetworkActivity(vec![zero])]);
    bare.events[0].agent_time = 0;
    bare.events[0].collection_interval_s = None;
    assert_eq!(schema::decode(&build(&bare)), Ok(bare));
}

#[test]
fn empty_activity_is_an_event_without_flows() {
    let empty = message(vec![SecurityPayload::NetworkActivity(Vec::new())]);
    assert_eq!(schema::decode(&build(&empty)), Ok(empty));
}

/// A Heartbeat laid out by hand as the original agent does it: every vtable behind the tables.
pub(crate) fn heartbeat() -> Vec<u8> {
    let words = |words: &[i32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let shorts = |shorts: &[u16]| shorts.iter().flat_map(|short| short.to_le_bytes()).collect::<Vec<_>>();
    [
        words(&[4, 4 - 76, 64 - 8, 0x0305_0004, 20 - 16]), // root; message at 4: id, version, events
        words(&[1, 28 - 24]),                              // vector at 20
        words(&[28 - 88]),                                 // event at 28
        ID.to_vec(),
        words(&[1_767_225_600, 60 - 52, 4]), // time, payload, payload type
        words(&[60 - 102]),                  // heartbeat at 60
        words(&[5]),                         // string at 64
        b"agent\0\0\0".to_vec(),
        shorts(&[12, 16, 4, 8, 0, 12]),
        shorts(&[14, 32, 4, 20, 0, 28, 24]),
        shorts(&[4, 4]),
    ]
    .concat()
}

#[test]
fn vtables_after_their_tables_are_read() {
    let mut expected = message(vec![SecurityPayload::Heartbeat]);
    expected.agent.id = "agent".into();
    expected.events[0].collection_interval_s = None;
    assert_eq!(schema::decode(&heartbeat()), Ok(expected));
}

#[test]
fn a_foreign_protocol_and_a_missing_field_are_refused_by_name() {
    let mut builder = Builder::new();
    let root = empty_table(&mut builder);
    builder.finish_minimal(root);
    assert_eq!(schema::decode(builder.finished_data()), Err(Invalid::Missing("security_module_id")));

    let mut builder = Builder::new();
    let entry = put_flow(&mut builder, &flow("10.42.0.2", "192.0.2.9", FlowProtocol::Tcp), 3);
    let vector = tables(&mut builder, &[entry]);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), vector);
    let payload = builder.end_table(start);
    let event = put_event(&mut builder, 1, payload);
    let unknown = Invalid::Unknown { name: "protocol", value: 3 };
    assert_eq!(schema::decode(&finish_message(&mut builder, &[event])), Err(unknown));
}

/// A vector whose thousands of offsets all lead to one event is an attack, not a message.
#[test]
fn shared_offsets_cannot_make_a_message_outgrow_its_buffer() {
    let mut builder = Builder::new();
    let many: Vec<_> = (0..2_000).map(|_| flow("10.42.0.2", "192.0.2.9", FlowProtocol::Tcp)).collect();
    let shared = put_flow(&mut builder, &many[0], 0);
    let flows = tables(&mut builder, &vec![shared; 2_000]);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), flows);
    let payload = builder.end_table(start);
    let event = put_event(&mut builder, 1, payload);
    let message = finish_message(&mut builder, &vec![event; 2_000]);
    assert_eq!(schema::decode(&message), Err(Invalid::Amplified));
}

proptest! {
    #[test]
    fn a_truncated_message_never_panics(keep in 0usize..2_000) {
        let whole = build(&sample());
        let _ = schema::decode(&whole[..keep.min(whole.len())]);
    }

    #[test]
    fn a_mutated_message_never_panics(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..12)) {
        let mut bytes = build(&sample());
        let length = bytes.len();
        changes.into_iter().for_each(|(position, byte)| bytes[position % length] = byte);
        let _ = schema::decode(&bytes);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = schema::decode(&bytes);
    }
}
