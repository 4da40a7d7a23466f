//! Direct methods that are under way: invoked, and neither answered nor timed out.

use std::collections::BTreeMap;

use hilarm_model::Monotonic;

use super::registry::ClientIdentity;
use crate::service::MethodTicket;

/// One invocation under way.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) identity: ClientIdentity,
    pub(crate) method: String,
    pub(crate) deadline: Monotonic,
}

/// All invocations under way. Tickets begin at a seeded number, so that they are no counter of the hub's.
#[derive(Debug)]
pub(crate) struct Invocations {
    under_way: BTreeMap<MethodTicket, Invocation>,
    next: u64,
}

impl Invocations {
    pub(crate) fn new(first: u32) -> Self {
        Self { under_way: BTreeMap::new(), next: u64::from(first) }
    }

    pub(crate) fn start(&mut self, invocation: Invocation) -> MethodTicket {
        self.next += 1;
        let ticket = MethodTicket(self.next);
        self.under_way.insert(ticket, invocation);
        ticket
    }

    /// An answer ends an invocation only when it comes from the identity that was asked.
    pub(crate) fn answer(&mut self, ticket: MethodTicket, from: &ClientIdentity) -> Option<Invocation> {
        let asked = self.under_way.get(&ticket).is_some_and(|invocation| invocation.identity == *from);
        if asked { self.under_way.remove(&ticket) } else { None }
    }

    /// Ends everything that the identity was asked and did not answer.
    pub(crate) fn cut_off(&mut self, from: &ClientIdentity) -> Vec<(MethodTicket, Invocation)> {
        self.under_way.extract_if(.., |_, invocation| invocation.identity == *from).collect()
    }

    pub(crate) fn time_out(&mut self, ticket: MethodTicket) -> Option<Invocation> {
        self.under_way.remove(&ticket)
    }
}

#[cfg(test)]
mod tests {
    use hilarm_model::DeviceId;

    use super::*;

    fn identity(device: &str) -> ClientIdentity {
        ClientIdentity { device: DeviceId::new(device).unwrap(), module: None }
    }

    fn invocation() -> Invocation {
        Invocation { identity: identity("pump-1"), method: "stop".into(), deadline: Monotonic::default() }
    }

    #[test]
    fn an_answer_counts_once_and_only_from_the_device_that_was_asked() {
        let mut invocations = Invocations::new(7);
        let ticket = invocations.start(invocation());
        assert!(invocations.answer(ticket, &identity("pump-2")).is_none());
        assert!(invocations.answer(ticket, &identity("pump-1")).is_some());
        assert!(invocations.answer(ticket, &identity("pump-1")).is_none());
    }

    #[test]
    fn a_late_answer_finds_nothing() {
        let mut invocations = Invocations::new(0);
        let ticket = invocations.start(invocation());
        assert!(invocations.time_out(ticket).is_some());
        assert!(invocations.answer(ticket, &identity("pump-1")).is_none());
    }
}
