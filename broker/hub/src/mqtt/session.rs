//! What the hub remembers of a client between packets and, for clean session 0, between connections:
//! subscriptions with their granted quality of service, and deliveries that await their PUBACK.

use std::collections::BTreeMap;

use super::codec::{PacketId, QoS};
use super::topic::Subscription;
use crate::core::cloud_to_device::LockToken;

/// The session of one identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    subscriptions: BTreeMap<Subscription, QoS>,
    in_flight: BTreeMap<PacketId, LockToken>,
    last_id: u16,
}

impl Session {
    /// Grants a subscription; quality of service 2 becomes 1.
    pub(crate) fn subscribe(&mut self, subscription: Subscription, asked: QoS) -> QoS {
        let granted = asked.min(QoS::AtLeastOnce);
        self.subscriptions.insert(subscription, granted);
        granted
    }

    pub(crate) fn unsubscribe(&mut self, subscription: Subscription) {
        self.subscriptions.remove(&subscription);
    }

    /// The granted quality of service, if the client is subscribed.
    pub(crate) fn granted(&self, subscription: Subscription) -> Option<QoS> {
        self.subscriptions.get(&subscription).copied()
    }

    /// Notes a delivery and gives it a packet identifier that no other delivery holds.
    pub(crate) fn begin_delivery(&mut self, token: LockToken) -> Option<PacketId> {
        let id = (0..u16::MAX).find_map(|_| {
            self.last_id = self.last_id.wrapping_add(1);
            PacketId::new(self.last_id).filter(|id| !self.in_flight.contains_key(id))
        })?;
        self.in_flight.insert(id, token);
        Some(id)
    }

    /// The client acknowledged; an identifier that is not in flight means nothing.
    pub(crate) fn end_delivery(&mut self, id: PacketId) -> Option<LockToken> {
        self.in_flight.remove(&id)
    }

    /// Deliveries that await their PUBACK, in the order of their identifiers.
    pub(crate) fn in_flight(&self) -> Vec<(PacketId, LockToken)> {
        self.in_flight.iter().map(|(id, token)| (*id, *token)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_of_service_two_is_granted_as_one() {
        let mut session = Session::default();
        assert_eq!(session.subscribe(Subscription::Methods, QoS::ExactlyOnce), QoS::AtLeastOnce);
        assert_eq!(session.subscribe(Subscription::Methods, QoS::AtMostOnce), QoS::AtMostOnce);
        session.unsubscribe(Subscription::Methods);
        assert_eq!(session.granted(Subscription::Methods), None);
    }

    #[test]
    fn identifiers_wrap_and_skip_zero_and_those_in_flight() {
        let mut session = Session { last_id: u16::MAX - 1, ..Session::default() };
        let mut next = || session.begin_delivery(LockToken(1)).unwrap().get();
        assert_eq!((next(), next()), (u16::MAX, 1));
        session.last_id = u16::MAX - 1;
        assert_eq!(session.begin_delivery(LockToken(2)).unwrap().get(), 2);
        assert_eq!(session.end_delivery(PacketId::new(2).unwrap()), Some(LockToken(2)));
        assert_eq!(session.end_delivery(PacketId::new(2).unwrap()), None);
    }
}
