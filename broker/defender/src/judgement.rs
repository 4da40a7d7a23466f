//! What a detection may do while it looks at an event: read the registry, say that it considered the
//! event, raise an alert. It can do nothing else, which keeps detections small and the fold pure.

use std::sync::Arc;

use hilarm_model::{DeviceId, Timestamp};

use crate::alert::{Facts, Subject};
use crate::allow_list::Allowed;
use crate::detection::Trigger;
use crate::ledger::Position;
use crate::roster::{Listening, RegisteredKind};
use crate::rule::Rule;
use crate::state::State;

/// One event before one detection.
#[derive(Debug)]
pub struct Judgement<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) state: &'a mut State,
    pub(crate) considered: &'a mut u64,
    pub(crate) position: Position,
}

impl Judgement<'_> {
    /// Hub time of the event.
    pub fn at(&self) -> Timestamp {
        self.position.at
    }

    /// How the device must authenticate, `None` when it is not in the identity registry.
    pub fn registered(&self, device: &DeviceId) -> Option<RegisteredKind> {
        let index = self.state.roster.find(device)?;
        self.state.roster.get(index)?.registered
    }

    /// What the device's group allows by the rule of this detection, and the name of the group; `None` where
    /// the rule is not enabled.
    pub(crate) fn allow_list(&self, device: &DeviceId) -> Option<(Arc<Allowed>, String)> {
        let Trigger::AllowList { rule, .. } = self.rule.detection.trigger else { return None };
        if !self.state.ranges.is_listed(rule) {
            return None;
        }
        let device = self.state.roster.get(self.state.roster.find(device)?)?;
        let (allowed, group) = self.state.ranges.allow_list(device, rule)?;
        Some((allowed, group.to_owned()))
    }

    /// Ports on which the device listens, as its agent last reported them.
    pub(crate) fn listening(&self, device: &DeviceId) -> &Listening {
        static NONE: Listening = Listening::new();
        let device = self.state.roster.find(device).and_then(|index| self.state.roster.get(index));
        device.map_or(&NONE, |device| &device.rest.listening)
    }

    /// Raises an alert on the hub, as far as hits like this one are alerts of their own.
    pub fn raise_on_hub(&mut self, subject: Option<Subject>, facts: impl FnOnce(&mut Facts)) {
        if self.state.monitoring {
            self.state.ledger.hit(self.rule, None, subject, self.position, facts);
        }
    }

    /// The event is of the detection's triggering kind, whether or not it fires.
    pub fn consider(&mut self) {
        *self.considered += u64::from(self.state.monitoring);
    }

    /// Raises an alert on a device, or extends the one that is open for (detection, device, subject).
    /// `facts` runs only when a new alert opens.
    pub fn raise(&mut self, device: &DeviceId, subject: Option<Subject>, facts: impl FnOnce(&mut Facts)) {
        if self.state.monitoring {
            let index = self.state.roster.intern(device);
            self.state.ledger.hit(self.rule, Some((index, device)), subject, self.position, facts);
        }
    }
}
