//! What outlives a connection: publications that wait, and those whose PUBACK is still out (4.1, 4.4).

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::packet::Qos;

/// Publications sent and not yet acknowledged.
pub(super) const IN_FLIGHT_MAX: usize = 8;
/// Publications that wait; beyond it the oldest is dropped.
pub(super) const QUEUE_MAX: usize = 256;

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    /// Topic.
    pub(crate) topic: String,
    /// Payload.
    pub(crate) payload: Vec<u8>,
    /// Quality of service.
    pub(crate) qos: Qos,
    /// The publisher's own mark, which comes back with the acknowledgement.
    pub(crate) tag: u32,
}

pub(super) struct InFlight {
    pub(super) id: u16,
    pub(super) publication: Publication,
}

#[derive(Default)]
pub(super) struct Session {
    last_id: u16,
    in_flight: VecDeque<InFlight>,
    queue: VecDeque<Publication>,
}

impl Session {
    /// Waits in the queue; the publication dropped for it, if the queue was full.
    pub(super) fn enqueue(&mut self, publication: Publication) -> Option<Publication> {
        let dropped = if self.queue.len() >= QUEUE_MAX { self.queue.pop_front() } else { None };
        self.queue.push_back(publication);
        dropped
    }

    /// Moves the first of the queue in flight, if the window has room.
    pub(super) fn launch(&mut self) -> Option<Launched> {
        if self.in_flight.len() >= IN_FLIGHT_MAX {
            return None;
        }
        let publication = self.queue.pop_front()?;
        if publication.qos == Qos::AtMostOnce {
            return Some(Launched { id: None, publication });
        }
        let id = self.next_id();
        self.in_flight.push_back(InFlight { id, publication: publication.clone() });
        Some(Launched { id: Some(id), publication })
    }

    /// The publication that a PUBACK completes.
    pub(super) fn acknowledge(&mut self, id: u16) -> Option<Publication> {
        let index = self.in_flight.iter().position(|in_flight| in_flight.id == id)?;
        self.in_flight.remove(index).map(|in_flight| in_flight.publication)
    }

    /// What to send again after a reconnection, in the order of the first sending.
    pub(super) fn in_flight(&self) -> impl ExactSizeIterator<Item = &InFlight> {
        self.in_flight.iter()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// A packet identifier not in use.
    pub(super) fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self.in_flight.iter().all(|in_flight| in_flight.id != self.last_id) {
                return self.last_id;
            }
        }
    }
}

/// A publication on its way out.
pub(super) struct Launched {
    /// Packet identifier at QoS 1.
    pub(super) id: Option<u16>,
    pub(super) publication: Publication,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(tag: u32) -> Publication {
        Publication { topic: String::new(), payload: Vec::new(), qos: Qos::AtLeastOnce, tag }
    }

    #[test]
    fn the_window_holds_eight_and_an_acknowledgement_makes_room() {
        let mut session = Session::default();
        for tag in 0..10 {
            session.enqueue(publication(tag));
        }
        let ids: Vec<_> = core::iter::from_fn(|| session.launch()).filter_map(|sent| sent.id).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(session.acknowledge(3).map(|publication| publication.tag), Some(2));
        assert_eq!(session.acknowledge(3), None);
        assert_eq!(session.launch().and_then(|sent| sent.id), Some(9));
    }

    #[test]
    fn a_full_queue_drops_its_oldest() {
        let mut session = Session::default();
        for tag in 0..QUEUE_MAX as u32 {
            assert_eq!(session.enqueue(publication(tag)), None);
        }
        assert_eq!(session.enqueue(publication(999)).map(|dropped| dropped.tag), Some(0));
        assert_eq!(session.queued(), QUEUE_MAX);
    }

    #[test]
    fn identifiers_wrap_past_zero_and_past_those_in_flight() {
        let mut session = Session { last_id: u16::MAX - 1, ..Session::default() };
        session.enqueue(publication(0));
        session.enqueue(publication(1));
        assert_eq!(session.launch().and_then(|sent| sent.id), Some(u16::MAX));
        assert_eq!(session.launch().and_then(|sent| sent.id), Some(1));
        session.last_id = u16::MAX - 1;
        assert_eq!(session.next_id(), 2);
    }
}
