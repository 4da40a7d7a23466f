//! A device in QEMU on the virtual network, whose connections to the hub's address go on over real sockets.
//! Time is granted at the rate of the real clock, because the hub in the container knows no other.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hilarm_board::{Device as _, DeviceOutput, QemuDevice, Stimulus};
use hilarm_link::{
    AgentConfig, Command, Credential, DeviceConfig, DeviceEvent, FromDevice, NetworkConfig, SasCredential,
};
use hilarm_model::{Monotonic, Now, Timestamp};
use hilarm_network::{Endpoint, Input, LinkId, Medium, Network, Output, StreamId};
use hilarm_tls::{CertificateAuthority, TlsServer};

/// The hub's name on the virtual network.
const HOST: &str = "hub.hilarm.test";
const WAY_OUT: &str = "way out";
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// The longest time without a look at the clock.
const GRAIN: Duration = Duration::from_millis(20);

/// What a real socket brought: bytes, or its end.
type Arrival = (StreamId, Option<Vec<u8>>);

/// The device, the network around it, and its connections to the outside.
pub struct Device {
    id: String,
    qemu: QemuDevice,
    network: Network,
    link: LinkId,
    hub: SocketAddr,
    began: Instant,
    streams: BTreeMap<StreamId, TcpStream>,
    arrivals: (Sender<Arrival>, Receiver<Arrival>),
    events: Vec<DeviceEvent>,
    log: Vec<String>,
    commands: u32,
}

impl Device {
    /// Boots the shipped firmware with this identity; the hub is at `hub`. Nothing without QEMU or firmware.
    pub fn boot(id: &str, key: Vec<u8>, authority: &str, hub: SocketAddr) -> Option<Self> {
        let (board, elf) = hilarm_tests::qemu()?;
        let config = config(id, key, authority);
        let qemu = QemuDevice::launch(&board, &elf, &config).expect("the firmware boots");
        // TLS of the hub itself ends in the container; the virtual network must have an identity all the same.
        let unused = CertificateAuthority::from_seed(1, "unused").expect("an authority");
        let identity = unused.issue_server(&[HOST], hilarm_tls::Validity::WIDE).expect("a certificate");
        let tls = TlsServer::new(&[identity], None).expect("a TLS server");
        let network = hilarm_network::NetworkConfig::new(tls, None);
        let at: SocketAddrV4 = network.hub;
        let mut network = Network::new(network, 1);
        network.set_endpoint(at, Endpoint::Served(WAY_OUT.to_owned()));
        let medium = Medium::Ethernet { mac: config.network.mac };
        let device = id.parse().expect("a device id");
        let link = network.attach(device, medium, config.network.address.into());
        Some(Self {
            id: id.to_owned(),
            qemu,
            network,
            link,
            hub,
            began: Instant::now(),
            streams: BTreeMap::new(),
            arrivals: channel(),
            events: Vec::new(),
            log: Vec::new(),
            commands: 0,
        })
    }

    /// The hub is somewhere else from now on.
    pub fn hub_moved(&mut self, hub: SocketAddr) {
        self.hub = hub;
    }

    /// What the device told of itself so far.
    pub fn events(&self) -> &[DeviceEvent] {
        &self.events
    }

    /// How many telemetry messages the hub acknowledged, and how many the device gave up.
    pub fn settled(&self) -> (u32, u32) {
        self.events.iter().fold((0, 0), |(acknowledged, dropped), event| match event {
            DeviceEvent::TelemetrySettled { acknowledged: more, dropped: lost } => {
                (acknowledged + more, dropped + lost)
            }
            _ => (acknowledged, dropped),
        })
    }

