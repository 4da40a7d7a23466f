//! CONNECT: who the client claims to be, whether it may be that, and what follows from it.

use std::time::Duration;

use hilarm_model::{
    CloseReason, ConnectionId, ConnectionRefused, HubEvent, Now, Protocol, RefusalCause, UsedAuthentication,
};

use super::codec::{Connect, ConnectReturnCode, encode};
use super::session::Session;
use super::topic::Subscription;
use super::{Client, Ending, Mqtt, MqttTimer, OwnedWill, topic, user_name};
use crate::core::Core;
use crate::core::auth::Presented;
use crate::core::registry::ClientIdentity;
use crate::core::throttle::Throttled;
use crate::hub::Output;

impl Mqtt {
    pub(super) fn connect(
        &mut self,
        core: &mut Core,
        id: ConnectionId,
        connect: &Connect<'_>,
        now: Now,
    ) -> Result<(), Ending> {
        let claimed = user_name::identity(connect.client_id);
        let outcome = self.authenticate(core, id, claimed.as_ref(), connect, now).and_then(|used| {
            let admitted = core.admit(Throttled::Connection, 0, now);
            admitted.map(|()| used).map_err(|_| vec![RefusalCause::Throttled])
        });
        match (claimed, outcome) {
            (Some(identity), Ok(used)) => {
                self.accept(core, id, identity, connect, used, now);
                Ok(())
            }
            (claimed, outcome) => {
                let causes = outcome.err().unwrap_or_default();
                let throttled = causes.contains(&RefusalCause::Throttled);
                let code = if throttled {
                    ConnectReturnCode::ServerUnavailable
                } else {
                    ConnectReturnCode::NotAuthorized
                };
                Err(self.refuse(core, id, claimed.as_ref(), causes, code, now))
            }
        }
    }

    fn authenticate(
        &self,
        core: &Core,
        id: ConnectionId,
        claimed: Option<&ClientIdentity>,
        connect: &Connect<'_>,
        now: Now,
    ) -> Result<UsedAuthentication, Vec<RefusalCause>> {
        let malformed = |reason: &str| vec![RefusalCause::UserNameMalformed { reason: reason.into() }];
        let connection = self.connections.get(&id);
        if connection.is_some_and(|connection| !core.admits(connection.facts.address.ip())) {
            return Err(vec![RefusalCause::IpFiltered]);
        }
        let identity = claimed.ok_or_else(|| malformed("the client id names no identity"))?;
        user_name::check(connect.user_name, &core.config.host, connect.client_id).map_err(malformed)?;
        let chain = connection.map_or(&[][..], |connection| &connection.facts.client_chain);
        core.authenticate(identity, Presented { token: connect.password, chain }, now)
    }

    fn accept(
        &mut self,
        core: &mut Core,
        id: ConnectionId,
        identity: ClientIdentity,
        connect: &Connect<'_>,
        used: UsedAuthentication,
        now: Now,
    ) {
        if let Some(&older) = self.online.get(&identity) {
            self.close(core, older, CloseReason::TakenOver, now);
        }
        let session_present = self.open_session(core, &identity, connect.clean_session);
        self.online.insert(identity.clone(), id);
        self.install_client(core, id, identity.clone(), connect, &used, now);
        let bytes = encode::connack(session_present, ConnectReturnCode::Accepted);
        self.outputs.push_back(Output::Send { connection: id, bytes });
        self.record_accepted(core, id, &identity, used, session_present, now);
        self.deliver_waiting(core, &identity, now);
    }

    /// Takes the stored session up, or begins a new one; true when it was taken up.
    fn open_session(&mut self, core: &mut Core, identity: &ClientIdentity, clean: bool) -> bool {
        let stored = if clean { None } else { self.sessions.remove(identity) };
        let session_present = stored.is_some();
        let session: Session = stored.unwrap_or_default();
        core.connected(identity.clone(), Protocol::Mqtt);
        core.listens_for_methods(identity, session.granted(Subscription::Methods).is_some());
        self.sessions.insert(identity.clone(), session);
        session_present
    }

