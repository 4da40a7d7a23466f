//! Carries out a scenario's steps: branches that each wait for something, and a world that runs until
//! somebody's wait is over. Every wait is bounded in the scenario's time and says what it waited for.

use std::time::Duration;

use hilarm_hub::MethodTicket;
use hilarm_link::{Command, CommandError, DeviceEvent, Value, X509Credential};
use hilarm_model::{DeviceId, HubEvent, Monotonic, Protocol, TwinSection};
use hilarm_scenario::{
    Advance, Argument, BehaviourStep, Connect, Disposition, EventMatch, NetworkStep, Span, Step, Transport,
};

use crate::journal::{Entry, HarnessRecord, Line};
use crate::matching::matches;
use crate::service::{Served, serve};
use crate::world::{World, WorldError};

/// How long a step without a limit of its own may take.
const STEP_LIMIT: Duration = Duration::from_secs(300);
/// How long firmware that connects by itself is given for it.
const LET_IN_LIMIT: Duration = Duration::from_secs(60);
/// What firmware that connects by itself is given, once it has been let in, for what it does next: nobody says when
/// it has subscribed.
const SETTLE: Duration = Duration::from_secs(1);
/// What the world is given after the last step to finish what is under way.
pub(crate) const DRAIN: Duration = Duration::from_secs(1);
const PERCENT_TO_MILLION: f64 = 10_000.0;

/// Why the steps did not all succeed.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A step failed: the scenario's own doing, or the device's.
    #[error("{path}: {problem}")]
    Step {
        /// Where in the file.
        path: String,
        /// What went wrong.
        problem: String,
    },
    /// The world failed.
    #[error(transparent)]
    World(#[from] WorldError),
    /// What the run stands on failed.
    #[error("{0}")]
    Infra(String),
}

/// One line of steps under way.
struct Branch {
    frames: Vec<Frame>,
    wait: Wait,
    /// Where the step under way is, and where its journal lines begin.
    path: String,
    began: usize,
    /// Where the journal lines of the step before begin: `wait_for` counts from there.
    began_before: usize,
    /// The branch that waits for this one.
    parent: Option<usize>,
    done: bool,
}

/// Steps of one list, and how often the list is still to be repeated.
struct Frame {
    prefix: String,
    steps: Vec<Step>,
    next: usize,
    repeats_left: u32,
}

/// What a branch waits for.
enum Wait {
    Nothing,
    Until(Monotonic),
    Branches(usize),
    For { goal: Goal, count: u64, seen: u64, cursor: usize, limit: Monotonic, what: String },
}

/// An event that ends a step.
enum Goal {
    Event(EventMatch),
    /// The device is in, or has used up its tries.
    ConnectionSettled(DeviceId),
    /// The hub has let the device in.
    LetIn(DeviceId),
    Closed(DeviceId),
    Answered(DeviceId, u32),
    TwinRead(DeviceId),
    Reported(DeviceId),
    /// The hub has refused a request of the device with this code.
    Refused(DeviceId, u32),
    Telemetry(DeviceId, Transport),
    Settled(DeviceId, Disposition),
    Uploaded(DeviceId),
    Method(MethodTicket),
}

