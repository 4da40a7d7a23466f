//! Carries out a scenario's steps: branches that each wait for something, and a world that runs until
//! somebody's wait is over. Every wait is bounded in the scenario's time and says what it waited for.
//!
//! `goal` says when a wait is over, `on_device` begins the steps that a device carries out, `words` names steps.

mod goal;
mod on_device;
mod words;

use std::time::Duration;

use hilarm_link::{CommandError, X509Credential};
use hilarm_model::{DeviceId, Monotonic};
use hilarm_scenario::{Advance, NetworkStep, Span, Step};

use self::goal::Goal;
pub(crate) use self::words::describe;
use self::words::kind;
use crate::journal::{Entry, HarnessRecord, Line};
use crate::service::{Served, serve, served_in_place_of};
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
                if let Goal::Method(ticket, refused) = goal
                    && let Some(result) = world.method_result(*ticket)
                {
                    *seen = 1;
                    if let Some(code) = refused.filter(|code| result.refusal() != Some(*code)) {
                        let problem = match result.refusal() {
                            None => served_in_place_of(code),
                            Some(other) => format!("the hub refused with {other}, not with {code}"),
                        };
                        return Err(ScriptError::Step { path: branch.path.clone(), problem });
                    }
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
                    Served::Method(ticket, refused) => {
                        let limit = world.mono() + within;
                        let what = "the outcome of a method".to_owned();
                        self.wait_from_now(at, Goal::Method(ticket, refused), 1, limit, what);
                    }
                    Served::NotMine(step) => self.begin_on_device(at, step, world).map_err(failed)?,
                }
            }
        }
        Ok(())
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
