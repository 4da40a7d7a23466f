//! Packets of a client that was let in: publishes, subscriptions, acknowledgements, pings, farewell.

use std::collections::{BTreeMap, VecDeque};

use hilarm_model::{CloseReason, ConnectionId, HubEvent, Now, Operation, Protocol};

use super::codec::{Packet, Publish, QoS, Subscribe, Unsubscribe, Violation, encode};
use super::session::Session;
use super::topic::{PublishTopic, Subscription};
use super::{Client, Ending, Mqtt, property_bag, topic};
use crate::core::Core;
use crate::core::message::DeviceMessage;
use crate::core::registry::ClientIdentity;
use crate::core::throttle::Throttled;
use crate::hub::Output;
use crate::service::{HubError, MethodTicket};

/// SUBACK's refusal.
const SUBSCRIPTION_REFUSED: u8 = 0x80;

/// A publish of a client. Its acknowledgement leaves before what it brings about.
pub(super) fn publish(
    core: &mut Core,
    client: &Client,
    sessions: &BTreeMap<ClientIdentity, Session>,
    connection: ConnectionId,
    publish: &Publish<'_>,
    outputs: &mut VecDeque<Output>,
    now: Now,
) -> Result<(), Ending> {
    let identity = &client.identity;
    let Some(meaning) = topic::publish(publish.topic, &client.events_topic) else {
        let operation = Operation::Publish { topic: publish.topic.to_owned() };
        core.record(HubEvent::OperationRefused { device: identity.device.clone(), operation }, now);
        return Err(Ending::Closed(CloseReason::ProtocolViolated));
    };
    if let PublishTopic::Events { .. } = meaning
        && let Err(why) = core.admit(Throttled::Telemetry, publish.payload.len(), now)
    {
        return Err(overdone(core, identity, publish.topic, &why, now));
    }
    if let Some(id) = publish.id {
        outputs.push_back(Output::Send { connection, bytes: encode::puback(id) });
    }
    let response = match meaning {
        PublishTopic::Events { bag } => {
            let mut message = property_bag::message(bag, publish.payload, publish.duplicate);
            mark_retained(&mut message, publish.retain);
            core.receive(identity, Protocol::Mqtt, &message, now);
            None
        }
        PublishTopic::TwinGet { rid } => {
            let bytes = core.metered_twin_bytes(identity);
            Some(match core.admit(Throttled::TwinRead, bytes, now) {
                Ok(()) => {
                    let twin = core.read_twin(identity, now).to_string();
                    core.charge(twin.len(), now);
                    encode::publish(&topic::twin_response(200, rid, None), twin.as_bytes())
                }
                Err(why) => twin_refusal(core, identity, publish.topic, rid, &why, now),
            })
        }
        PublishTopic::TwinPatchReported { rid } => {
            let admitted = core.admit(Throttled::TwinUpdate, publish.payload.len(), now);
            let patched = admitted.and_then(|()| Ok(core.patch_reported(identity, publish.payload, now)?));
            Some(match patched {
                Ok(version) => encode::publish(&topic::twin_response(204, rid, Some(version)), b""),
                Err(why) => twin_refusal(core, identity, publish.topic, rid, &why, now),
            })
        }
        PublishTopic::MethodAnswer { status, rid } => {
            if let Ok(ticket) = u64::from_str_radix(rid, 16) {
                core.answer_method(identity, MethodTicket(ticket), status, publish.payload, now);
            }
            None
        }
    };
    let subscribed = |session: &Session| session.granted(Subscription::TwinResponses).is_some();
    if let Some(bytes) = response.filter(|_| sessions.get(identity).is_some_and(subscribed)) {
        outputs.push_back(Output::Send { connection, bytes });
    }
    Ok(())
}

/// MQTT 3.1.1 has no word for a message that is not taken: it stays without PUBACK, and the connection ends.
fn overdone(core: &mut Core, identity: &ClientIdentity, topic: &str, why: &HubError, now: Now) -> Ending {
    core.request_refused(identity, Operation::Publish { topic: topic.to_owned() }, why.code(), now);
    Ending::Closed(match why {
        HubError::QuotaExceeded { .. } => CloseReason::QuotaExceeded,
        _ => CloseReason::Throttled,
    })
}