impl Goal {
    fn is_met(&self, line: &Line) -> bool {
        match (self, &line.entry) {
            (Self::Event(wanted), _) => matches(wanted, line),
            (
                Self::ConnectionSettled(wanted),
                Entry::Harness(HarnessRecord::DeviceEvent { device, event }),
            ) => device == wanted && matches!(event, DeviceEvent::Connected { .. } | DeviceEvent::GaveUp),
            (
                Self::Answered(wanted, number),
                Entry::Harness(HarnessRecord::CommandAnswered { device, id, .. }),
            ) => device == wanted && id == number,
            (Self::LetIn(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::ConnectionAccepted { device, .. } if device == wanted)
            }
            (Self::Closed(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::ConnectionClosed { device: Some(device), .. } if device == wanted)
            }
            (Self::TwinRead(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::TwinRead { device, .. } if device == wanted)
            }
            (Self::Reported(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::TwinUpdated { device, section: TwinSection::Reported, .. } if device == wanted)
            }
            (Self::Refused(wanted, with), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::RequestRefused { device, code, .. } if device == wanted && code == with)
            }
            (Self::Telemetry(wanted, over), Entry::Hub(record)) => match &record.event {
                HubEvent::TelemetryReceived { device, protocol, duplicate: false, .. } => {
                    device == wanted && (*over == Transport::Https) == (*protocol == Protocol::Https)
                }
                _ => false,
            },
            (Self::Settled(wanted, disposition), Entry::Hub(record)) => match (disposition, &record.event) {
                (Disposition::Complete, HubEvent::CloudToDeviceCompleted { device, .. })
                | (Disposition::Reject, HubEvent::CloudToDeviceRejected { device, .. })
                | (Disposition::Abandon, HubEvent::CloudToDeviceAbandoned { device, .. }) => device == wanted,
                _ => false,
            },
            (Self::Uploaded(wanted), Entry::Hub(record)) => {
                matches!(&record.event, HubEvent::FileUploadCompleted { device, .. } if device == wanted)
            }
            _ => false,
        }
    }
}

/// The steps of a scenario under way.
pub(crate) struct Script<'a> {
    branches: Vec<Branch>,
    certificates: &'a std::collections::BTreeMap<String, X509Credential>,
    unlinked: bool,
}

impl<'a> Script<'a> {
    pub(crate) fn new(
        steps: &[Step],
        certificates: &'a std::collections::BTreeMap<String, X509Credential>,
    ) -> Self {
        let mut script = Self { branches: Vec::new(), certificates, unlinked: false };
        script.spawn("steps".to_owned(), steps.to_vec(), None, 0);
        script
    }

    /// Whether devices connect by themselves, because nobody can command them.
    pub(crate) fn unlinked(mut self, unlinked: bool) -> Self {
        self.unlinked = unlinked;
        self
    }

    /// Runs the world until all steps are done and what they began has come to rest.
    pub(crate) fn run(&mut self, world: &mut World) -> Result<(), ScriptError> {
        loop {
            world.settle()?;
            while self.poll(world)? {
                world.settle()?;
            }
            if self.branches.iter().all(|branch| branch.done) {
                break;
            }
            let own = self.branches.iter().filter_map(Branch::deadline);
            // A branch that waits always has a limit, so there is always a next instant.
            let Some(next) = own.chain(world.next_deadline()).min() else { break };
            world.run_to(next.max(world.mono()));
        }
        let end = world.mono() + DRAIN;
        loop {
            let next = world.next_deadline().filter(|next| *next <= end);
            if next.is_none() && world.mono() >= end {
                return Ok(());
            }
            world.run_to(next.unwrap_or(end).max(world.mono()));
            world.settle()?;
        }
    }

    fn spawn(&mut self, prefix: String, steps: Vec<Step>, parent: Option<usize>, began: usize) {
        self.branches.push(Branch {
            frames: vec![Frame { prefix, steps, next: 0, repeats_left: 0 }],
            wait: Wait::Nothing,
            path: String::new(),
            began,
            began_before: began,
            parent,
            done: false,
        });
    }

    /// Lets each branch go on as far as it can; whether any did.
    fn poll(&mut self, world: &mut World) -> Result<bool, ScriptError> {
        let mut any = false;
        let mut at = 0;
        while at < self.branches.len() {
            if !self.branches[at].done && self.is_over(at, world)? {
                any = true;
                self.next_step(at, world)?;
            }
            at += 1;
        }
        Ok(any)
    }