    fn install_client(
        &mut self,
        core: &Core,
        id: ConnectionId,
        identity: ClientIdentity,
        connect: &Connect<'_>,
        used: &UsedAuthentication,
        now: Now,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let silence_max = silence_max(connect.keep_alive_s, core.config.keep_alive_cap);
        let token_timer = match used {
            UsedAuthentication::Sas { expiry } => Some(*expiry + core.config.sas_grace),
            UsedAuthentication::X509 { .. } => None,
        };
        self.timers.clear(connection.silence_timer, MqttTimer::Silence(id));
        connection.silence_timer = now.mono + silence_max;
        self.timers.set(connection.silence_timer, MqttTimer::Silence(id));
        if let Some(at) = token_timer {
            self.timers.set_calendar(at, MqttTimer::Token(id));
        }
        // Judged; a session of days need not hold it.
        connection.facts.client_chain = Vec::new();
        connection.client = Some(Client {
            events_topic: topic::events(&identity),
            identity,
            clean_session: connect.clean_session,
            silence_max,
            token_timer,
            will: connect.will.as_ref().map(|will| OwnedWill {
                topic: will.topic.to_owned(),
                payload: will.payload.to_vec(),
                retain: will.retain,
            }),
        });
    }

    fn record_accepted(
        &self,
        core: &mut Core,
        id: ConnectionId,
        identity: &ClientIdentity,
        authentication: UsedAuthentication,
        session_present: bool,
        now: Now,
    ) {
        let Some(connection) = self.connections.get(&id) else { return };
        let event = HubEvent::ConnectionAccepted {
            connection: id,
            device: identity.device.clone(),
            module: identity.module.clone(),
            protocol: Protocol::Mqtt,
            peer: connection.facts.address,
            authentication,
            tls: connection.facts.version,
            session_present,
        };
        core.record(event, now);
    }

    pub(super) fn refuse_level(&mut self, core: &mut Core, id: ConnectionId, level: u8, now: Now) -> Ending {
        let causes = vec![RefusalCause::ProtocolLevel { level }];
        self.refuse(core, id, None, causes, ConnectReturnCode::UnacceptableProtocolLevel, now)
    }

    /// Tells the client no more than the return code; the causes are recorded.
    fn refuse(
        &mut self,
        core: &mut Core,
        id: ConnectionId,
        claimed: Option<&ClientIdentity>,
        causes: Vec<RefusalCause>,
        code: ConnectReturnCode,
        now: Now,
    ) -> Ending {
        if let Some(connection) = self.connections.get(&id) {
            let bytes = encode::connack(false, code);
            self.outputs.push_back(Output::Send { connection: id, bytes });
            let event = HubEvent::ConnectionRefused(ConnectionRefused {
                connection: id,
                device: claimed.map(|identity| identity.device.clone()),
                registered: claimed.is_some_and(|identity| core.is_registered(identity)),
                protocol: Protocol::Mqtt,
                peer: connection.facts.address,
                causes,
            });
            core.record(event, now);
        }
        Ending::Closed(CloseReason::Refused)
    }
}

/// One and a half keep-alive intervals, at most the cap; a client that asks for none gets the cap.
fn silence_max(keep_alive_s: u16, cap: Duration) -> Duration {
    match keep_alive_s {
        0 => cap,
        asked => (Duration::from_secs(u64::from(asked)) * 3 / 2).min(cap),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_one_and_a_half_intervals_up_to_the_cap() {
        let cap = Duration::from_secs(1767);
        assert_eq!(silence_max(61, cap), Duration::from_millis(91_500));
        assert_eq!(silence_max(1200, cap), cap);
        assert_eq!(silence_max(0, cap), cap);
    }
}
