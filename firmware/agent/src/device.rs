//! What the parts of the agent share, and all that a behaviour may change: credentials and their use,
//! telemetry, sockets beside the hub's. It holds no way to build a security event.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hilarm_link::{
    AgentConfig, DeviceConfig, DeviceEvent, FromDevice, LogLevel, ModuleCredential, X509Credential,
};

use crate::collectors::schedule::Schedule;
use crate::flows::FlowTable;
use crate::https::Jobs;
use crate::identity::Identity;
use crate::io::{Crash, MAX_SOCKETS, Now, Output, Remote, Socket, Tls};
use crate::random::Random;
use crate::state::{self, DeviceState};
use crate::telemetry::{BurstId, Fate, Telemetry};

/// How much telemetry in other names waits for a connection.
const FOREIGN_MAX: usize = 64;

/// How many malformed packets wait for a connection.
const PAST_THE_CLIENT_MAX: usize = 64;

/// How many malformed messages wait for a connection.
const VERBATIM_MAX: usize = 64;

/// The shared state of one device.
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) hub_host: String,
    pub(crate) hub_port: u16,
    pub(crate) keep_alive_s: u16,
    pub(crate) address: [u8; 4],
    pub(crate) agent: AgentConfig,
    pub(crate) schedule: Schedule,
    pub(crate) state: DeviceState,
    pub(crate) identity: Identity,
    pub(crate) modules: Vec<ModuleCredential>,
    pub(crate) telemetry: Telemetry,
    pub(crate) https: Jobs,
    pub(crate) flows: FlowTable,
    /// Cloud-to-device messages are taken and not acknowledged.
    pub(crate) withholds_acknowledgements: bool,
    /// Bytes that go to the hub past the MQTT client.
    past_the_client: VecDeque<&'static [u8]>,
    /// Messages to the hub that are published as they are: properties of the topic, and body.
    verbatim: VecDeque<(&'static str, Vec<u8>)>,
    /// Devices in whose name telemetry is to be published.
    foreign: VecDeque<String>,
    /// The calendar at the last input, Unix seconds.
    clock_s: i64,
    seed: u64,
    sockets_used: [bool; MAX_SOCKETS],
    outbox: VecDeque<Output>,
}

impl Device {
    /// The device that `config` describes.
    pub(crate) fn new(config: DeviceConfig) -> Self {
        Self {
            identity: Identity::new(&config),
            modules: config.modules,
            telemetry: Telemetry::new(Random::new(config.seed, "telemetry")),
            https: Jobs::new(Random::new(config.seed, "https")),
            flows: FlowTable::new(usize::from(config.agent.flow_cache)),
            schedule: Schedule::new(config.agent),
            state: DeviceState::new(config.seed),
            address: config.network.address,
            withholds_acknowledgements: false,
            past_the_client: VecDeque::new(),
            verbatim: VecDeque::new(),
            foreign: VecDeque::new(),
            clock_s: 0,
            seed: config.seed,
            id: config.device_id,
            hub_host: config.hub_host,
            hub_port: config.hub_port,
            keep_alive_s: config.keep_alive_s,
            agent: config.agent,
            sockets_used: [false; MAX_SOCKETS],
            outbox: VecDeque::new(),
        }
    }

    /// The random stream of a component.
    pub(crate) fn random(&self, component: &str) -> Random {
        Random::new(self.seed, component)
    }

    /// The password that a local user was given at the factory.
    pub(crate) fn factory_password(&self, user: &str) -> String {
        state::factory_password(self.seed, user)
    }

    /// Plans telemetry in the name of another device.
    pub(crate) fn speak_as(&mut self, device_id: &str) {
        if self.foreign.len() < FOREIGN_MAX {
            self.foreign.push_back(device_id.to_string());
        }
    }

    /// The next device in whose name to speak.
    pub(crate) fn take_foreign(&mut self) -> Option<String> {
        self.foreign.pop_front()
    }

    /// Whether telemetry in other names waits.
    pub(crate) fn speaks_as_others(&self) -> bool {
        !self.foreign.is_empty()
    }

    /// Forgets what waits in other names.
    pub(crate) fn fall_silent(&mut self) {
        self.foreign.clear();
    }

    /// Plans a message to the hub with a body, and properties of its topic, that no part of an honest device makes.
    pub(crate) fn publish_verbatim(&mut self, properties: &'static str, body: Vec<u8>) {
        if self.verbatim.len() < VERBATIM_MAX {
            self.verbatim.push_back((properties, body));
        }
    }

    /// The next such message.
    pub(crate) fn take_verbatim(&mut self) -> Option<(&'static str, Vec<u8>)> {
        self.verbatim.pop_front()
    }

    /// Whether such messages wait.
    pub(crate) fn has_verbatim(&self) -> bool {
        !self.verbatim.is_empty()
    }

    /// Forgets such messages.
    pub(crate) fn forget_verbatim(&mut self) {
        self.verbatim.clear();
    }

