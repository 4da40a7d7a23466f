//! The agent's FlatBuffers schema 2.3 (`AzureIoTSecurity.Message`): which slot holds what. Slots count in
//! the order of declaration; a union takes two, type and value. Addresses are in network byte order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hilarm_model::{
    AgentIdentity, Flow, FlowProtocol, ListeningPort, ProcessCreate, SecurityEvent, SecurityPayload,
    SystemInformation,
};

use super::budget::ITEM_WORK;
use super::flatbuffer::{Buffer, Invalid, Table};
use super::{SecurityMessage, recorded};

mod message {
    pub(super) const SECURITY_MODULE_ID: usize = 0;
    pub(super) const SECURITY_MODULE_VERSION: usize = 1;
    pub(super) const EVENTS: usize = 3;
}

mod event {
    pub(super) const ID: usize = 0;
    pub(super) const TIME: usize = 1;
    pub(super) const COLLECTION_INTERVAL: usize = 2;
    pub(super) const PAYLOAD_TYPE: usize = 3;
    pub(super) const PAYLOAD: usize = 4;
}

mod activity {
    pub(super) const IPV4: usize = 0;
    pub(super) const IPV6: usize = 1;
    pub(super) const ADDRESSES: usize = 0;
    pub(super) const COMMON: usize = 1;
}

mod common {
    pub(super) const LOCAL_PORT: usize = 0;
    pub(super) const REMOTE_PORT: usize = 1;
    pub(super) const BYTES_IN: usize = 2;
    pub(super) const BYTES_OUT: usize = 3;
    pub(super) const PROTOCOL: usize = 4;
}

pub(super) mod process {
    pub(in super::super) const EXECUTABLE: usize = 0;
    pub(in super::super) const PROCESS_ID: usize = 1;
    pub(in super::super) const PARENT_PROCESS_ID: usize = 2;
    pub(in super::super) const USER_ID: usize = 3;
    pub(in super::super) const USER_NAME: usize = 4;
    pub(in super::super) const COMMAND_LINE: usize = 5;
    pub(super) const EVENT_TYPE: usize = 6;
}

pub(super) fn decode(payload: &[u8]) -> Result<SecurityMessage, Invalid> {
    let buffer = Buffer::new(payload);
    let root = buffer.root()?;
    let id = root.string(message::SECURITY_MODULE_ID)?.ok_or(Invalid::Missing("security_module_id"))?;
    let version = version_text(root.u32(message::SECURITY_MODULE_VERSION)?);
    let events = root.tables(message::EVENTS)?.ok_or(Invalid::Missing("events"))?;
    let events = events.map(|table| decode_event(&table?)).collect::<Result<_, _>>()?;
    Ok(SecurityMessage { agent: AgentIdentity { id: id.to_owned(), version }, events })
}

/// `major << 24 | minor << 16 | patch`.
fn version_text(version: u32) -> String {
    format!("{}.{}.{}", version >> 24, (version >> 16) & 0xFF, version & 0xFFFF)
}

fn decode_event(table: &Table<'_, '_>) -> Result<SecurityEvent, Invalid> {
    table.spend(ITEM_WORK)?;
    let id: [u8; 16] = table.structure(event::ID, "id")?;
    let interval = table.u32(event::COLLECTION_INTERVAL)?;
    let kind = table.u8(event::PAYLOAD_TYPE)?;
    let payload = table.table(event::PAYLOAD, "payload")?;
    Ok(SecurityEvent {
        id: hex::encode(id),
        agent_time: i64::from(table.u32(event::TIME)?),
        collection_interval_s: (interval != 0).then_some(interval),
        payload: decode_payload(kind, &payload)?,
    })
}

fn decode_payload(kind: u8, table: &Table<'_, '_>) -> Result<SecurityPayload, Invalid> {
    match kind {
        1 => Ok(SecurityPayload::NetworkActivity(decode_activity(table)?)),
        2 => Ok(SecurityPayload::SystemInformation(decode_system_information(table)?)),
        3 => Ok(SecurityPayload::ListeningPorts(decode_ports(table)?)),
        4 => Ok(SecurityPayload::Heartbeat),
        5 => recorded::baseline(table),
        6 => decode_process(table),
        7 => recorded::log(table),
        value => Err(Invalid::Unknown { name: "payload", value }),
    }
}

