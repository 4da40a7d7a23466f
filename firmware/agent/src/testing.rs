//! A world of one device for tests: a platform that carries out the agent's outputs, a hub and a broker that
//! answer with packets made by hand, and both clocks.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use hilarm_link::{
    AgentConfig, Command, CommandError, Credential, DeviceConfig, DeviceEvent, FromDevice, ModuleCredential,
    NetworkConfig, SasCredential, Value, X509Credential,
};

use crate::io::{Crash, Input, Now, Output, Remote, Socket, Tls};
use crate::mqtt::Publish;
use crate::mqtt::peer::{self, FromClient};
use crate::{Agent, hub};

/// The calendar when a world begins: 2026-01-01T00:00:00Z.
pub(crate) const T0_S: i64 = 1_767_225_600;

/// A device with a symmetric key whose tokens live for an hour.
pub(crate) fn sas_config() -> DeviceConfig {
    config(Credential::Sas(SasCredential { key: (0..32).collect(), ttl_s: 3600 }))
}

/// A device with a certificate for each `notAfter`.
pub(crate) fn x509_config(not_after_s: &[i64]) -> DeviceConfig {
    let credential = |(index, &not_after_s): (usize, &i64)| X509Credential {
        certificate: vec![index as u8],
        key: vec![index as u8],
        not_after_s,
    };
    config(Credential::X509(not_after_s.iter().enumerate().map(credential).collect()))
}

fn config(credential: Credential) -> DeviceConfig {
    DeviceConfig {
        seed: 42,
        device_id: "pump-1".to_string(),
        hub_host: "hub.hilarm.test".to_string(),
        hub_port: 8883,
        credential,
        modules: vec![ModuleCredential { id: "maintenance".to_string(), key: (0..32).collect() }],
        ca_certificate: Vec::new(),
        network: NetworkConfig {
            mac: [2, 0, 0, 0, 0, 1],
            address: [10, 42, 0, 2],
            prefix_len: 24,
            gateway: [10, 42, 0, 1],
            dns: [10, 77, 0, 53],
        },
        keep_alive_s: 240,
        agent: AgentConfig::default(),
    }
}

/// A number as a behaviour's argument.
pub(crate) fn int(name: &str, value: i64) -> (String, Value) {
    (name.to_string(), Value::Int(value))
}

/// What the other side does when the device opens a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnOpen {
    Accept,
    Refuse,
    Silence,
}

/// One device and all around it.
pub(crate) struct World {
    pub(crate) agent: Agent,
    now: Now,
    next_command: u32,
    pub(crate) on_open: OnOpen,
    /// CONNACK return code of hub and broker.
    pub(crate) connack: u8,
    /// Whether QoS 1 publications are acknowledged.
    pub(crate) acknowledge: bool,
    /// What may go over an MQTT connection though it is no MQTT.
    pub(crate) malformed: Vec<Vec<u8>>,
    session_stored: bool,
    opened: Vec<(u64, Socket, Remote, Option<Tls>)>,
    open: BTreeSet<Socket>,
    raw: Vec<(Socket, Vec<u8>)>,
    packets: Vec<(u64, Socket, FromClient)>,
    events: Vec<(u64, DeviceEvent)>,
    logs: Vec<String>,
    crashes: Vec<Crash>,
    response: Option<(u32, Result<(), CommandError>)>,
}

impl World {
    pub(crate) fn new(config: DeviceConfig) -> Self {
        let mut world = Self {
            agent: Agent::new(config, "sim", 7),
            now: Now { mono_us: 0, unix_us: T0_S * 1_000_000 },
            next_command: 0,
            on_open: OnOpen::Accept,
            connack: 0,
            acknowledge: true,
            malformed: Vec::new(),
            session_stored: false,
            opened: Vec::new(),
            open: BTreeSet::new(),
            raw: Vec::new(),
            packets: Vec::new(),
            events: Vec::new(),
            logs: Vec::new(),
            crashes: Vec::new(),
            response: None,
        };
        world.timeout();
        world
    }

    /// A device with a symmetric key, connected.
    pub(crate) fn connected() -> Self {
        let mut world = Self::new(sas_config());
        world.connect();
        world
    }

    pub(crate) fn now(&self) -> Now {
        self.now
    }

    pub(crate) fn command(&mut self, command: Command) -> Result<(), CommandError> {
        self.next_command += 1;
        self.input(Input::Command { id: self.next_command, command });
        let (id, result) = self.response.take().expect("a response");
        assert_eq!(id, self.next_command);
        result
    }

    pub(crate) fn connect(&mut self) {
        self.command(Command::Connect { attempts: None, gap_ms: None }).unwrap();
    }

