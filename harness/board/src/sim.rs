//! The `sim` backend: the firmware's own agent inside this process. It asks the network for sockets in
//! place of a TCP/IP stack, and states the client certificate it would present in place of a TLS handshake;
//! possession of keys is therefore proven on QEMU and on sockets, not here.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use hilarm_agent::{Agent, FlowKey, FlowProtocol, Input, Output, Remote, Socket, Tls};
use hilarm_link::DeviceConfig;
use hilarm_model::{Monotonic, Now};
use hilarm_network::{LinkInput, LinkOutput, SocketId};

use crate::{Device, DeviceFault, DeviceOutput, Stimulus};

/// Header bytes that a TCP segment adds to its payload; the collectors count IP payload.
const TCP_HEADER_BYTES: u32 = 20;
/// The same for a UDP datagram.
const UDP_HEADER_BYTES: u32 = 8;
/// An agent that asks to run again this often at one instant is stuck.
const ROUNDS_MAX: u32 = 10_000;

/// A simulated device.
pub struct SimDevice {
    agent: Agent,
    next_socket: u32,
    /// The network's number of each of the agent's sockets.
    sockets: BTreeMap<Socket, Connection>,
    /// Look-ups under way: what to open when the answer comes.
    lookups: BTreeMap<u32, Lookup>,
    output: Vec<DeviceOutput>,
    crashed: Option<hilarm_agent::Crash>,
    deadline: Option<Monotonic>,
}

struct Connection {
    id: SocketId,
    remote: SocketAddrV4,
    /// Known as soon as the SYN is out.
    flow: Option<FlowKey>,
}

struct Lookup {
    socket: Socket,
    port: u16,
    tls: Option<Tls>,
}

impl SimDevice {
    /// A device that has just booted.
    pub fn new(config: DeviceConfig) -> Self {
        let boot_nonce = config.seed;
        Self {
            agent: Agent::new(config, "sim", boot_nonce),
            next_socket: 0,
            sockets: BTreeMap::new(),
            lookups: BTreeMap::new(),
            output: Vec::new(),
            crashed: None,
            deadline: Some(Monotonic::default()),
        }
    }

    fn take(&mut self, stimulus: Stimulus, now: hilarm_agent::Now) {
        match stimulus {
            Stimulus::Tick => {}
            Stimulus::Command { id, command } => self.agent.handle_input(Input::Command { id, command }, now),
            Stimulus::Link(input) => {
                if let Some(input) = self.translate(input) {
                    self.agent.handle_input(input, now);
                }
            }
        }
    }

    /// What the network says, in the agent's words; nothing when it is about a socket given up since.
    fn translate(&mut self, input: LinkOutput) -> Option<Input> {
        match input {
            // A device without an interface is never offered frames.
            LinkOutput::Frame(_) => None,
            LinkOutput::NameDatagram { local, remote, bytes_in, bytes_out } => {
                let (bytes_in, bytes_out) = (datagram_bytes(bytes_in), datagram_bytes(bytes_out));
                self.agent.flows().observe(flow(FlowProtocol::Udp, local, remote), bytes_in, bytes_out);
                None
            }
            LinkOutput::Resolved { query, address } => {
                let lookup = self.lookups.remove(&query)?;
                match address {
                    Some(address) => {
                        self.open(lookup.socket, SocketAddrV4::new(address, lookup.port), lookup.tls);
                        None
                    }
                    None => {
                        Some(Input::Closed { socket: lookup.socket, reason: "name not found".to_owned() })
                    }
                }
            }
            LinkOutput::Opening { socket, local } => {
                let (_, connection) = self.connection(socket)?;
                let flow = flow(FlowProtocol::Tcp, local, connection.remote);
                connection.flow = Some(flow);
                self.agent.flows().observe(flow, 0, TCP_HEADER_BYTES);
                None
            }
            LinkOutput::Opened { socket, local } => {
                let (socket, connection) = self.connection(socket)?;
                if let Some(flow) = connection.flow {
                    self.agent.flows().observe(flow, TCP_HEADER_BYTES, TCP_HEADER_BYTES);
                }
                Some(Input::Opened { socket, local: (local.ip().octets(), local.port()) })
            }
            LinkOutput::Received { socket, bytes } => {
                let (socket, connection) = self.connection(socket)?;
                if let Some(flow) = connection.flow {
                    self.agent.flows().observe(flow, segment_bytes(&bytes), TCP_HEADER_BYTES);
                }
                Some(Input::Received { socket, bytes })
            }
            LinkOutput::Closed { socket, reason } => {
                let (socket, _) = self.connection(socket)?;
                self.sockets.remove(&socket);
                Some(Input::Closed { socket, reason: reason.to_owned() })
            }
        }
    }

