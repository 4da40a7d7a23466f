//! Who asks: what a request and its connection present, judged anew for every request.

use hilarm_model::{
    ConnectionId, ConnectionRefused, HubEvent, Now, Protocol, RefusalCause, UsedAuthentication,
};

use super::head::Head;
use super::refusal::Refusal;
use super::{Connection, Https};
use crate::core::Core;
use crate::core::auth::Presented;
use crate::core::registry::ClientIdentity;

impl Https {
    /// Judges what the request and its connection present; records whom the connection lets in first.
    pub(super) fn authorize(
        &mut self,
        core: &mut Core,
        id: ConnectionId,
        identity: &ClientIdentity,
        head: &Head,
        now: Now,
    ) -> Result<(), Refusal> {
        let Some(connection) = self.connections.get_mut(&id) else { return Err(Refusal::Unauthorized) };
        let token = head.field("authorization").map(str::as_bytes);
        let presented = Presented { token, chain: &connection.facts.client_chain };
        let judged = if core.admits(connection.facts.address.ip()) {
            core.authenticate(identity, presented, now)
        } else {
            Err(vec![RefusalCause::IpFiltered])
        };
        match judged {
            Ok(used) => {
                core.uses(&identity.device, Protocol::Https);
                if connection.identity.as_ref() != Some(identity) {
                    connection.identity = Some(identity.clone());
                    core.record(accepted(id, connection, identity, used), now);
                }
                Ok(())
            }
            Err(causes) => {
                let event = HubEvent::ConnectionRefused(ConnectionRefused {
                    connection: id,
                    device: Some(identity.device.clone()),
                    registered: core.is_registered(identity),
                    protocol: Protocol::Https,
                    peer: connection.facts.address,
                    causes,
                });
                core.record(event, now);
                Err(Refusal::Unauthorized)
            }
        }
    }
}

fn accepted(
    id: ConnectionId,
    connection: &Connection,
    identity: &ClientIdentity,
    authentication: UsedAuthentication,
) -> HubEvent {
    HubEvent::ConnectionAccepted {
        connection: id,
        device: identity.device.clone(),
        module: identity.module.clone(),
        protocol: Protocol::Https,
        peer: connection.facts.address,
        authentication,
        tls: connection.facts.version,
        session_present: false,
    }
}
