//! What the broker remembers of one client: subscriptions, and messages that wait for them. A model of
//! rumqttd 0.20's router, deviations from MQTT included, used only to count what the router will send.
//! Where the router's order is open, it counts too little: an uncounted answer is passed on when it comes.

use std::collections::{BTreeMap, VecDeque};

use rumqttd::protocol::QoS;

use crate::frames::Reply;

/// Unacknowledged messages that the router sends ahead on one connection.
const INFLIGHT_MAX: usize = 100;
/// What it reads for a QoS 0 subscription at once (`max_outgoing_packet_count`).
const QOS0_BATCH: usize = 200;

/// A client's session.
#[derive(Debug, Default)]
pub(crate) struct Session {
    subscriptions: BTreeMap<String, Subscription>,
    /// Sent and not acknowledged: packet id, and the filter unless it was a retained message.
    inflight: VecDeque<(u16, Option<String>)>,
    last_packet_id: u16,
    /// QoS 2 out: PUBRELs without a PUBCOMP.
    pubrels: VecDeque<u16>,
    /// Answers that the router withholds while the client acknowledges nothing.
    withheld: Vec<Reply>,
}

#[derive(Debug)]
struct Subscription {
    acknowledged: bool,
    backlog: usize,
    /// Subscribed on this connection: the router does not find a restored one again when it is to be removed.
    on_this_connection: bool,
}

impl Session {
    /// The router restores the session on a new connection; the answers that come at once.
    pub(crate) fn resume(&mut self) -> Vec<Reply> {
        for (_, filter) in std::mem::take(&mut self.inflight) {
            if let Some(subscription) = filter.and_then(|f| self.subscriptions.get_mut(&f)) {
                subscription.backlog += 1;
            }
        }
        self.last_packet_id = 0;
        self.withheld.clear();
        for subscription in self.subscriptions.values_mut() {
            subscription.on_this_connection = false;
        }
        let mut replies = vec![Reply::PubRel; self.pubrels.len()];
        replies.extend(self.forward());
        replies
    }

    /// A SUBSCRIBE to one filter. `retained` is the number of retained messages that match it.
    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS, retained: usize) -> Vec<Reply> {
        if let Some(known) = self.subscriptions.get_mut(filter) {
            known.on_this_connection = true;
            return Vec::new();
        }
        let acknowledged = qos != QoS::AtMostOnce;
        let subscription = Subscription { acknowledged, backlog: 0, on_this_connection: true };
        self.subscriptions.insert(filter.to_owned(), subscription);
        let room = if acknowledged { INFLIGHT_MAX - self.inflight.len() } else { QOS0_BATCH };
        let sent = retained.min(room);
        if acknowledged {
            (0..sent).for_each(|_| self.sent(None));
        }
        vec![Reply::Publish; sent]
    }

    /// An UNSUBSCRIBE from one filter; whether the router answers.
    pub(crate) fn unsubscribe(&mut self, filter: &str) -> bool {
        let found = self.subscriptions.get(filter).is_some_and(|s| s.on_this_connection);
        if found {
            self.subscriptions.remove(filter);
        }
        found
    }

    /// A message was published; it waits for every subscription that matches, once each.
    pub(crate) fn offer(&mut self, matches: impl Fn(&str) -> bool) {
        for (_, subscription) in self.subscriptions.iter_mut().filter(|(filter, _)| matches(filter)) {
            subscription.backlog += 1;
        }
    }

    /// What the router sends now of the messages that wait.
    pub(crate) fn forward(&mut self) -> Vec<Reply> {
        if self.stalled() {
            return Vec::new();
        }
        let mut count = 0;
        let mut acknowledged = Vec::new();
        for (filter, subscription) in &mut self.subscriptions {
            if subscription.acknowledged {
                let room = INFLIGHT_MAX - self.inflight.len() - acknowledged.len();
                let sent = subscription.backlog.min(room);
                subscription.backlog -= sent;
                acknowledged.extend(std::iter::repeat_n(filter.clone(), sent));
            } else {
                count += std::mem::take(&mut subscription.backlog);
            }
        }
        count += acknowledged.len();
        acknowledged.into_iter().for_each(|filter| self.sent(Some(filter)));
        vec![Reply::Publish; count]
    }

    /// An answer to the client's own packet, unless the router withholds it.
    pub(crate) fn answer(&mut self, reply: Reply) -> Vec<Reply> {
        if self.stalled() {
            self.withheld.push(reply);
            return Vec::new();
        }
        vec![reply]
    }

    /// A PUBACK or PUBREC. Nothing when the router ends the connection over it: it takes them in order only.
    pub(crate) fn acknowledge(&mut self, packet_id: u16) -> Option<Vec<Reply>> {
        (self.inflight.pop_front()?.0 == packet_id).then_some(())?;
        let mut replies = std::mem::take(&mut self.withheld);
        replies.extend(self.forward());
        Some(replies)
    }

    /// A PUBREC that [`Self::acknowledge`] accepted is answered by PUBREL and waits for PUBCOMP.
    pub(crate) fn release(&mut self, packet_id: u16) {
        self.pubrels.push_back(packet_id);
    }

    /// A PUBCOMP; whether the router accepts it.
    pub(crate) fn complete(&mut self, packet_id: u16) -> bool {
        self.pubrels.pop_front() == Some(packet_id)
    }

    /// With its window full and more to send, the router leaves the connection alone until an acknowledgement.
    fn stalled(&self) -> bool {
        self.inflight.len() >= INFLIGHT_MAX
            && self.subscriptions.values().any(|s| s.acknowledged && s.backlog > 0)
    }

    fn sent(&mut self, filter: Option<String>) {
        self.last_packet_id = self.last_packet_id % INFLIGHT_MAX as u16 + 1;
        self.inflight.push_back((self.last_packet_id, filter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribed(qos: QoS) -> Session {
        let mut session = Session::default();
        session.subscribe("orders/#", qos, 0);
        session
    }

    #[test]
    fn a_second_subscription_to_a_filter_brings_no_retained_message_again() {
        let mut session = Session::default();
        assert_eq!(session.subscribe("orders/#", QoS::AtMostOnce, 1), [Reply::Publish]);
        assert_eq!(session.subscribe("orders/#", QoS::AtMostOnce, 1), []);
    }

    #[test]
    fn the_window_holds_back_after_a_hundred_unacknowledged_messages() {
        let mut session = subscribed(QoS::AtLeastOnce);
        (0..101).for_each(|_| session.offer(|_| true));
        assert_eq!(session.forward().len(), 100);
        assert_eq!(session.answer(Reply::PingResp), []);
        assert_eq!(session.acknowledge(1), Some(vec![Reply::PingResp, Reply::Publish]));
    }

    #[test]
    fn an_acknowledgement_out_of_order_is_refused() {
        let mut session = subscribed(QoS::AtLeastOnce);
        (0..2).for_each(|_| session.offer(|_| true));
        session.forward();
        assert_eq!(session.acknowledge(2), None);
    }

    #[test]
    fn a_resumed_session_gets_what_it_missed_and_what_it_never_acknowledged() {
        let mut session = subscribed(QoS::AtLeastOnce);
        session.offer(|_| true);
        session.forward();
        session.offer(|_| true);
        assert_eq!(session.resume(), [Reply::Publish; 2]);
        assert!(!session.unsubscribe("orders/#"), "the router does not find a restored subscription");
    }
}