    fn connection(&mut self, id: SocketId) -> Option<(Socket, &mut Connection)> {
        self.sockets
            .iter_mut()
            .find(|(_, connection)| connection.id == id)
            .map(|(socket, connection)| (*socket, connection))
    }

    fn open(&mut self, socket: Socket, remote: SocketAddrV4, tls: Option<Tls>) {
        let id = self.number();
        self.sockets.insert(socket, Connection { id: SocketId(id), remote, flow: None });
        let (client_chain, sni) = match tls {
            Some(tls) => {
                (tls.client.into_iter().map(|client| client.certificate).collect(), Some(tls.server_name))
            }
            None => (Vec::new(), None),
        };
        self.emit(LinkInput::Open { socket: SocketId(id), remote, client_chain, sni });
    }

    fn number(&mut self) -> u32 {
        self.next_socket += 1;
        self.next_socket
    }

    fn emit(&mut self, input: LinkInput) {
        self.output.push(DeviceOutput::Link(input));
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Open { socket, remote: Remote::Host { name, port }, tls } => {
                let query = self.number();
                self.lookups.insert(query, Lookup { socket, port, tls });
                self.emit(LinkInput::Resolve { query, name });
            }
            Output::Open { socket, remote: Remote::Address { address, port }, tls } => {
                self.open(socket, SocketAddrV4::new(Ipv4Addr::from(address), port), tls);
            }
            Output::Send { socket, bytes } => {
                if let Some(connection) = self.sockets.get(&socket) {
                    let id = connection.id;
                    if let Some(flow) = connection.flow {
                        self.agent.flows().observe(flow, TCP_HEADER_BYTES, segment_bytes(&bytes));
                    }
                    self.emit(LinkInput::Send { socket: id, bytes });
                }
            }
            Output::SendRepeated { socket, byte, count } => {
                let bytes = [byte].repeat(usize::try_from(count).unwrap_or_default());
                self.carry_out(Output::Send { socket, bytes });
            }
            Output::Close { socket } => {
                self.lookups.retain(|_, lookup| lookup.socket != socket);
                if let Some(connection) = self.sockets.remove(&socket) {
                    self.emit(LinkInput::Close { socket: connection.id });
                }
            }
            Output::ToHarness(report) => self.output.push(DeviceOutput::Report(report)),
            Output::Crash(crash) => self.crashed = Some(crash),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            self.carry_out(output);
        }
    }
}

fn flow(protocol: FlowProtocol, local: SocketAddrV4, remote: SocketAddrV4) -> FlowKey {
    FlowKey {
        protocol,
        local_address: local.ip().octets(),
        local_port: local.port(),
        remote_address: remote.ip().octets(),
        remote_port: remote.port(),
    }
}

/// Nothing for a direction in which no datagram went.
fn datagram_bytes(payload: usize) -> u32 {
    if payload == 0 { 0 } else { u32::try_from(payload).unwrap_or(u32::MAX).saturating_add(UDP_HEADER_BYTES) }
}

fn segment_bytes(payload: &[u8]) -> u32 {
    u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(TCP_HEADER_BYTES)
}

impl Device for SimDevice {
    fn step(&mut self, stimulus: Stimulus, now: Now) -> Result<Vec<DeviceOutput>, DeviceFault> {
        let agent_now = hilarm_agent::Now { mono_us: now.mono.as_micros(), unix_us: now.unix.as_micros() };
        self.agent.handle_timeout(agent_now);
        self.drain();
        self.take(stimulus, agent_now);
        self.drain();
        for _ in 0..ROUNDS_MAX {
            if let Some(crash) = self.crashed {
                return Err(DeviceFault::Panicked {
                    message: format!("as told to ({crash:?}); a board dies for real"),
                });
            }
            let due = self.agent.poll_timeout(agent_now);
            if due.is_none_or(|due| due > agent_now.mono_us) {
                self.deadline = due.map(Monotonic::from_micros);
                return Ok(std::mem::take(&mut self.output));
            }
            self.agent.handle_timeout(agent_now);
            self.drain();
        }
        Err(DeviceFault::Silent {
            waited_for: format!("the agent to come to rest at {}", now.mono),
            limit: std::time::Duration::ZERO,
            detail: format!("; it asked to run {ROUNDS_MAX} times at one instant"),
        })
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.deadline
    }
}
