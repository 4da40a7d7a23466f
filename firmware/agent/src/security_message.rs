//! Security messages of the Defender micro agent: FlatBuffers schema 2.3, `AzureIoTSecurity.Message`
//! (`spec/defender.md`, 1.2), for the payloads that this agent collects. What that schema lacks travels as
//! [`json`]. Encoding only: the hub connection knows the topic.

pub(crate) mod json;

use alloc::string::String;
use alloc::vec::Vec;

use crate::flatbuffers::{Builder, Offset};
use crate::flows::{Flow, FlowProtocol};

/// The agent's module id, as the original has it.
pub const MODULE_ID: &str = "defender-iot-micro-agent";
/// The version of the original agent whose messages these are, 3.5.4: major, minor and patch as bytes.
pub const MODULE_VERSION: u32 = 3 << 24 | 5 << 16 | 4;

/// An encoded message, in the encoding that its topic has to state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecurityMessage {
    /// FlatBuffers schema 2.3.
    FlatBuffers(Vec<u8>),
    /// JSON schema 1.0.
    Json(Vec<u8>),
}

/// One event of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityEvent {
    /// Counts up with every event of the agent.
    pub id: [u8; 16],
    /// The device's calendar time, Unix seconds.
    pub time_s: u32,
    /// Interval of the collector in seconds.
    pub collection_interval_s: u32,
    /// What was collected.
    pub payload: SecurityPayload,
}

/// What a collector found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityPayload {
    /// Flows since the collection before.
    NetworkActivity(Vec<Flow>),
    /// What the device runs.
    SystemInformation {
        /// Operating system.
        os_info: String,
    },
    /// The agent is alive.
    Heartbeat,
}

/// Slots of each table, in the order of the schema.
mod slot {
    pub(super) mod message {
        pub(crate) const MODULE_ID: usize = 0;
        pub(crate) const MODULE_VERSION: usize = 1;
        pub(crate) const EVENTS: usize = 3;
    }
    pub(super) mod event {
        pub(crate) const ID: usize = 0;
        pub(crate) const TIME: usize = 1;
        pub(crate) const COLLECTION_INTERVAL: usize = 2;
        pub(crate) const PAYLOAD_TYPE: usize = 3;
        pub(crate) const PAYLOAD: usize = 4;
    }
    pub(super) mod network_activity {
        pub(crate) const IPV4: usize = 0;
    }
    pub(super) mod network_activity_v4 {
        pub(crate) const ADDRESSES: usize = 0;
        pub(crate) const COMMON: usize = 1;
    }
    pub(super) mod network_activity_common {
        pub(crate) const LOCAL_PORT: usize = 0;
        pub(crate) const REMOTE_PORT: usize = 1;
        pub(crate) const BYTES_IN: usize = 2;
        pub(crate) const BYTES_OUT: usize = 3;
        pub(crate) const PROTOCOL: usize = 4;
    }
    pub(super) mod system_information {
        pub(crate) const OS_INFO: usize = 0;
    }
}

/// The events as one message. Like the original, it never sets the time zone.
pub fn encode(events: &[SecurityEvent]) -> Vec<u8> {
    let mut builder = Builder::default();
    let tables: Vec<Offset> = events.iter().map(|event| write_event(&mut builder, event)).collect();
    let events = builder.vector(&tables);
    let module_id = builder.string(MODULE_ID);
    let message = builder
        .table()
        .reference(slot::message::MODULE_ID, module_id)
        .word(slot::message::MODULE_VERSION, MODULE_VERSION)
        .reference(slot::message::EVENTS, events)
        .finish();
    builder.finish(message)
}

fn write_event(builder: &mut Builder, event: &SecurityEvent) -> Offset {
    let (kind, payload) = write_payload(builder, &event.payload);
    builder
        .table()
        .inline(slot::event::ID, &event.id, 1)
        .word(slot::event::TIME, event.time_s)
        .word(slot::event::COLLECTION_INTERVAL, event.collection_interval_s)
        .reference(slot::event::PAYLOAD, payload)
        .byte(slot::event::PAYLOAD_TYPE, kind)
        .finish()
}

/// The payload's number in the union, and its table.
fn write_payload(builder: &mut Builder, payload: &SecurityPayload) -> (u8, Offset) {
    match payload {
        SecurityPayload::NetworkActivity(flows) => {
            let flows: Vec<Offset> = flows.iter().map(|flow| write_flow(builder, flow)).collect();
            let ipv4 = builder.vector(&flows);
            (1, builder.table().reference(slot::network_activity::IPV4, ipv4).finish())
        }
        SecurityPayload::SystemInformation { os_info } => {
            let os_info = builder.string(os_info);
            (2, builder.table().reference(slot::system_information::OS_INFO, os_info).finish())
        }
        SecurityPayload::Heartbeat => (4, builder.table().finish()),
    }
}

fn write_flow(builder: &mut Builder, flow: &Flow) -> Offset {
    let protocol = match flow.key.protocol {
        FlowProtocol::Tcp => 0,
        FlowProtocol::Udp => 1,
        FlowProtocol::Icmp => 2,
    };
    let common = builder
        .table()
        .short(slot::network_activity_common::LOCAL_PORT, flow.key.local_port)
        .short(slot::network_activity_common::REMOTE_PORT, flow.key.remote_port)
        .word(slot::network_activity_common::BYTES_IN, flow.bytes_in)
        .word(slot::network_activity_common::BYTES_OUT, flow.bytes_out)
        .byte(slot::network_activity_common::PROTOCOL, protocol)
        .finish();
    // Network byte order: the address's bytes as they are, never as a little-endian number.
    let mut addresses = [0; 8];
    addresses[..4].copy_from_slice(&flow.key.local_address);
    addresses[4..].copy_from_slice(&flow.key.remote_address);
    builder
        .table()
        .inline(slot::network_activity_v4::ADDRESSES, &addresses, 4)
        .reference(slot::network_activity_v4::COMMON, common)
        .finish()
}