    /// Whether the branch's wait is over.
    fn is_over(&mut self, at: usize, world: &World) -> Result<bool, ScriptError> {
        let branch = &mut self.branches[at];
        match &mut branch.wait {
            Wait::Nothing => Ok(true),
            Wait::Until(until) => Ok(world.mono() >= *until),
            Wait::Branches(left) => Ok(*left == 0),
            Wait::For { goal, count, seen, cursor, limit, what } => {
                let lines = world.journal().lines();
                for line in &lines[*cursor..] {
                    if let Some(problem) = refusal(line) {
                        return Err(ScriptError::Step { path: branch.path.clone(), problem });
                    }
                    *seen += u64::from(goal.is_met(line));
                }
                *cursor = lines.len();
                if let Goal::Method(ticket) = goal {
                    *seen = u64::from(world.method_result(*ticket).is_some());
                }
                if *seen >= *count {
                    if !matches!(goal, Goal::LetIn(_)) {
                        return Ok(true);
                    }
                    branch.wait = Wait::Until(world.mono() + SETTLE);
                    return Ok(false);
                }
                if world.mono() < *limit {
                    return Ok(false);
                }
                let times = if *count > 1 { format!(" ({seen} of {count} came)") } else { String::new() };
                let problem = format!("waited in vain for {what}{times}");
                Err(ScriptError::Step { path: branch.path.clone(), problem })
            }
        }
    }

    fn next_step(&mut self, at: usize, world: &mut World) -> Result<(), ScriptError> {
        let branch = &mut self.branches[at];
        branch.wait = Wait::Nothing;
        loop {
            let Some(frame) = branch.frames.last_mut() else {
                branch.done = true;
                let parent = branch.parent;
                if let Some(Wait::Branches(left)) = parent.map(|parent| &mut self.branches[parent].wait) {
                    *left -= 1;
                }
                return Ok(());
            };
            if let Some(step) = frame.steps.get(frame.next).cloned() {
                let path = format!("{}[{}]", frame.prefix, frame.next);
                frame.next += 1;
                branch.began_before = branch.began;
                branch.began = world.journal().lines().len();
                branch.path = path.clone();
                return self.begin(at, &path, step, world);
            }
            if frame.repeats_left > 0 {
                frame.repeats_left -= 1;
                frame.next = 0;
            } else {
                branch.frames.pop();
            }
        }
    }

    fn begin(&mut self, at: usize, path: &str, step: Step, world: &mut World) -> Result<(), ScriptError> {
        world.begin_step(path, kind(&step));
        let failed = |problem: String| ScriptError::Step { path: path.to_owned(), problem };
        match step {
            Step::Malicious(malicious) => {
                self.enter(at, format!("{path}.malicious.do"), malicious.attack, 0);
            }
            Step::Repeat(repeat) => {
                if let Some(more) = repeat.times.checked_sub(1) {
                    self.enter(at, format!("{path}.repeat.steps"), repeat.steps, more);
                }
            }
            Step::Parallel(branches) => {
                self.branches[at].wait = Wait::Branches(branches.len());
                let began = self.branches[at].began;
                for (number, steps) in branches.into_iter().enumerate() {
                    self.spawn(format!("{path}.parallel[{number}]"), steps, Some(at), began);
                }
            }
            Step::RunFor(span) => self.branches[at].wait = Wait::Until(world.mono() + span.0),
            Step::Advance(Advance::World(span)) => world.jump(span.0, false),
            Step::Advance(Advance::HubOnly(only)) => world.jump(only.hub.0, true),
            Step::Network(step) => change_network(&step, world),
            Step::WaitFor(wait) => {
                let what = format!("{} within {}", describe(&wait.event), wait.within);
                let from = self.branches[at].began_before;
                let limit = world.mono() + wait.within.0;
                self.wait(at, Goal::Event(wait.event), wait.count, from, limit, what);
            }
            step => {
                let within = method_limit(&step);
                match serve(path, step, self.certificates, world).map_err(failed)? {
                    Served::Done => {}
                    Served::Method(ticket) => {
                        let limit = world.mono() + within;
                        let what = "the outcome of a method".to_owned();
                        self.wait_from_now(at, Goal::Method(ticket), 1, limit, what);
                    }
                    Served::NotMine(step) => self.begin_on_device(at, step, world).map_err(failed)?,
                }
            }
        }
        Ok(())
    }