    pub(crate) fn reconnect(&mut self) {
        self.command(Command::Disconnect).unwrap();
        self.connect();
    }

    pub(crate) fn run_behaviour(&mut self, name: &str, args: &[(String, Value)]) -> Result<(), CommandError> {
        self.command(Command::RunBehaviour { name: name.to_string(), args: args.to_vec() })
    }

    pub(crate) fn stop_behaviour(&mut self, name: &str) -> Result<(), CommandError> {
        self.command(Command::StopBehaviour { name: name.to_string() })
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.agent.handle_input(input, self.now);
        self.carry_out();
    }

    /// Bytes from the hub.
    pub(crate) fn hub_sends(&mut self, bytes: Vec<u8>) {
        self.input(Input::Received { socket: Socket::HUB, bytes });
    }

    pub(crate) fn timeout(&mut self) {
        self.agent.handle_timeout(self.now);
        self.carry_out();
        self.assert_no_spin();
    }

    /// The calendar jumps; monotonic time stands still.
    pub(crate) fn advance_calendar_s(&mut self, seconds: i64) {
        self.now.unix_us += seconds * 1_000_000;
    }

    /// Lives on, from deadline to deadline.
    pub(crate) fn run_for_s(&mut self, seconds: u64) {
        let end_us = self.now.mono_us + seconds * 1_000_000;
        loop {
            let due_us = self.agent.poll_timeout(self.now).unwrap_or(u64::MAX).min(end_us);
            let step_us = due_us.saturating_sub(self.now.mono_us);
            self.now.mono_us += step_us;
            self.now.unix_us += step_us as i64;
            self.timeout();
            if self.now.mono_us >= end_us {
                return;
            }
        }
    }

