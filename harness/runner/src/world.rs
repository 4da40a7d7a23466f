//! One run's world: hub, defender, network, adversaries and devices around the one clock and the one
//! journal. All work of an instant is carried out, in a fixed order, before time moves on; then it moves
//! straight to the next instant at which anyone has something to do.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hilarm_adversary::{AdversaryError, AdversaryOutput, CommandAndControl};
use hilarm_board::{Autopsy, Device, DeviceFault, DeviceOutput, Doorbell, Pace, Stimulus};
use hilarm_defender::Defender;
use hilarm_hub::{
    Authentication, Caller, Hub, HubError, Listener, MethodResult, MethodTicket, ServiceReply, ServiceRequest,
};
use hilarm_link::{Command, FromDevice};
use hilarm_model::{ConnectionId, DeviceId, Monotonic};
use hilarm_network::{
    Endpoint, Faults, HubService, Input, LinkId, Network, NetworkConfig, NetworkFact, Output, StreamId,
};
use hilarm_scenario::{EndpointSpec, NetworkSpec};

use crate::clock::Clock;
use crate::journal::{Entry, HarnessRecord, Journal};
use crate::provision::hub_config;
use crate::seed;

/// Rounds of work at one instant before it is called a livelock.
const ROUNDS_MAX: u32 = 200_000;
/// Wall-clock limit for a real broker to finish the work it was given.
const ADVERSARY_LIMIT: Duration = Duration::from_secs(20);

/// Why a run cannot go on. None of these is the scenario's doing: the verdict is `infra`.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A device can no longer be used.
    #[error("{device}: {}", .autopsy.as_ref().map_or_else(|| .fault.to_string(), |found| found.summary()))]
    Device {
        /// The device.
        device: DeviceId,
        /// Why.
        fault: DeviceFault,
        /// What was found out about it.
        autopsy: Option<Box<Autopsy>>,
    },
    /// The adversary's broker can no longer be used.
    #[error("adversary at {endpoint}: {error}")]
    Adversary {
        /// Its address.
        endpoint: String,
        /// Why.
        error: AdversaryError,
    },
    /// The world does not come to rest.
    #[error("the world does not come to rest at {at}: {ROUNDS_MAX} rounds of work at one instant")]
    Livelock {
        /// When.
        at: Monotonic,
    },
}

/// A device in the world.
struct Slot {
    id: DeviceId,
    link: LinkId,
    device: Box<dyn Device>,
    inbox: VecDeque<Stimulus>,
    hub_bytes: u64,
    next_command: u32,
}

/// An adversary's broker, and how much of what it received is in the journal.
struct Adversary {
    broker: CommandAndControl,
    journalled: usize,
}

pub(crate) struct World {
    clock: Clock,
    bell: Doorbell,
    hub: Hub,
    defender: Defender,
    network: Network,
    slots: Vec<Slot>,
    adversaries: BTreeMap<String, Adversary>,
    streams: BTreeMap<StreamId, String>,
    links: BTreeMap<ConnectionId, LinkId>,
    methods: BTreeMap<MethodTicket, MethodResult>,
    journal: Journal,
    faults: BTreeMap<LinkId, Faults>,
    step: String,
    /// The step during which each hub record came, by the record's ordinal.
    raised_in: Vec<String>,
}

impl World {
    pub(crate) fn new(
        journal: Journal,
        network: NetworkConfig,
        authentication: Authentication,
        seed: u64,
    ) -> Self {
        let clock = Clock::new(journal.header().t0);
        let hub_config = hub_config(&journal.header().scenario.hub, network.hub_host.clone());
        Self {
            clock,
            bell: Doorbell::default(),
            hub: Hub::with_authentication(hub_config, seed::derive(seed, "hub"), authentication),
            defender: Defender::new(),
            network: Network::new(network, seed::derive(seed, "network")),
            slots: Vec::new(),
            adversaries: BTreeMap::new(),
            streams: BTreeMap::new(),
            links: BTreeMap::new(),
            methods: BTreeMap::new(),
            journal,
            faults: BTreeMap::new(),
            step: "provisioning".to_owned(),
            raised_in: Vec::new(),
        }
    }

