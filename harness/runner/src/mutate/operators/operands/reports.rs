//! What is compared in the reports of micro agents.

use std::net::{IpAddr, Ipv4Addr};

use hilarm_model::{Flow, FlowDirection, FlowProtocol, HubEvent, SecurityEvent, SecurityPayload};

use super::{Operand, operands};

pub(super) const LOGINS: &[Operand] = operands! {
    HubEvent::SecurityMessageReceived { events, .. } => {
        "failed logins taken for successful ones": each_login(events, true),
        "successful logins taken for failed ones": each_login(events, false),
    }
};

pub(super) const PROTOCOLS: &[Operand] = operands! {
    HubEvent::SecurityMessageReceived { events, .. } => {
        "ICMP is a connection": mistake(events, FlowProtocol::Icmp, FlowProtocol::Tcp),
        "UDP is no connection": mistake(events, FlowProtocol::Udp, FlowProtocol::Icmp),
        "TCP is no connection": mistake(events, FlowProtocol::Tcp, FlowProtocol::Icmp),
    }
};

pub(super) const CONNECTIONS: &[Operand] = operands! {
    HubEvent::SecurityMessageReceived { events, .. } => {
        "connections do not differ by local port": each_flow(events, |flow| flow.local_port = 1),
        "connections do not differ by remote port": each_flow(events, |flow| flow.remote_port = 1),
        "connections do not differ by remote address":
            each_flow(events, |flow| flow.remote_address = flow.local_address),
    }
};

pub(super) const DIRECTIONS: &[Operand] = operands! {
    HubEvent::SecurityMessageReceived { events, .. } => {
        "a flow without bytes sent is outbound": each_flow(events, |flow| flow.bytes_out = flow.bytes_out.max(1)),
        "more than a byte must be sent":
            each_flow(events, |flow| flow.bytes_out = flow.bytes_out.saturating_sub(1)),
        "a stated direction does not matter": each_flow(events, |flow| flow.direction = None),
        "every flow is stated to be inbound":
            each_flow(events, |flow| flow.direction = Some(FlowDirection::In)),
        "multicast is a connection": each_flow(events, to_one),
        "ports on which the device listens do not matter": listen_nowhere(events),
    }
};

fn each_flow(events: &mut [SecurityEvent], change: fn(&mut Flow)) {
    for event in events {
        if let SecurityPayload::NetworkActivity(flows) = &mut event.payload {
            flows.iter_mut().for_each(change);
        }
    }
}

fn each_login(events: &mut [SecurityEvent], success: bool) {
    for event in events {
        if let SecurityPayload::Login(login) = &mut event.payload {
            login.success = success;
        }
    }
}

/// Takes the flows of a protocol for those of another one.
fn mistake(events: &mut [SecurityEvent], protocol: FlowProtocol, other: FlowProtocol) {
    for event in events {
        let SecurityPayload::NetworkActivity(flows) = &mut event.payload else { continue };
        for flow in flows.iter_mut().filter(|flow| flow.protocol == protocol) {
            flow.protocol = other;
        }
    }
}

fn to_one(flow: &mut Flow) {
    if flow.remote_address.is_multicast() {
        flow.remote_address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    }
}

fn listen_nowhere(events: &mut [SecurityEvent]) {
    for event in events {
        if let SecurityPayload::ListeningPorts(ports) = &mut event.payload {
            ports.clear();
        }
    }
}