    /// Steps that a device carries out.
    fn begin_on_device(&mut self, at: usize, step: Step, world: &mut World) -> Result<(), String> {
        let limit = world.mono() + STEP_LIMIT;
        match step {
            Step::Connect(connect) => self.connect(at, connect, world)?,
            Step::Reconnect(connect) => {
                send(world, &connect.device, Command::Disconnect)?;
                self.connect(at, connect, world)?;
            }
            Step::Disconnect(step) => {
                send(world, &step.device, Command::Disconnect)?;
                let what = format!("{} to disconnect", step.device);
                self.wait_from_now(at, Goal::Closed(identity(world, &step.device)), 1, limit, what);
            }
            Step::Behaviour(step) => {
                let args = self.arguments(&step)?;
                let id = send(world, &step.device, Command::RunBehaviour { name: step.run, args })?;
                self.wait_for_answer(at, step.device, id, limit);
            }
            Step::StopBehaviour(step) => {
                let id = send(world, &step.device, Command::StopBehaviour { name: step.stop })?;
                self.wait_for_answer(at, step.device, id, limit);
            }
            Step::SendTelemetry(step) => {
                let interval_ms = u32::try_from(step.every.0.as_millis()).unwrap_or(u32::MAX);
                let (count, payload_bytes) = (step.count, step.payload_bytes);
                let command = match step.over {
                    Transport::Mqtt => Command::SendTelemetry { count, interval_ms, payload_bytes },
                    Transport::Https => Command::SendTelemetryHttps { count, interval_ms, payload_bytes },
                };
                send(world, &step.device, command)?;
                let limit = limit + step.every.0.saturating_mul(step.count);
                let what = format!("{} to send {} telemetry messages", step.device, step.count);
                let goal = Goal::Telemetry(identity(world, &step.device), step.over);
                self.wait_from_now(at, goal, u64::from(step.count), limit, what);
            }
            Step::ReceiveHttps(step) => {
                let (count, disposition) = (step.count, disposition(step.disposition));
                send(world, &step.device, Command::ReceiveHttps { disposition, count })?;
                let what = format!("{} to settle {count} messages", step.device);
                let goal = Goal::Settled(identity(world, &step.device), step.disposition);
                self.wait_from_now(at, goal, u64::from(count), limit, what);
            }
            Step::UploadFile(step) => {
                let (name, size_bytes) = (step.name, step.size_bytes);
                let what = format!("{} to upload {name}", step.device);
                send(world, &step.device, Command::UploadFile { name, size_bytes })?;
                self.wait_from_now(at, Goal::Uploaded(identity(world, &step.device)), 1, limit, what);
            }
            Step::ReadTwin(step) => {
                send(world, &step.device, Command::ReadTwin)?;
                let what = format!("{} to read its twin", step.device);
                self.wait_from_now(at, Goal::TwinRead(identity(world, &step.device)), 1, limit, what);
            }
            Step::ReportProperties(step) => {
                let json = serde_json::Value::from(step.properties).to_string();
                send(world, &step.device, Command::ReportProperties { json })?;
                let device = identity(world, &step.device);
                let (goal, what) = match step.refused {
                    None => (Goal::Reported(device), format!("{} to report properties", step.device)),
                    Some(code) => {
                        let what = format!("the hub to refuse {} with {code}", step.device);
                        (Goal::Refused(device, code), what)
                    }
                };
                self.wait_from_now(at, goal, 1, limit, what);
            }
            // All others have been dealt with above.
            _ => {}
        }
        Ok(())
    }