    /// Puts endpoints in place, starting a real broker for each command-and-control one.
    pub(crate) fn set_up_network(&mut self, spec: &NetworkSpec) -> Result<(), WorldError> {
        for (at, endpoint) in &spec.endpoints {
            let name = at.to_string();
            let endpoint = match endpoint {
                EndpointSpec::Sink => Endpoint::Sink,
                EndpointSpec::Refuse => Endpoint::Refuse,
                EndpointSpec::BlackHole => Endpoint::BlackHole,
                EndpointSpec::CommandAndControl(spec) => {
                    let adversary = |error| WorldError::Adversary { endpoint: name.clone(), error };
                    let mut broker = CommandAndControl::start().map_err(adversary)?;
                    for order in &spec.orders {
                        broker.order(&order.topic, order.payload.as_bytes()).map_err(adversary)?;
                    }
                    self.adversaries.insert(name.clone(), Adversary { broker, journalled: 0 });
                    Endpoint::Served(name)
                }
            };
            self.network.set_endpoint(*at, endpoint);
        }
        Ok(())
    }

    /// Attaches a booted device.
    pub(crate) fn attach(&mut self, id: DeviceId, link: LinkId, mut device: Box<dyn Device>) {
        if device.pace() == Pace::Real {
            device.listen(&self.bell);
            self.clock.go_real();
        }
        let inbox = VecDeque::from([Stimulus::Tick]);
        self.slots.push(Slot { id, link, device, inbox, hub_bytes: 0, next_command: 0 });
    }

    pub(crate) fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn defender(&self) -> &Defender {
        &self.defender
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn mono(&self) -> Monotonic {
        self.clock.mono()
    }

    /// The step during which the hub record of this ordinal came.
    pub(crate) fn raised_in(&self, ordinal: u64) -> Option<&str> {
        self.raised_in.get(usize::try_from(ordinal).ok()?).map(String::as_str)
    }

    pub(crate) fn begin_step(&mut self, path: &str, kind: &str) {
        path.clone_into(&mut self.step);
        self.record(HarnessRecord::StepStarted { path: path.to_owned(), kind: kind.to_owned() });
    }

    pub(crate) fn service(&mut self, request: ServiceRequest) -> Result<ServiceReply, HubError> {
        self.service_as(&Caller::owner(), request)
    }

    /// Carries out a request in somebody's name.
    pub(crate) fn service_as(
        &mut self,
        caller: &Caller,
        request: ServiceRequest,
    ) -> Result<ServiceReply, HubError> {
        let reply = self.hub.service_as(caller, request, self.clock.hub());
        self.drain_hub();
        reply
    }

    /// The result of a direct method, once it is there.
    pub(crate) fn method_result(&self, ticket: MethodTicket) -> Option<&MethodResult> {
        self.methods.get(&ticket)
    }

    /// Hands a command to a device; answers with its number.
    pub(crate) fn command(&mut self, device: &DeviceId, command: Command) -> Option<u32> {
        let slot = self.slots.iter_mut().find(|slot| slot.id == *device)?;
        slot.next_command += 1;
        let id = slot.next_command;
        slot.inbox.push_back(Stimulus::Command { id, command });
        Some(id)
    }

    /// Changes the faults of one device's link, or of all.
    pub(crate) fn change_faults(&mut self, device: Option<&DeviceId>, change: impl Fn(&mut Faults)) {
        let links = self.slots.iter().filter(|slot| device.is_none_or(|id| slot.id == *id));
        for link in links.map(|slot| slot.link).collect::<Vec<_>>() {
            let faults = self.faults.entry(link).or_default();
            change(faults);
            self.network.set_faults(link, *faults);
        }
    }

    /// The calendar jumps; devices hear of it at once.
    pub(crate) fn jump(&mut self, by: Duration, hub_only: bool) {
        let from = self.clock.hub().unix;
        self.clock.jump(by, hub_only);
        self.hub.calendar_advanced(from, self.clock.hub());
        self.drain_hub();
        if !hub_only {
            self.slots.iter_mut().for_each(|slot| slot.inbox.push_back(Stimulus::Tick));
        }
    }

    /// Carries out all work of this instant.
    pub(crate) fn settle(&mut self) -> Result<(), WorldError> {
        for _ in 0..ROUNDS_MAX {
            self.drain_network();
            self.drain_hub();
            if self.drain_adversaries()? || self.step_one_device()? {
                continue;
            }
            if !self.drain_network() && !self.drain_hub() {
                return Ok(());
            }
        }
        Err(WorldError::Livelock { at: self.clock.mono() })
    }

    /// When anyone next has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        let devices = self.slots.iter().filter_map(|slot| slot.device.deadline());
        devices.chain(self.network.poll_timeout()).chain(self.hub.poll_timeout(self.clock.hub())).min()
    }