/// The answer to a twin request that is refused, which is recorded.
fn twin_refusal(
    core: &mut Core,
    identity: &ClientIdentity,
    topic: &str,
    rid: &str,
    why: &HubError,
    now: Now,
) -> Vec<u8> {
    core.request_refused(identity, Operation::Publish { topic: topic.to_owned() }, why.code(), now);
    let body = serde_json::json!({ "errorCode": why.code(), "message": why.to_string() });
    encode::publish(&topic::twin_response(why.status(), rid, None), body.to_string().as_bytes())
}

/// The hub retains nothing; it passes the wish on.
pub(super) fn mark_retained(message: &mut DeviceMessage<'_>, retain: bool) {
    if retain {
        message.application.push(("mqtt-retain".into(), Some("true".into())));
    }
}

impl Mqtt {
    /// Every packet but CONNECT and PUBLISH.
    pub(super) fn handle_client(
        &mut self,
        core: &mut Core,
        connection: ConnectionId,
        identity: &ClientIdentity,
        packet: Packet<'_>,
        now: Now,
    ) -> Result<(), Ending> {
        match packet {
            Packet::Subscribe(subscribe) => self.subscribe(core, connection, identity, &subscribe, now),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(core, connection, identity, &unsubscribe),
            Packet::PubAck(id) => {
                let token = self.sessions.get_mut(identity).and_then(|session| session.end_delivery(id));
                if let Some(token) = token {
                    core.complete(identity, token, now);
                }
            }
            Packet::PingReq => self.send(connection, encode::pingresp()),
            Packet::Disconnect => return Err(Ending::Closed(CloseReason::Disconnected)),
            Packet::Connect(_) | Packet::ConnectOtherLevel(_) | Packet::Publish(_) => {
                return Err(Violation::SecondConnect.into());
            }
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        core: &mut Core,
        connection: ConnectionId,
        identity: &ClientIdentity,
        subscribe: &Subscribe<'_>,
        now: Now,
    ) {
        let session = self.sessions.entry(identity.clone()).or_default();
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        for &(filter, asked) in &subscribe.filters {
            codes.push(match topic::subscription(filter, identity) {
                Some(subscription) => session.subscribe(subscription, asked) as u8,
                None => {
                    let operation = Operation::Subscribe { filter: filter.to_owned() };
                    let device = identity.device.clone();
                    core.record(HubEvent::OperationRefused { device, operation }, now);
                    SUBSCRIPTION_REFUSED
                }
            });
        }
        core.listens_for_methods(identity, session.granted(Subscription::Methods).is_some());
        self.send(connection, encode::suback(subscribe.id, &codes));
        self.deliver_waiting(core, identity, now);
    }

    fn unsubscribe(
        &mut self,
        core: &mut Core,
        connection: ConnectionId,
        identity: &ClientIdentity,
        unsubscribe: &Unsubscribe<'_>,
    ) {
        let session = self.sessions.entry(identity.clone()).or_default();
        for filter in &unsubscribe.filters {
            if let Some(subscription) = topic::subscription(filter, identity) {
                session.unsubscribe(subscription);
            }
        }
        core.listens_for_methods(identity, session.granted(Subscription::Methods).is_some());
        self.send(connection, encode::unsuback(unsubscribe.id));
    }

    pub(super) fn send(&mut self, connection: ConnectionId, bytes: Vec<u8>) {
        self.outputs.push_back(Output::Send { connection, bytes });
    }

    /// The connection of an identity that is subscribed, and the granted quality of service.
    pub(super) fn listener(
        &self,
        identity: &ClientIdentity,
        subscription: Subscription,
    ) -> Option<(ConnectionId, QoS)> {
        let connection = *self.online.get(identity)?;
        Some((connection, self.sessions.get(identity)?.granted(subscription)?))
    }
}