    /// How often the hub let the device in.
    pub fn connections(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, DeviceEvent::Connected { .. })).count()
    }

    /// Gives a command; its answer is awaited by whatever follows.
    pub fn command(&mut self, command: Command) {
        self.commands += 1;
        let id = self.commands;
        self.step(Stimulus::Command { id, command });
    }

    /// Lives for a while.
    pub fn run_for(&mut self, span: Duration) {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.live(until);
        }
    }

    /// Lives until `done`, and says what it waited for if that takes too long.
    pub fn run_until(&mut self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) {
        let until = Instant::now() + limit;
        while !done(self) {
            let late = Instant::now() >= until;
            assert!(!late, "{} waited {limit:?} for {what}: {:?}\n{:#?}", self.id, self.events, self.log);
            self.live(until);
        }
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        Now { mono: Monotonic::default() + self.began.elapsed(), unix: Timestamp::from_secs(0) + unix }
    }

    /// One turn: what the network has, what is due, what arrived.
    fn live(&mut self, until: Instant) {
        self.carry();
        let now = self.now();
        if self.network.poll_timeout().is_some_and(|due| due <= now.mono) {
            self.network.handle_timeout(now);
        }
        if self.qemu.deadline().is_some_and(|due| due <= now.mono) {
            self.step(Stimulus::Tick);
        }
        let wait = GRAIN.min(until.saturating_duration_since(Instant::now()));
        let Ok(first) = self.arrivals.1.recv_timeout(wait) else { return };
        let more = self.arrivals.1.try_iter().collect::<Vec<_>>();
        for (stream, bytes) in std::iter::once(first).chain(more) {
            let now = self.now();
            let input = match bytes {
                Some(bytes) => Input::ServedSend { stream, bytes },
                None => Input::ServedClose { stream },
            };
            self.network.handle_input(input, now);
        }
        self.carry();
    }

    fn carry(&mut self) {
        while let Some(output) = self.network.poll_output() {
            match output {
                Output::Device { output, .. } => self.step(Stimulus::Link(output)),
                Output::ServedOpened { stream, .. } => self.open(stream),
                Output::ServedReceived { stream, bytes } => self.send(stream, &bytes),
                Output::ServedClosed { stream } => self.close(stream),
                _ => {}
            }
        }
    }

    fn step(&mut self, stimulus: Stimulus) {
        let now = self.now();
        for output in self.qemu.step(stimulus, now).expect("the device lives") {
            match output {
                DeviceOutput::Link(input) => {
                    self.network.handle_input(Input::Device { link: self.link, input }, now);
                }
                DeviceOutput::Report(FromDevice::Event(event)) => self.events.push(event),
                DeviceOutput::Report(FromDevice::Log { text, .. }) => self.log.push(text),
                DeviceOutput::Report(_) => {}
            }
        }
    }

    fn open(&mut self, stream: StreamId) {
        let arrivals = self.arrivals.0.clone();
        let opened = TcpStream::connect_timeout(&self.hub, CONNECT_LIMIT).and_then(|tcp| {
            tcp.set_nodelay(true)?;
            tcp.set_write_timeout(Some(CONNECT_LIMIT))?;
            Ok((tcp.try_clone()?, tcp))
        });
        match opened {
            Ok((reader, tcp)) => {
                self.streams.insert(stream, tcp);
                thread::spawn(move || read(stream, reader, &arrivals));
            }
            Err(_) => self.end(stream),
        }
    }

    fn send(&mut self, stream: StreamId, bytes: &[u8]) {
        let sent = self.streams.get_mut(&stream).map(|tcp| tcp.write_all(bytes));
        if !matches!(sent, Some(Ok(()))) {
            self.close(stream);
            self.end(stream);
        }
    }

    fn close(&mut self, stream: StreamId) {
        if let Some(tcp) = self.streams.remove(&stream) {
            // The reader ends with it.
            let _ = tcp.shutdown(Shutdown::Both);
        }
    }

    fn end(&mut self, stream: StreamId) {
        let now = self.now();
        self.network.handle_input(Input::ServedClose { stream }, now);
    }
}

fn read(stream: StreamId, mut tcp: TcpStream, arrivals: &Sender<Arrival>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = tcp.read(&mut buffer) {
        if arrivals.send((stream, Some(buffer[..length].to_vec()))).is_err() {
            return;
        }
    }
    // Nobody listens any more when the test is over.
    let _ = arrivals.send((stream, None));
}

fn config(id: &str, key: Vec<u8>, authority: &str) -> DeviceConfig {
    let body: String = authority.lines().filter(|line| !line.starts_with("-----")).collect();
    DeviceConfig {
        seed: 7,
        device_id: id.to_owned(),
        hub_host: HOST.to_owned(),
        hub_port: 8883,
        credential: Credential::Sas(SasCredential { key, ttl_s: 3600 }),
        modules: Vec::new(),
        ca_certificate: STANDARD.decode(body).expect("PEM holds base64"),
        network: NetworkConfig {
            mac: [2, 0, 0, 0, 0, 2],
            address: [10, 42, 0, 2],
            prefix_len: 24,
            gateway: [10, 42, 0, 1],
            dns: [10, 77, 0, 53],
        },
        keep_alive_s: 4,
        agent: AgentConfig {
            first_collection_s: 0,
            network_activity_s: 0,
            low_priority_s: 0,
            ..AgentConfig::default()
        },
    }
}
