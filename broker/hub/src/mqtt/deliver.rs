//! What the hub sends on its own: cloud-to-device messages, desired properties, direct methods, and the
//! end of connections whose identity changed.

use hilarm_model::{CloseReason, ConnectionId, DeviceId, Now, Protocol};

use super::codec::{QoS, encode};
use super::topic::Subscription;
use super::{Mqtt, property_bag, topic};
use crate::core::cloud_to_device::CloudToDeviceMessage;
use crate::core::registry::ClientIdentity;
use crate::core::{Core, Notice, Redelivery};

impl Mqtt {
    /// Carries a notice of the core out.
    pub(crate) fn handle_notice(&mut self, core: &mut Core, notice: Notice, now: Now) {
        match notice {
            Notice::DesiredChanged { identity, body, version } => {
                if let Some((connection, _)) = self.listener(&identity, Subscription::DesiredChanges) {
                    let topic = topic::desired_changed(version);
                    self.send(connection, encode::publish(&topic, body.to_string().as_bytes()));
                }
            }
            Notice::MethodInvoked { identity, ticket, method, payload } => {
                if let Some((connection, _)) = self.listener(&identity, Subscription::Methods) {
                    let topic = topic::method(&method, ticket.0);
                    self.send(connection, encode::publish(&topic, &payload));
                }
            }
            Notice::CloudToDeviceWaiting { device } => {
                self.deliver_waiting(core, &ClientIdentity { device, module: None }, now);
            }
            Notice::IdentityChanged { device } => self.close_device(core, &device, now),
            Notice::ModuleChanged { identity } => self.close_identity(core, &identity, now),
            Notice::ModuleDeleted { identity } => {
                self.close_identity(core, &identity, now);
                self.sessions.remove(&identity);
            }
            Notice::IdentityDeleted { device } => {
                self.close_device(core, &device, now);
                self.sessions.retain(|identity, _| identity.device != device);
            }
        }
    }

    fn close_identity(&mut self, core: &mut Core, identity: &ClientIdentity, now: Now) {
        if let Some(&connection) = self.online.get(identity) {
            self.close(core, connection, CloseReason::IdentityChanged, now);
        }
    }

    fn close_device(&mut self, core: &mut Core, device: &DeviceId, now: Now) {
        let connections: Vec<ConnectionId> = self
            .online
            .range(ClientIdentity { device: device.clone(), module: None }..)
            .take_while(|(identity, _)| identity.device == *device)
            .map(|(_, connection)| *connection)
            .collect();
        for connection in connections {
            self.close(core, connection, CloseReason::IdentityChanged, now);
        }
    }

    /// Sends every message that waits for the device: first what was sent before and not acknowledged, with
    /// DUP and its old identifier, then what is new.
    pub(super) fn deliver_waiting(&mut self, core: &mut Core, identity: &ClientIdentity, now: Now) {
        let Some((connection, qos)) = self.listener(identity, Subscription::CloudToDevice) else { return };
        let Some(session) = self.sessions.get_mut(identity) else { return };
        let mut packets = Vec::new();
        for (id, token) in session.in_flight() {
            match core.deliver_again(identity, token, Protocol::Mqtt, now) {
                Redelivery::Send(message) => {
                    let topic = message_topic(identity, &message);
                    packets.push(encode::publish_at_least_once(&topic, id, true, &message.payload));
                }
                Redelivery::Held => {}
                Redelivery::Gone => {
                    session.end_delivery(id);
                }
            }
        }
        while let Some((token, message)) = core.deliver_next(identity, Protocol::Mqtt, now) {
            let topic = message_topic(identity, &message);
            let id = if qos == QoS::AtMostOnce { None } else { session.begin_delivery(token) };
            match id {
                Some(id) => {
                    packets.push(encode::publish_at_least_once(&topic, id, false, &message.payload));
                }
                None => {
                    packets.push(encode::publish(&topic, &message.payload));
                    core.complete(identity, token, now);
                }
            }
        }
        packets.into_iter().for_each(|bytes| self.send(connection, bytes));
    }
}

/// The topic with its bag: message id and address first, then the application's properties.
fn message_topic(identity: &ClientIdentity, message: &CloudToDeviceMessage) -> String {
    let to = format!("/devices/{}/messages/devicebound", identity.device);
    let system = [("$.mid", message.message_id.as_str()), ("$.to", to.as_str())];
    let application = message.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    topic::device_bound(&identity.device, &property_bag::write(system.into_iter().chain(application)))
}