    fn connect(&mut self, at: usize, connect: Connect, world: &mut World) -> Result<(), String> {
        if self.unlinked {
            let limit = world.mono() + LET_IN_LIMIT;
            let what = format!("the hub to let {} in", connect.device);
            // It may have been let in before anybody asked; a `wait_for` that follows counts that too.
            self.branches[at].began = 0;
            self.wait_from_now(at, Goal::LetIn(connect.device), 1, limit, what);
            return Ok(());
        }
        let gap_ms = connect.gap.map(|gap| u32::try_from(gap.0.as_millis()).unwrap_or(u32::MAX));
        send(world, &connect.device, Command::Connect { attempts: connect.attempts, gap_ms })?;
        let gaps = connect.gap.unwrap_or_default().0.saturating_mul(u32::from(connect.attempts.unwrap_or(1)));
        let limit = world.mono() + STEP_LIMIT + gaps;
        let what = format!("{} to be let in or to use up its tries", connect.device);
        self.wait_from_now(at, Goal::ConnectionSettled(connect.device), 1, limit, what);
        Ok(())
    }

    /// A behaviour's arguments, names of certificates replaced by certificates where the behaviour asks so.
    fn arguments(&self, step: &BehaviourStep) -> Result<Vec<(String, Value)>, String> {
        let behaviour = hilarm_agent::behaviours::all().iter().find(|behaviour| behaviour.name == step.run);
        let wants_certificate = |name: &str| {
            behaviour.is_some_and(|behaviour| {
                behaviour.params.iter().any(|param| {
                    param.name == name
                        && matches!(param.kind, hilarm_agent::behaviours::ParamKind::Certificate)
                })
            })
        };
        let value = |name: &str, argument: &Argument| match argument {
            Argument::Int(number) => Ok(Value::Int(*number)),
            Argument::Text(text) if wants_certificate(name) => self
                .certificates
                .get(text)
                .map(|certificate| Value::Certificate(certificate.clone()))
                .ok_or_else(|| format!("no certificate `{text}` in the scenario")),
            Argument::Text(text) => Ok(Value::Text(text.clone())),
        };
        step.with.iter().map(|(name, argument)| Ok((name.clone(), value(name, argument)?))).collect()
    }

    fn enter(&mut self, at: usize, prefix: String, steps: Vec<Step>, repeats_left: u32) {
        self.branches[at].frames.push(Frame { prefix, steps, next: 0, repeats_left });
    }

    fn wait_for_answer(&mut self, at: usize, device: DeviceId, id: u32, limit: Monotonic) {
        let what = format!("{device} to answer a command");
        self.wait_from_now(at, Goal::Answered(device, id), 1, limit, what);
    }

    fn wait_from_now(&mut self, at: usize, goal: Goal, count: u64, limit: Monotonic, what: String) {
        let from = self.branches[at].began;
        self.wait(at, goal, count, from, limit, what);
    }

    fn wait(&mut self, at: usize, goal: Goal, count: u64, cursor: usize, limit: Monotonic, what: String) {
        self.branches[at].wait = Wait::For { goal, count, seen: 0, cursor, limit, what };
    }
}

impl Branch {
    fn deadline(&self) -> Option<Monotonic> {
        match &self.wait {
            Wait::Until(until) => Some(*until),
            Wait::For { limit, .. } => Some(*limit),
            Wait::Nothing | Wait::Branches(_) => None,
        }
    }
}

fn send(world: &mut World, device: &DeviceId, command: Command) -> Result<u32, String> {
    world.command(device, command).ok_or_else(|| format!("no device {device} in the scenario"))
}

/// Whom the hub takes a device for; its records name nobody else.
fn identity(world: &World, device: &DeviceId) -> DeviceId {
    world.journal().header().scenario.identity_of(device).clone()
}

fn disposition(disposition: Disposition) -> hilarm_link::Disposition {
    match disposition {
        Disposition::Complete => hilarm_link::Disposition::Complete,
        Disposition::Reject => hilarm_link::Disposition::Reject,
        Disposition::Abandon => hilarm_link::Disposition::Abandon,
    }
}

/// How long the hub's answer to a step may take.
fn method_limit(step: &Step) -> Duration {
    match step {
        Step::InvokeMethod(invoke) => STEP_LIMIT + invoke.timeout.0,
        _ => STEP_LIMIT,
    }
}

