//! The agent as its platform sees it: hands each input to the part it concerns, then lets every part do what
//! is due at that instant.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hilarm_link::{Command, CommandError, DeviceConfig, DeviceEvent, FromDevice, Value};
use serde::de::IgnoredAny;

use crate::behaviours::{self, Behaviour, Progress, Running};
use crate::collectors::Collectors;
use crate::device::Device;
use crate::flows::FlowTable;
use crate::https::{HttpsConnection, Stage, Work};
use crate::hub::HubConnection;
use crate::io::{Input, Now, Output, Socket};

/// The longest file: an upload is handed to the platform whole, and small devices hold little.
pub(crate) const UPLOAD_BYTES_MAX: u32 = 200 * 1024;

/// One device: hub connection, collectors and running behaviours.
pub struct Agent {
    device: Device,
    hub: HubConnection,
    https: HttpsConnection,
    collectors: Collectors,
    running: Vec<(&'static Behaviour, Box<dyn Running>)>,
    booted: bool,
}

impl Agent {
    /// A device that has just booted. Its first output is [`DeviceEvent::Booted`]; its clocks begin with the
    /// first call that brings a time.
    pub fn new(config: DeviceConfig, target: &'static str, boot_nonce: u64) -> Self {
        let mut device = Device::new(config);
        device.event(DeviceEvent::Booted {
            target: target.to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            nonce: boot_nonce,
        });
        let hub = HubConnection::new(&device);
        let collectors = Collectors::new(&device);
        let https = HttpsConnection::new();
        Self { device, hub, https, collectors, running: Vec::new(), booted: false }
    }

    /// Takes an input, and does what is due.
    pub fn handle_input(&mut self, input: Input, now: Now) {
        self.device.look_at_the_clock(now);
        self.boot(now);
        if let Input::Opened { local, .. } = &input {
            self.device.connection_opened(*local);
        }
        match input {
            Input::Command { id, command } => {
                self.hub.renew_if_due(&mut self.device, now);
                let result = self.take_command(command, now);
                self.device.tell(FromDevice::Response { id, result });
            }
            Input::Opened { socket: Socket::HUB, .. } => self.hub.opened(&mut self.device, now),
            Input::Received { socket: Socket::HUB, bytes } => {
                self.hub.received(&mut self.device, &bytes, now);
            }
            Input::Closed { socket: Socket::HUB, reason } => {
                self.hub.closed(&mut self.device, reason, now);
            }
            other => self.take_plain_input(&other, now),
        }
        self.settle(now);
    }

    /// Does what is due; afterwards [`Agent::poll_timeout`] lies ahead of `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.device.look_at_the_clock(now);
        self.boot(now);
        self.hub.renew_if_due(&mut self.device, now);
        self.hub.handle_timeout(&mut self.device, now);
        for (_, behaviour) in &mut self.running {
            behaviour.handle_timeout(&mut self.device, now);
        }
        self.settle(now);
    }