    /// Moves time to `at` and wakes whoever is due; the work itself is left to [`settle`](Self::settle). With
    /// a device that lives in real time it waits for `at`, and comes back early when such a device did
    /// something.
    pub(crate) fn run_to(&mut self, at: Monotonic) {
        self.clock.run_to(self.await_real(at));
        let mono = self.clock.mono();
        let now = self.clock.hub();
        if self.network.poll_timeout().is_some_and(|due| due <= mono) {
            self.network.handle_timeout(now);
        }
        if self.hub.poll_timeout(now).is_some_and(|due| due <= mono) {
            self.hub.handle_timeout(now);
        }
        for slot in &mut self.slots {
            // What a device did in its own time is collected by a stimulus, and only it knows whether it did.
            if slot.device.pace() == Pace::Real || slot.device.deadline().is_some_and(|due| due <= mono) {
                slot.inbox.push_back(Stimulus::Tick);
            }
        }
    }

    /// How far time may move now: to `at` under virtual time, as far as real time got otherwise.
    fn await_real(&self, at: Monotonic) -> Monotonic {
        let Some(wait) = self.clock.wait_until(at) else { return at };
        self.bell.wait(wait);
        self.clock.real().map_or(at, |real| real.min(at))
    }

    /// Ends the run: closes the defender's books and accounts for every byte the hub consumed.
    pub(crate) fn finish(&mut self) {
        let at = self.clock.hub().unix;
        self.defender.finish(at);
        for at in 0..self.slots.len() {
            let slot = &self.slots[at];
            let record = HarnessRecord::BytesAccounted {
                device: slot.id.clone(),
                network_bytes: self.network.hub_plaintext_bytes(slot.link).0,
                hub_bytes: slot.hub_bytes,
            };
            self.record(record);
        }
        self.record(HarnessRecord::RunEnded { at });
    }

    /// Gives up the world for what it wrote down.
    pub(crate) fn into_journal(self) -> Journal {
        self.journal
    }

    pub(crate) fn record(&mut self, record: HarnessRecord) {
        self.journal.push(self.clock.mono(), Entry::Harness(record));
    }

    fn drain_network(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.network.poll_output() {
            any = true;
            self.route(output);
        }
        any
    }

    fn route(&mut self, output: Output) {
        let now = self.clock.hub();
        match output {
            Output::Device { link, output } => {
                if let Some(slot) = self.slots.iter_mut().find(|slot| slot.link == link) {
                    slot.inbox.push_back(Stimulus::Link(output));
                }
            }
            Output::HubOpened { connection, link, service, facts } => {
                self.links.insert(connection, link);
                let listener = match service {
                    HubService::Mqtt => Listener::Mqtt,
                    HubService::Https => Listener::Https,
                };
                self.hub.handle_input(hilarm_hub::Input::Opened { connection, listener, facts }, now);
            }
            Output::HubReceived { connection, bytes } => {
                let link = self.links.get(&connection);
                if let Some(slot) = self.slots.iter_mut().find(|slot| Some(&slot.link) == link) {
                    slot.hub_bytes += bytes.len() as u64;
                }
                self.hub.handle_input(hilarm_hub::Input::Received { connection, bytes: &bytes }, now);
            }
            Output::HubClosed { connection } => {
                self.hub.handle_input(hilarm_hub::Input::Closed { connection }, now);
            }
            Output::ServedOpened { stream, endpoint, .. } => {
                if let Some(adversary) = self.adversaries.get_mut(&endpoint) {
                    adversary.broker.open(stream.0);
                    self.streams.insert(stream, endpoint);
                }
            }
            Output::ServedReceived { stream, bytes } => {
                if let Some(adversary) = self.adversary_of(stream) {
                    adversary.broker.send(stream.0, &bytes);
                }
            }
            Output::ServedClosed { stream } => {
                if let Some(adversary) = self.adversary_of(stream) {
                    adversary.broker.close(stream.0);
                }
                self.streams.remove(&stream);
            }
            Output::Fact(fact) => self.record_fact(fact),
        }
    }

    fn adversary_of(&mut self, stream: StreamId) -> Option<&mut Adversary> {
        let endpoint = self.streams.get(&stream)?;
        self.adversaries.get_mut(endpoint)
    }