    /// Plans bytes to the hub that no MQTT client would send.
    pub(crate) fn send_past_the_client(&mut self, bytes: &'static [u8]) {
        if self.past_the_client.len() < PAST_THE_CLIENT_MAX {
            self.past_the_client.push_back(bytes);
        }
    }

    /// Sends one plan; whether there was one. To be called while the hub has let the device in.
    pub(crate) fn flush_past_the_client(&mut self) -> bool {
        let Some(bytes) = self.past_the_client.pop_front() else { return false };
        self.send(Socket::HUB, bytes.to_vec());
        true
    }

    /// Whether such bytes wait.
    pub(crate) fn has_bytes_past_the_client(&self) -> bool {
        !self.past_the_client.is_empty()
    }

    /// Forgets such bytes.
    pub(crate) fn forget_bytes_past_the_client(&mut self) {
        self.past_the_client.clear();
    }

    /// Tells the harness what happened.
    pub(crate) fn event(&mut self, event: DeviceEvent) {
        self.tell(FromDevice::Event(event));
    }

    /// A telemetry message came to its end; the last of a burst is told to the harness.
    pub(crate) fn settle_telemetry(&mut self, burst: BurstId, fate: Fate) {
        if let Some(settled) = self.telemetry.settle(burst, fate) {
            let (acknowledged, dropped) = (settled.acknowledged, settled.dropped);
            self.event(DeviceEvent::TelemetrySettled { acknowledged, dropped });
        }
    }

    /// Looks at the clock.
    pub(crate) fn look_at_the_clock(&mut self, now: Now) {
        self.clock_s = now.unix_s();
    }

    /// A connection from this end came up.
    pub(crate) fn connection_opened(&mut self, local: ([u8; 4], u16)) {
        if let Some(flow) = self.flows.tcp_from(local) {
            self.state.connections.opened(flow, self.clock_s);
        }
    }

    /// Writes a log line.
    pub(crate) fn log(&mut self, level: LogLevel, text: impl Into<String>) {
        let text = text.into();
        self.state.log.keep(self.clock_s, level, &text);
        self.tell(FromDevice::Log { level, text });
    }

    /// The platform is to die.
    pub(crate) fn crash(&mut self, crash: Crash) {
        self.outbox.push_back(Output::Crash(crash));
    }

    /// Any message to the harness.
    pub(crate) fn tell(&mut self, message: FromDevice) {
        self.outbox.push_back(Output::ToHarness(message));
    }

    /// Opens the hub's socket.
    pub(crate) fn open_hub(&mut self, tls: Tls) {
        let remote = Remote::Host { name: self.hub_host.clone(), port: self.hub_port };
        self.outbox.push_back(Output::Open { socket: Socket::HUB, remote, tls: Some(tls) });
    }

    /// Opens a plain TCP connection on a socket of its own; nothing when all are in use.
    pub(crate) fn open_plain(&mut self, address: [u8; 4], port: u16) -> Option<Socket> {
        self.open_beside_the_hub(Remote::Address { address, port }, None)
    }

    /// Opens the hub's HTTPS listener on a socket of its own; nothing when all are in use.
    pub(crate) fn open_https(&mut self, port: u16, client: Option<X509Credential>) -> Option<Socket> {
        let name = self.hub_host.clone();
        let tls = Tls { server_name: name.clone(), client };
        self.open_beside_the_hub(Remote::Host { name, port }, Some(tls))
    }

    /// Opens the hub's MQTT listener a second time, on a socket of its own, for a module of the device;
    /// nothing when all are in use.
    pub(crate) fn open_as_module(&mut self) -> Option<Socket> {
        let remote = Remote::Host { name: self.hub_host.clone(), port: self.hub_port };
        let tls = Tls { server_name: self.hub_host.clone(), client: None };
        self.open_beside_the_hub(remote, Some(tls))
    }

    fn open_beside_the_hub(&mut self, remote: Remote, tls: Option<Tls>) -> Option<Socket> {
        let index = (1..MAX_SOCKETS).find(|&index| !self.sockets_used[index])?;
        self.sockets_used[index] = true;
        let socket = Socket(index as u8);
        self.outbox.push_back(Output::Open { socket, remote, tls });
        Some(socket)
    }

    /// Sends; an empty send is none.
    pub(crate) fn send(&mut self, socket: Socket, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.outbox.push_back(Output::Send { socket, bytes });
        }
    }

    /// Sends a byte over and over; none is none.
    pub(crate) fn send_repeated(&mut self, socket: Socket, byte: u8, count: u32) {
        if count > 0 {
            self.outbox.push_back(Output::SendRepeated { socket, byte, count });
        }
    }

    /// Closes a socket.
    pub(crate) fn close(&mut self, socket: Socket) {
        self.release(socket);
        self.outbox.push_back(Output::Close { socket });
    }

    /// The platform reported the end of a socket.
    pub(crate) fn release(&mut self, socket: Socket) {
        if let Some(used) = self.sockets_used.get_mut(usize::from(socket.0)) {
            *used = false;
        }
    }

    /// The next output.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }
}
