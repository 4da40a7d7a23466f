//! The device-facing half of the core: connecting, telemetry, twin, methods and cloud-to-device messages,
//! as requests of an authenticated identity.

use std::net::IpAddr;

use hilarm_model::{
    CloseReason, DeviceId, HubEvent, MethodOutcome, Now, Operation, Protocol, RefusalCause, TwinSection,
    UsedAuthentication,
};
use serde_json::Value;

use super::auth::Presented;
use super::message::{DeviceMessage, MessageClass};
use super::registry::ClientIdentity;
use super::twin::InvalidPatch;
use super::{Core, CoreTimer, Notice, Presence};
use crate::security_message;
use crate::service::{HubError, MethodResult, MethodTicket};

impl Core {
    pub(crate) fn authenticate(
        &self,
        identity: &ClientIdentity,
        presented: Presented<'_>,
        now: Now,
    ) -> Result<UsedAuthentication, Vec<RefusalCause>> {
        self.authentication.judge(&self.registry, &self.config.host, identity, presented, now.unix)
    }

    /// Whether the hub's network rules let an address in. Adapters ask before they authenticate.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        self.management.network.admits(address)
    }

    pub(crate) fn is_registered(&self, identity: &ClientIdentity) -> bool {
        self.registry.device(&identity.device).is_some()
    }

    /// The identity is connected from now on; it listens for no methods yet.
    pub(crate) fn connected(&mut self, identity: ClientIdentity, protocol: Protocol) {
        self.last_protocols.insert(identity.device.clone(), protocol);
        self.presence.insert(identity, Presence::default());
    }

    /// The device used this protocol, without a connection that stays.
    pub(crate) fn uses(&mut self, device: &DeviceId, protocol: Protocol) {
        if self.last_protocols.get(device) != Some(&protocol) {
            self.last_protocols.insert(device.clone(), protocol);
        }
    }

    /// The identity went away; deliveries that were out are free again, and whoever waits for its answer to a direct
    /// method is told.
    pub(crate) fn disconnected(
        &mut self,
        identity: &ClientIdentity,
        protocol: Protocol,
        reason: CloseReason,
        now: Now,
    ) {
        self.presence.remove(identity);
        self.cut_off_methods(identity, reason, now);
        if identity.module.is_none()
            && let Some(queue) = self.queues.get_mut(&identity.device)
        {
            queue.unlock_all(protocol);
        }
    }

    pub(crate) fn listens_for_methods(&mut self, identity: &ClientIdentity, listens: bool) {
        if let Some(presence) = self.presence.get_mut(identity) {
            presence.listens_for_methods = listens;
        }
    }

    /// Takes a message in; one that calls itself a security message is decoded, or dropped and recorded.
    pub(crate) fn receive(
        &mut self,
        identity: &ClientIdentity,
        protocol: Protocol,
        message: &DeviceMessage<'_>,
        now: Now,
    ) {
        self.charge(message.payload.len(), now);
        let device = identity.device.clone();
        let payload_bytes = message.payload.len() as u64;
        let event = match message.class() {
            MessageClass::Telemetry => HubEvent::TelemetryReceived {
                device,
                module: identity.module.clone(),
                protocol,
                payload_bytes,
                duplicate: message.duplicate,
            },
            MessageClass::Security(encoding) => match security_message::decode(encoding, message.payload) {
                Ok(decoded) => HubEvent::SecurityMessageReceived {
                    device,
                    module: identity.module.clone(),
                    agent: decoded.agent,
                    events: decoded.events,
                },
                Err(reason) => {
                    HubEvent::SecurityMessageRejected { device, payload_bytes, reason: reason.to_string() }
                }
            },
        };
        self.record(event, now);
    }

    /// Desired and reported properties.
    pub(crate) fn read_twin(&mut self, identity: &ClientIdentity, now: Now) -> Value {
        let twin = self.twins.entry(identity.clone()).or_default().for_device();
        let (device, module) = (identity.device.clone(), identity.module.clone());
        self.record(HubEvent::TwinRead { device, module }, now);
        twin
    }

    /// Records that a request of the identity was refused for what it says.
    pub(crate) fn request_refused(
        &mut self,
        identity: &ClientIdentity,
        operation: Operation,
        code: u32,
        now: Now,
    ) {
        let (device, module) = (identity.device.clone(), identity.module.clone());
        self.record(HubEvent::RequestRefused { device, module, operation, code }, now);
    }

    /// Merges reported properties; their new version comes back.
    pub(crate) fn patch_reported(
        &mut self,
        identity: &ClientIdentity,
        patch: &[u8],
        now: Now,
    ) -> Result<u64, InvalidPatch> {
        let bytes = patch.len();
        let patch = serde_json::from_slice(patch).map_err(|_| InvalidPatch::NotJson)?;
        let version = self.twins.entry(identity.clone()).or_default().reported.patch(&patch)?;
        self.charge(bytes, now);
        self.record_twin_update(identity, TwinSection::Reported, version, now);
        Ok(version)
    }

    pub(super) fn record_twin_update(
        &mut self,
        identity: &ClientIdentity,
        section: TwinSection,
        version: u64,
        now: Now,
    ) {
        let (device, module) = (identity.device.clone(), identity.module.clone());
        self.record(HubEvent::TwinUpdated { device, module, section, version }, now);
    }

    /// The identity answers a direct method; an answer nobody waits for is dropped.
    pub(crate) fn answer_method(
        &mut self,
        identity: &ClientIdentity,
        ticket: MethodTicket,
        status: i32,
        body: &[u8],
        now: Now,
    ) {
        let Some(invocation) = self.invocations.answer(ticket, identity) else { return };
        self.timers.clear(invocation.deadline, CoreTimer::Method(ticket));
        self.charge(body.len(), now);
        let outcome = MethodOutcome::Answered { status };
        let (device, method) = (invocation.identity.device, invocation.method);
        self.record(HubEvent::DirectMethodInvoked { device, method, outcome }, now);
        self.results.push_back((ticket, MethodResult::Answered { status, payload: answer_body(body) }));
    }

    /// 400027 is documented for a device that connects once more. That any other end is 404104 is decided: Microsoft
    /// calls the code an answer of 404, and says of a method only that the device was unavailable.
    fn cut_off_methods(&mut self, identity: &ClientIdentity, reason: CloseReason, now: Now) {
        for (ticket, invocation) in self.invocations.cut_off(identity) {
            self.timers.clear(invocation.deadline, CoreTimer::Method(ticket));
            let (device, method) = (invocation.identity.device, invocation.method);
            let why = match reason {
                CloseReason::TakenOver => HubError::ConnectionForcefullyClosedOnNewConnection(device.clone()),
                _ => HubError::DeviceConnectionClosedRemotely(device.clone()),
            };
            let outcome = MethodOutcome::ConnectionClosed { code: why.code() };
            self.record(HubEvent::DirectMethodInvoked { device, method, outcome }, now);
            self.results.push_back((ticket, MethodResult::ConnectionClosed(why)));
        }
    }

    pub(super) fn time_out_method(&mut self, ticket: MethodTicket, now: Now) {
        let Some(invocation) = self.invocations.time_out(ticket) else { return };
        let (device, method) = (invocation.identity.device, invocation.method);
        let outcome = MethodOutcome::TimedOut;
        self.record(HubEvent::DirectMethodInvoked { device, method, outcome }, now);
        self.results.push_back((ticket, MethodResult::TimedOut));
    }

    /// Tells an adapter about something, if the identity is connected.
    pub(super) fn notify(&mut self, identity: &ClientIdentity, notice: Notice) {
        if self.presence.contains_key(identity) {
            self.notices.push_back(notice);
        }
    }
}

/// Null when empty, a string when it is not JSON.
fn answer_body(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
}
