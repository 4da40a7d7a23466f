//! The device-facing half of the core: connecting, telemetry, twin, methods and cloud-to-device messages,
//! as requests of an authenticated identity.

use hilarm_model::{
    DeviceId, HubEvent, MethodOutcome, Now, Protocol, RefusalCause, TwinSection, UsedAuthentication,
};
use serde_json::Value;

use super::auth::{Presented, authenticate};
use super::cloud_to_device::{CloudToDeviceMessage, LockToken, Relock};
use super::message::{DeviceMessage, MessageClass};
use super::registry::ClientIdentity;
use super::twin::InvalidPatch;
use super::{Core, CoreTimer, Notice, Presence};
use crate::security_message;
use crate::service::{MethodResult, MethodTicket};

/// What became of a message that an adapter wants to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redelivery {
    /// Locked again: send it.
    Send(CloudToDeviceMessage),
    /// A delivery is still out.
    Held,
    /// Completed, purged or expired.
    Gone,
}

impl Core {
    pub(crate) fn authenticate(
        &self,
        identity: &ClientIdentity,
        presented: Presented<'_>,
        now: Now,
    ) -> Result<UsedAuthentication, Vec<RefusalCause>> {
        authenticate(&self.registry, &self.config.host, identity, presented, now.unix)
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

    /// The identity went away; deliveries that were out are free again.
    pub(crate) fn disconnected(&mut self, identity: &ClientIdentity) {
        self.presence.remove(identity);
        if identity.module.is_none()
            && let Some(queue) = self.queues.get_mut(&identity.device)
        {
            queue.unlock_all();
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

    /// Merges reported properties; their new version comes back.
    pub(crate) fn patch_reported(
        &mut self,
        identity: &ClientIdentity,
        patch: &[u8],
        now: Now,
    ) -> Result<u64, InvalidPatch> {
        let patch = serde_json::from_slice(patch).map_err(|_| InvalidPatch::NotJson)?;
        let version = self.twins.entry(identity.clone()).or_default().reported.patch(&patch)?;
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
        let outcome = MethodOutcome::Answered { status };
        let (device, method) = (invocation.identity.device, invocation.method);
        self.record(HubEvent::DirectMethodInvoked { device, method, outcome }, now);
        self.results.push_back((ticket, MethodResult::Answered { status, payload: answer_body(body) }));
    }

    pub(super) fn time_out_method(&mut self, ticket: MethodTicket, now: Now) {
        let Some(invocation) = self.invocations.time_out(ticket) else { return };
        let (device, method) = (invocation.identity.device, invocation.method);
        let outcome = MethodOutcome::TimedOut;
        self.record(HubEvent::DirectMethodInvoked { device, method, outcome }, now);
        self.results.push_back((ticket, MethodResult::TimedOut));
    }

    /// Hands the next waiting message to the device and locks it.
    pub(crate) fn deliver_next(
        &mut self,
        identity: &ClientIdentity,
        protocol: Protocol,
        now: Now,
    ) -> Option<(LockToken, CloudToDeviceMessage)> {
        let until = now.mono + self.config.lock_timeout;
        let (token, message) = self.queues.get_mut(&identity.device)?.lock_next(until)?;
        let message = message.clone();
        self.delivered(identity, token, &message, protocol, now);
        Some((token, message))
    }

    /// Locks a message that was delivered before and not completed, to hand it over again.
    pub(crate) fn deliver_again(
        &mut self,
        identity: &ClientIdentity,
        token: LockToken,
        protocol: Protocol,
        now: Now,
    ) -> Redelivery {
        let until = now.mono + self.config.lock_timeout;
        let Some(queue) = self.queues.get_mut(&identity.device) else { return Redelivery::Gone };
        let message = match queue.lock_again(token, until) {
            Relock::Gone => return Redelivery::Gone,
            Relock::Held => return Redelivery::Held,
            Relock::Locked(message) => message.clone(),
        };
        self.delivered(identity, token, &message, protocol, now);
        Redelivery::Send(message)
    }

    fn delivered(
        &mut self,
        identity: &ClientIdentity,
        token: LockToken,
        message: &CloudToDeviceMessage,
        protocol: Protocol,
        now: Now,
    ) {
        let device = identity.device.clone();
        self.timers.set(now.mono + self.config.lock_timeout, CoreTimer::Lock(device.clone(), token));
        let message_id = message.message_id.clone();
        self.record(HubEvent::CloudToDeviceDelivered { device, message_id, protocol }, now);
    }

    /// The device is done with a message; nothing happens when it expired or was purged meanwhile.
    pub(crate) fn complete(&mut self, identity: &ClientIdentity, token: LockToken, now: Now) {
        let device = identity.device.clone();
        let completed = self.queues.get_mut(&device).and_then(|queue| queue.complete(token));
        if let Some(message) = completed {
            self.timers.clear_calendar(message.expiry, CoreTimer::Expiry(device.clone(), token));
            let message_id = message.message_id;
            self.record(HubEvent::CloudToDeviceCompleted { device, message_id }, now);
        }
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