/// The agent's word for a behaviour that is to stop and has ended by itself: it is as the step wants it.
const NOT_RUNNING: &str = "not running";

/// What the device answered to a command that it did not take.
fn refusal(line: &Line) -> Option<String> {
    let Entry::Harness(HarnessRecord::CommandAnswered { device, result: Err(error), .. }) = &line.entry
    else {
        return None;
    };
    let why = match error {
        CommandError::NotNow { reason } if reason == NOT_RUNNING => return None,
        CommandError::UnknownBehaviour => "its firmware holds no such behaviour".to_owned(),
        CommandError::Argument { name, expected } => format!("argument `{name}`: expected {expected}"),
        CommandError::NotNow { reason } => reason.clone(),
    };
    Some(format!("{device} refused: {why}"))
}

fn change_network(step: &NetworkStep, world: &mut World) {
    world.change_faults(step.device.as_ref(), |faults| {
        faults.latency = step.latency.map_or(faults.latency, |Span(latency)| latency);
        faults.loss_per_million = step.loss_percent.map_or(faults.loss_per_million, per_million);
        faults.partitioned = step.partition.unwrap_or(faults.partitioned);
    });
}

/// Percent as parts per million.
pub(crate) fn per_million(percent: f64) -> u32 {
    (percent.clamp(0.0, 100.0) * PERCENT_TO_MILLION).round() as u32
}

/// A step's key in the file.
fn kind(step: &Step) -> &'static str {
    match step {
        Step::Connect(_) => "connect",
        Step::Disconnect(_) => "disconnect",
        Step::Reconnect(_) => "reconnect",
        Step::Behaviour(_) => "behaviour",
        Step::StopBehaviour(_) => "stop_behaviour",
        Step::SendTelemetry(_) => "send_telemetry",
        Step::ReceiveHttps(_) => "receive_https",
        Step::UploadFile(_) => "upload_file",
        Step::ReadTwin(_) => "read_twin",
        Step::ReportProperties(_) => "report_properties",
        Step::PatchDesired(_) => "patch_desired",
        Step::InvokeMethod(_) => "invoke_method",
        Step::PatchTags(_) => "patch_tags",
        Step::SendCloudToDevice(_) => "send_cloud_to_device",
        Step::TakeFeedback(_) => "take_feedback",
        Step::PurgeQueue(_) => "purge_queue",
        Step::SetDevice(_) => "set_device",
        Step::DeleteDevice(_) => "delete_device",
        Step::CopyKey(_) => "copy_key",
        Step::RotateKey(_) => "rotate_key",
        Step::PutCertificate(_) => "put_certificate",
        Step::DeleteCertificate(_) => "delete_certificate",
        Step::PutDiagnosticSetting(_) => "put_diagnostic_setting",
        Step::DeleteDiagnosticSetting(_) => "delete_diagnostic_setting",
        Step::SetNetworkRules(_) => "set_network_rules",
        Step::PutSecurityGroup(_) => "put_security_group",
        Step::LoadThreatIntelligence(_) => "load_threat_intelligence",
        Step::RunFor(_) => "run_for",
        Step::Advance(_) => "advance",
        Step::WaitFor(_) => "wait_for",
        Step::Network(_) => "network",
        Step::Malicious(_) => "malicious",
        Step::Parallel(_) => "parallel",
        Step::Repeat(_) => "repeat",
    }
}

/// An event as a reader would write it.
pub(crate) fn describe(event: &EventMatch) -> String {
    match serde_json::to_value(event) {
        Ok(serde_json::Value::Object(map)) => map
            .into_iter()
            .map(|(name, fields)| format!("{name} {}", compact(&fields)))
            .collect::<Vec<_>>()
            .join(", "),
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

fn compact(fields: &serde_json::Value) -> String {
    let serde_json::Value::Object(fields) = fields else { return fields.to_string() };
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    let text = known.map(|(name, value)| match value {
        serde_json::Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    });
    format!("{{ {} }}", text.collect::<Vec<_>>().join(", "))
}