    fn assert_no_spin(&self) {
        let due_us = self.agent.poll_timeout(self.now);
        assert!(due_us.is_none_or(|due_us| due_us > self.now.mono_us), "due {due_us:?} at {:?}", self.now);
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Open { socket, remote, tls } => self.open(socket, remote, tls),
                Output::Send { socket, bytes } if self.is_raw(socket) || self.malformed.contains(&bytes) => {
                    self.raw.push((socket, bytes));
                }
                Output::Send { socket, bytes } => {
                    for packet in peer::parse(&bytes) {
                        self.answer(socket, &packet);
                        self.packets.push((self.now.mono_us, socket, packet));
                    }
                }
                Output::SendRepeated { .. } => panic!("no file goes by MQTT"),
                Output::Close { socket } => {
                    self.open.remove(&socket);
                }
                Output::ToHarness(FromDevice::Response { id, result }) => self.response = Some((id, result)),
                Output::ToHarness(FromDevice::Event(event)) => self.events.push((self.now.mono_us, event)),
                Output::ToHarness(FromDevice::Log { text, .. }) => self.logs.push(text),
                Output::ToHarness(other) => panic!("the agent never says {other:?}"),
                Output::Crash(crash) => self.crashes.push(crash),
            }
        }
    }

    fn open(&mut self, socket: Socket, remote: Remote, tls: Option<Tls>) {
        self.opened.push((self.now.mono_us, socket, remote, tls));
        self.open.insert(socket);
        match self.on_open {
            OnOpen::Accept => {
                self.agent.handle_input(Input::Opened { socket, local: ([10, 42, 0, 2], 49152) }, self.now);
            }
            OnOpen::Refuse => {
                self.open.remove(&socket);
                self.agent.handle_input(Input::Closed { socket, reason: "refused".to_string() }, self.now);
            }
            OnOpen::Silence => {}
        }
    }

    /// Whether a connection speaks anything but MQTT.
    fn is_raw(&self, socket: Socket) -> bool {
        let remote = self.opened.iter().rev().find(|opened| opened.1 == socket).map(|opened| &opened.2);
        !matches!(remote, Some(Remote::Host { port: 8883, .. } | Remote::Address { port: 1883, .. }))
    }

    fn answer(&mut self, socket: Socket, packet: &FromClient) {
        let bytes = match packet {
            FromClient::Connect { clean, .. } => {
                let session_present = self.session_stored && !clean && self.connack == 0;
                self.session_stored |= !clean && self.connack == 0;
                peer::connack(session_present, self.connack)
            }
            FromClient::Publish(Publish { id: Some(id), .. }) if self.acknowledge => peer::puback(*id),
            FromClient::Subscribe { id, filters } => peer::suback(*id, &vec![1; filters.len()]),
            FromClient::Ping => peer::pingresp(),
            _ => return,
        };
        self.agent.handle_input(Input::Received { socket, bytes }, self.now);
    }

    /// Everything the hub's socket carried.
    pub(crate) fn hub_packets(&self) -> Vec<&FromClient> {
        self.packets_of(Socket::HUB)
    }

    /// Everything a socket carried.
    pub(crate) fn packets_of(&self, wanted: Socket) -> Vec<&FromClient> {
        self.packets.iter().filter(|(_, socket, _)| *socket == wanted).map(|(_, _, packet)| packet).collect()
    }

    /// What was published on a topic of the hub.
    pub(crate) fn published(&self, topic: &str) -> Vec<&Publish> {
        let publish = |packet: &&FromClient| matches!(packet, FromClient::Publish(_));
        let packets = self.hub_packets().into_iter().filter(publish);
        packets
            .filter_map(|packet| match packet {
                FromClient::Publish(publish) if publish.topic == topic => Some(publish),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn telemetry(&self) -> Vec<&Publish> {
        self.published(&hub::topics::telemetry("pump-1"))
    }

    /// Security messages in JSON.
    pub(crate) fn security_messages(&self) -> Vec<serde_json::Value> {
        let published = self.published(&hub::topics::json_security_message("pump-1")).into_iter();
        published.map(|publish| serde_json::from_slice(&publish.payload).unwrap()).collect()
    }

    /// The payload items of all security events of a name.
    pub(crate) fn security_events(&self, name: &str) -> Vec<serde_json::Value> {
        let messages = self.security_messages();
        let events = messages.iter().flat_map(|message| message["Events"].as_array().unwrap());
        let named = events.filter(|event| event["Name"] == name);
        named.flat_map(|event| event["Payload"].as_array().unwrap()).cloned().collect()
    }

    /// Where the connections beside the hub's went.
    pub(crate) fn opened_plainly(&self) -> Vec<&Remote> {
        let plain = self.opened.iter().filter(|(_, _, _, tls)| tls.is_none());
        plain.map(|(_, _, remote, _)| remote).collect()
    }

    /// How many connections beside the hub's are open, or still opening.
    pub(crate) fn open_sockets(&self) -> usize {
        self.open.iter().filter(|&&socket| socket != Socket::HUB).count()
    }

    /// What a connection that speaks no MQTT carried.
    pub(crate) fn raw_bytes(&self, wanted: Socket) -> Vec<u8> {
        let sent = self.raw.iter().filter(|(socket, _)| *socket == wanted);
        sent.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    /// The malformed packets that the hub's socket carried, each as it was sent.
    pub(crate) fn malformed_packets(&self) -> Vec<&[u8]> {
        let of_hub = self.raw.iter().filter(|(socket, _)| *socket == Socket::HUB);
        of_hub.map(|(_, bytes)| bytes.as_slice()).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.hub_packets().iter().filter(|packet| matches!(packet, FromClient::Connect { .. })).count()
    }

    /// Monotonic times of the tries to reach the hub.
    pub(crate) fn tries(&self) -> Vec<u64> {
        let of_hub = self.opened.iter().filter(|(_, socket, ..)| *socket == Socket::HUB);
        of_hub.map(|(at_us, ..)| *at_us).collect()
    }

    pub(crate) fn last_opened(&self) -> (Socket, &Remote, Option<&Tls>) {
        let (_, socket, remote, tls) = self.opened.last().expect("a connection");
        (*socket, remote, tls.as_ref())
    }

    /// Password of the last CONNECT to the hub.
    pub(crate) fn last_password(&self) -> Option<String> {
        self.hub_packets().into_iter().rev().find_map(|packet| match packet {
            FromClient::Connect { password, .. } => Some(password.clone()),
            _ => None,
        })?
    }

    /// Client certificate of the last connection to the hub.
    pub(crate) fn last_certificate(&self) -> Option<X509Credential> {
        let of_hub = |(_, socket, ..): &&(u64, Socket, Remote, Option<Tls>)| *socket == Socket::HUB;
        self.opened.iter().rev().find(of_hub)?.3.as_ref()?.client.clone()
    }

    pub(crate) fn events(&self) -> Vec<&DeviceEvent> {
        self.events.iter().map(|(_, event)| event).collect()
    }

    /// How the platform was told to die.
    pub(crate) fn crashes(&self) -> &[Crash] {
        &self.crashes
    }

    /// Takes the events so far out of the record.
    pub(crate) fn forget_events(&mut self) {
        self.events.clear();
    }

    pub(crate) fn logs(&self) -> &[String] {
        &self.logs
    }

    /// When an event was told first.
    pub(crate) fn time_of(&self, wanted: &DeviceEvent) -> Option<u64> {
        self.events.iter().find(|(_, event)| event == wanted).map(|(at_us, _)| *at_us)
    }
}