    fn record_fact(&mut self, fact: NetworkFact) {
        let device = self.slots.iter().find(|slot| slot.link == fact.link()).map(|slot| slot.id.clone());
        if let Some(device) = device {
            self.record(HarnessRecord::Network { device, fact });
        }
    }

    fn drain_hub(&mut self) -> bool {
        let mut any = false;
        let now = self.clock.hub();
        while let Some(output) = self.hub.poll_output() {
            any = true;
            let input = match output {
                hilarm_hub::Output::Send { connection, bytes } => Input::HubSend { connection, bytes },
                hilarm_hub::Output::Close { connection } => Input::HubClose { connection },
            };
            self.network.handle_input(input, now);
        }
        while let Some(record) = self.hub.poll_record() {
            any = true;
            self.defender.handle(&record);
            self.raised_in.push(self.step.clone());
            self.journal.push(self.clock.mono(), Entry::Hub(record));
        }
        while let Some((ticket, result)) = self.hub.poll_service() {
            any = true;
            self.methods.insert(ticket, result);
        }
        any
    }

    /// Lets real brokers finish what they were given; time stands still meanwhile.
    fn drain_adversaries(&mut self) -> Result<bool, WorldError> {
        let mut any = false;
        let mut records = Vec::new();
        for (endpoint, adversary) in &mut self.adversaries {
            if !adversary.broker.has_work() {
                continue;
            }
            any = true;
            let outputs = adversary
                .broker
                .settle(ADVERSARY_LIMIT)
                .map_err(|error| WorldError::Adversary { endpoint: endpoint.clone(), error })?;
            let now = self.clock.hub();
            for output in outputs {
                let input = match output {
                    AdversaryOutput::Bytes { stream, bytes } => {
                        Input::ServedSend { stream: StreamId(stream), bytes }
                    }
                    AdversaryOutput::Closed { stream } => Input::ServedClose { stream: StreamId(stream) },
                };
                self.network.handle_input(input, now);
            }
            let received = adversary.broker.received();
            records.extend(received[adversary.journalled..].iter().map(|message| {
                HarnessRecord::AdversaryReceived {
                    endpoint: endpoint.clone(),
                    client_id: message.client_id.clone(),
                    topic: message.topic.clone(),
                    payload_bytes: message.payload.len() as u64,
                }
            }));
            adversary.journalled = received.len();
        }
        records.into_iter().for_each(|record| self.record(record));
        Ok(any)
    }

    /// Gives the first device that has something waiting one stimulus. One at a time and always in the same
    /// order: that is what makes runs equal.
    fn step_one_device(&mut self) -> Result<bool, WorldError> {
        let now = self.clock.devices();
        let Some(at) = self.slots.iter().position(|slot| !slot.inbox.is_empty()) else { return Ok(false) };
        let slot = &mut self.slots[at];
        let Some(stimulus) = slot.inbox.pop_front() else { return Ok(false) };
        let (id, link) = (slot.id.clone(), slot.link);
        match slot.device.step(stimulus, now) {
            Ok(outputs) => {
                outputs.into_iter().for_each(|output| self.take_from_device(&id, link, output));
                Ok(true)
            }
            Err(fault) => {
                // While what holds it is still there.
                let autopsy = slot.device.autopsy().map(Box::new);
                let verdict = autopsy.as_ref().map(|autopsy| autopsy.verdict);
                let (device, told) = (id.clone(), fault.to_string());
                self.record(HarnessRecord::DeviceFailed { device, fault: told, verdict });
                Err(WorldError::Device { device: id, fault, autopsy })
            }
        }
    }

    fn take_from_device(&mut self, device: &DeviceId, link: LinkId, output: DeviceOutput) {
        let device = device.clone();
        match output {
            DeviceOutput::Link(input) => {
                self.network.handle_input(Input::Device { link, input }, self.clock.hub());
            }
            DeviceOutput::Report(FromDevice::Response { id, result }) => {
                self.record(HarnessRecord::CommandAnswered { device, id, result });
            }
            DeviceOutput::Report(FromDevice::Event(event)) => {
                self.record(HarnessRecord::DeviceEvent { device, event });
            }
            DeviceOutput::Report(FromDevice::Log { level, text }) => {
                self.record(HarnessRecord::DeviceLog { device, level, text });
            }
            // Idle is the backend's business; frames over the link belong to boards without Ethernet.
            DeviceOutput::Report(FromDevice::Time(_) | FromDevice::Network(_)) => {}
        }
    }
}