fn decode_system_information(table: &Table<'_, '_>) -> Result<SystemInformation, Invalid> {
    let text = |slot| table.string(slot).map(|text| text.unwrap_or_default().to_owned());
    Ok(SystemInformation { os_info: text(0)?, kernel_info: text(1)?, hw_info: text(2)? })
}

fn decode_ports(table: &Table<'_, '_>) -> Result<Vec<ListeningPort>, Invalid> {
    let mut ports = Vec::new();
    for entry in table.structures::<8>(0)?.into_iter().flatten() {
        let [a0, a1, a2, a3, p0, p1, kind, _] = entry?;
        ports.push(listening_port(Ipv4Addr::new(a0, a1, a2, a3).into(), [p0, p1], kind)?);
    }
    for entry in table.structures::<20>(1)?.into_iter().flatten() {
        let entry = entry?;
        let (address, common) = entry.split_at(16);
        let [p0, p1, kind, _] = common else { return Err(Invalid::OutOfBounds) };
        ports.push(listening_port(ipv6(address), [*p0, *p1], *kind)?);
    }
    Ok(ports)
}

fn listening_port(address: IpAddr, port: [u8; 2], kind: u8) -> Result<ListeningPort, Invalid> {
    Ok(ListeningPort { protocol: protocol(kind)?, address, port: u16::from_le_bytes(port) })
}

/// Only an EXEC starts a program; a FORK runs the same one and an EXIT ends it.
fn decode_process(table: &Table<'_, '_>) -> Result<SecurityPayload, Invalid> {
    let text = |slot| table.string(slot).map(|text| text.unwrap_or_default().to_owned());
    match table.u8(process::EVENT_TYPE)? {
        1 => {
            let name = text(process::USER_NAME)?;
            let id = table.u32(process::USER_ID)?;
            Ok(SecurityPayload::ProcessCreate(ProcessCreate {
                executable: text(process::EXECUTABLE)?,
                command_line: text(process::COMMAND_LINE)?,
                user: if name.is_empty() { id.to_string() } else { name },
            }))
        }
        0 => recorded::forked(table),
        2 => recorded::exited(table),
        value => Err(Invalid::Unknown { name: "process event type", value }),
    }
}

fn protocol(value: u8) -> Result<FlowProtocol, Invalid> {
    match value {
        0 => Ok(FlowProtocol::Tcp),
        1 => Ok(FlowProtocol::Udp),
        2 => Ok(FlowProtocol::Icmp),
        value => Err(Invalid::Unknown { name: "protocol", value }),
    }
}

fn decode_activity(table: &Table<'_, '_>) -> Result<Vec<Flow>, Invalid> {
    let mut flows = Vec::new();
    for entry in table.tables(activity::IPV4)?.into_iter().flatten() {
        flows.push(decode_flow(&entry?, |entry| {
            let [l0, l1, l2, l3, r0, r1, r2, r3] = entry.structure(activity::ADDRESSES, "addresses")?;
            Ok((Ipv4Addr::new(l0, l1, l2, l3).into(), Ipv4Addr::new(r0, r1, r2, r3).into()))
        })?);
    }
    for entry in table.tables(activity::IPV6)?.into_iter().flatten() {
        flows.push(decode_flow(&entry?, |entry| {
            let both: [u8; 32] = entry.structure(activity::ADDRESSES, "addresses")?;
            let (local, remote) = both.split_at(16);
            Ok((ipv6(local), ipv6(remote)))
        })?);
    }
    Ok(flows)
}

fn ipv6(bytes: &[u8]) -> IpAddr {
    let mut octets = [0; 16];
    octets.iter_mut().zip(bytes).for_each(|(octet, byte)| *octet = *byte);
    Ipv6Addr::from(octets).into()
}

fn decode_flow<'a, 'b>(
    entry: &Table<'a, 'b>,
    addresses: impl Fn(&Table<'a, 'b>) -> Result<(IpAddr, IpAddr), Invalid>,
) -> Result<Flow, Invalid> {
    let (local_address, remote_address) = addresses(entry)?;
    let common = entry.table(activity::COMMON, "common")?;
    let protocol = protocol(common.u8(common::PROTOCOL)?)?;
    Ok(Flow {
        protocol,
        local_address,
        local_port: common.u16(common::LOCAL_PORT)?,
        remote_address,
        remote_port: common.u16(common::REMOTE_PORT)?,
        bytes_in: u64::from(common.u32(common::BYTES_IN)?),
        bytes_out: u64::from(common.u32(common::BYTES_OUT)?),
        direction: None,
    })
}
