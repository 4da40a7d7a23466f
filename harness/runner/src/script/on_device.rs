//! Steps that a device carries out: the command that it is given, and what then has to be seen.

use hilarm_link::{Command, Value};
use hilarm_model::DeviceId;
use hilarm_scenario::{Argument, BehaviourStep, Connect, Disposition, Step, Transport};

use super::goal::Goal;
use super::{LET_IN_LIMIT, STEP_LIMIT, Script};
use crate::world::World;

impl Script<'_> {
    /// Steps that a device carries out.
    pub(super) fn begin_on_device(&mut self, at: usize, step: Step, world: &mut World) -> Result<(), String> {
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
