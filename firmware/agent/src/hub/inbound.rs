//! What an honest device does with each message from the hub.

use alloc::format;
use alloc::string::ToString;

use hilarm_link::{DeviceEvent, LogLevel};
use serde_json::Value;

use super::topics::Inbound;
use super::{HubConnection, methods, topics};
use crate::device::Device;
use crate::io::Now;
use crate::mqtt::Publish;

impl HubConnection {
    pub(super) fn take_message(&mut self, device: &mut Device, message: &Publish, now: Now) {
        match topics::parse(&device.id, &message.topic) {
            Some(Inbound::Method { name, request }) => {
                device.event(DeviceEvent::MethodCalled { name: name.to_string() });
                let (status, body) = methods::answer(name, &message.payload, &mut device.telemetry);
                self.answer(topics::method_answer(status, request), body.into_bytes(), now);
            }
            Some(Inbound::TwinAnswer { status: 200 }) => read_twin(device, &message.payload),
            Some(Inbound::TwinAnswer { status: 204 }) => {}
            Some(Inbound::TwinAnswer { status }) => {
                device.log(LogLevel::Warn, format!("the hub answered a twin request with {status}"));
            }
            Some(Inbound::Desired { version }) => {
                match serde_json::from_slice(&message.payload) {
                    Ok(desired) => device.schedule.change(&desired),
                    Err(_) => device.log(LogLevel::Warn, "the hub's desired properties do not parse"),
                }
                device.event(DeviceEvent::DesiredProperties { version });
                let acknowledged = format!(r#"{{"acknowledged_version":{version}}}"#);
                // Connected, or the message would not have arrived.
                let _ = self.report_properties(&acknowledged, now);
            }
            Some(Inbound::CloudToDevice) => {
                let payload_bytes = u32::try_from(message.payload.len()).unwrap_or(u32::MAX);
                device.event(DeviceEvent::CloudToDeviceReceived { payload_bytes });
            }
            None => device.log(LogLevel::Warn, format!("message on unknown topic {}", message.topic)),
        }
    }
}

fn read_twin(device: &mut Device, body: &[u8]) {
    let twin: Value = serde_json::from_slice(body).unwrap_or_default();
    let desired = &twin["desired"];
    match desired["$version"].as_u64() {
        Some(version) => {
            device.schedule.replace(desired);
            device.event(DeviceEvent::DesiredProperties { version });
        }
        None => device.log(LogLevel::Warn, "the hub's twin does not parse"),
    }
}