    /// The next output, until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.device.poll_output()
    }

    /// When to call [`Agent::handle_timeout`], in monotonic microseconds; nothing = only on input.
    pub fn poll_timeout(&self, now: Now) -> Option<u64> {
        if !self.booted {
            return Some(now.mono_us);
        }
        let behaviours = self.running.iter().filter_map(|(_, behaviour)| behaviour.poll_timeout());
        let parts = [
            self.hub.poll_timeout(&self.device, now),
            self.https.poll_timeout(&self.device),
            self.device.telemetry.poll_timeout(self.hub.room()),
            self.collectors.poll_timeout(),
        ];
        parts.into_iter().flatten().chain(behaviours).min()
    }

    /// The flow table, for the network stack to feed.
    pub fn flows(&mut self) -> &mut FlowTable {
        &mut self.device.flows
    }

    fn boot(&mut self, now: Now) {
        if !self.booted {
            self.booted = true;
            self.collectors.boot(&self.device, now);
        }
    }

    fn take_command(&mut self, command: Command, now: Now) -> Result<(), CommandError> {
        match command {
            Command::Connect { attempts, gap_ms } => {
                self.hub.connect(&mut self.device, attempts, gap_ms, now)
            }
            Command::Disconnect => {
                self.hub.disconnect(&mut self.device, now);
                Ok(())
            }
            Command::SendTelemetry { count, interval_ms, payload_bytes } => {
                self.device.telemetry.begin(count, interval_ms, payload_bytes, now.mono_us);
                Ok(())
            }
            Command::ReportProperties { json } => {
                must_be_object(&json)?;
                self.hub.report_properties(&json, now)
            }
            Command::ReadTwin => self.hub.read_twin(now),
            Command::RunBehaviour { name, args } => self.run_behaviour(&name, &args, now),
            Command::StopBehaviour { name } => self.stop_behaviour(&name, now),
            Command::SendTelemetryHttps { count, interval_ms, payload_bytes } => {
                self.begin_https(Work::Telemetry { count, interval_ms, payload_bytes }, now)
            }
            Command::ReceiveHttps { disposition, count } => {
                self.begin_https(Work::Receive { count, disposition, lock: None }, now)
            }
            Command::UploadFile { name, size_bytes } => {
                if size_bytes > UPLOAD_BYTES_MAX {
                    let expected = format!("at most {UPLOAD_BYTES_MAX}");
                    return Err(CommandError::Argument { name: "size_bytes".to_string(), expected });
                }
                self.begin_https(Work::Upload { name, size_bytes, stage: Stage::Ask }, now)
            }
        }
    }

    fn begin_https(&mut self, work: Work, now: Now) -> Result<(), CommandError> {
        self.device.https.begin(work, now.mono_us);
        Ok(())
    }

    fn run_behaviour(&mut self, name: &str, args: &[(String, Value)], now: Now) -> Result<(), CommandError> {
        let behaviour = behaviours::find(name).ok_or(CommandError::UnknownBehaviour)?;
        if self.running.iter().any(|(running, _)| running.name == name) {
            return Err(CommandError::NotNow { reason: "already running".to_string() });
        }
        let running = behaviour.start(&mut self.device, args, now)?;
        self.running.push((behaviour, running));
        Ok(())
    }

    fn stop_behaviour(&mut self, name: &str, now: Now) -> Result<(), CommandError> {
        behaviours::find(name).ok_or(CommandError::UnknownBehaviour)?;
        let index = self
            .running
            .iter()
            .position(|(running, _)| running.name == name)
            .ok_or_else(|| CommandError::NotNow { reason: "not running".to_string() })?;
        let (_, mut behaviour) = self.running.remove(index);
        behaviour.stop(&mut self.device, now);
        Ok(())
    }

    /// Input of a socket that is not the hub's: the behaviour that opened it knows it.
    fn take_plain_input(&mut self, input: &Input, now: Now) {
        if self.https.handle_input(&mut self.device, input, now) {
            return;
        }
        if let Input::Closed { socket, .. } = input {
            self.device.release(*socket);
        }
        for (_, behaviour) in &mut self.running {
            behaviour.handle_input(&mut self.device, input, now);
        }
    }

    /// What every action ends with: the calendar is looked at, what is due is collected and sent.
    fn settle(&mut self, now: Now) {
        self.hub.renew_if_due(&mut self.device, now);
        self.collectors.collect(&mut self.device, now);
        while self.hub.is_up()
            && let Some(message) = self.collectors.take_message(&self.device.schedule)
        {
            self.hub.publish_security_message(&mut self.device, message, now);
        }
        while self.hub.is_up()
            && let Some((properties, body)) = self.device.take_verbatim()
        {
            self.hub.publish_verbatim(&mut self.device, properties, body, now);
        }
        while self.hub.is_up()
            && let Some(device_id) = self.device.take_foreign()
        {
            self.hub.publish_as(&mut self.device, &device_id, now);
        }
        while let Some(message) = self.device.telemetry.take_due(self.hub.room(), now.mono_us) {
            self.hub.publish_telemetry(&mut self.device, message, now);
        }
        self.hub.flush(&mut self.device);
        while self.hub.is_up() && self.device.flush_past_the_client() {}
        self.https.settle(&mut self.device, now);
        self.report_progress();
    }

    fn report_progress(&mut self) {
        let device = &mut self.device;
        self.running.retain_mut(|(behaviour, running)| {
            let progress = running.progress(device);
            if progress != Progress::UnderWay {
                device.event(DeviceEvent::BehaviourFinished { name: behaviour.name.to_string() });
            }
            progress != Progress::Finished
        });
    }
}

fn must_be_object(json: &str) -> Result<(), CommandError> {
    match serde_json::from_str::<BTreeMap<String, IgnoredAny>>(json) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(CommandError::Argument { name: "json".to_string(), expected: "a JSON object".to_string() })
        }
    }
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "agent_properties.rs"]
mod properties;
