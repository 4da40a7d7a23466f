//! What a detection may do while it looks at an event: read the registry, say that it considered the
//! event, raise an alert. It can do nothing else, which keeps detections small and the fold pure.

use hilarm_model::{DeviceId, Timestamp};

use crate::alert::{Facts, Subject};
use crate::detection::Detection;
use crate::ledger::{Ledger, Position};
use crate::roster::{RegisteredKind, Roster};

/// One event before one detection.
#[derive(Debug)]
pub struct Judgement<'a> {
    pub(crate) detection: &'static Detection,
    pub(crate) roster: &'a mut Roster,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) considered: &'a mut u64,
    pub(crate) position: Position,
    /// Monitoring has started; before, nothing counts.
    pub(crate) monitoring: bool,
}

impl Judgement<'_> {
    /// Hub time of the event.
    pub fn at(&self) -> Timestamp {
        self.position.at
    }

    /// How the device must authenticate, `None` when it is not in the identity registry.
    pub fn registered(&self, device: &DeviceId) -> Option<RegisteredKind> {
        let index = self.roster.find(device)?;
        self.roster.get(index)?.registered
    }

    /// The event is of the detection's triggering kind, whether or not it fires.
    pub fn consider(&mut self) {
        *self.considered += u64::from(self.monitoring);
    }

    /// Raises an alert on a device, or extends the one that is open for (detection, device, subject).
    /// `facts` runs only when a new alert opens.
    pub fn raise(&mut self, device: &DeviceId, subject: Option<Subject>, facts: impl FnOnce(&mut Facts)) {
        if self.monitoring {
            let index = self.roster.intern(device);
            self.ledger.hit(self.detection, (index, device), subject, self.position, facts);
        }
    }
}
