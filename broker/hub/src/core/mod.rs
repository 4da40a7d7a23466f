//! The protocol-neutral hub: what a device or a service may ask, whichever protocol carries it. Adapters
//! (`mqtt`) translate packets into these calls and carry [`Notice`]s out. No type of a protocol appears
//! here, and the tests here use none.
//!
//! `device` is the device-facing half; `service` hands requests of the service and management planes to
//! `identities`, `twin_service`, `messages` and `management`, once `rights` has judged the caller. `upload`
//! has the blobs.

pub(crate) mod auth;
pub(crate) mod calendar;
pub(crate) mod cloud_to_device;
mod deliveries;
mod device;
mod identities;
mod inbox;
mod key;
pub(crate) mod management;
pub(crate) mod message;
pub(crate) mod messages;
mod metering;
mod methods;
pub(crate) mod registry;
mod rights;
mod service;
#[cfg(test)]
mod tests;
pub(crate) mod throttle;
pub(crate) mod timers;
mod twin;
mod twin_service;
pub(crate) mod upload;

use std::collections::{BTreeMap, VecDeque};

use hilarm_model::{DeviceId, HubEvent, HubRecord, Monotonic, Now, Protocol};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::auth::Authentication;
use self::cloud_to_device::{CloudToDeviceQueue, LockToken};
use self::inbox::Inbox;
use self::management::Management;
pub(crate) use self::messages::Redelivery;
use self::metering::Metering;
use self::methods::Invocations;
use self::registry::{ClientIdentity, Registry};
use self::timers::Timers;
use self::twin::Twin;
use self::upload::Uploads;
use crate::config::HubConfig;
use crate::service::{Feedback, FileNotification, MethodResult, MethodTicket};

/// What an adapter must carry to a client, or learn about one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    /// Desired properties changed while the identity was connected; the body is the delta and `$version`.
    DesiredChanged { identity: ClientIdentity, body: Value, version: u64 },
    /// A direct method is for a connected identity that listens for methods.
    MethodInvoked { identity: ClientIdentity, ticket: MethodTicket, method: String, payload: Vec<u8> },
    /// Messages may be waiting for a connected device.
    CloudToDeviceWaiting { device: DeviceId },
    /// The device may not stay connected: disabled, deleted or given other credentials.
    IdentityChanged { device: DeviceId },
    /// The module may not stay connected: it was given other credentials.
    ModuleChanged { identity: ClientIdentity },
    /// The module is gone, with everything stored for it.
    ModuleDeleted { identity: ClientIdentity },
    /// The device is gone, with everything stored for it.
    IdentityDeleted { device: DeviceId },
}

/// What the core knows about a connected identity.
#[derive(Clone, Copy, Debug, Default)]
struct Presence {
    listens_for_methods: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CoreTimer {
    Method(MethodTicket),
    Lock(DeviceId, LockToken),
    Expiry(DeviceId, LockToken),
}

/// The protocol-neutral hub.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: HubConfig,
    pub(crate) authentication: Authentication,
    registry: Registry,
    twins: BTreeMap<ClientIdentity, Twin>,
    queues: BTreeMap<DeviceId, CloudToDeviceQueue>,
    invocations: Invocations,
    presence: BTreeMap<ClientIdentity, Presence>,
    last_protocols: BTreeMap<DeviceId, Protocol>,
    management: Management,
    metering: Metering,
    uploads: Uploads,
    feedback: Inbox<Feedback>,
    file_notifications: Inbox<FileNotification>,
    random: ChaCha8Rng,
    timers: Timers<CoreTimer>,
    records: VecDeque<HubRecord>,
    notices: VecDeque<Notice>,
    results: VecDeque<(MethodTicket, MethodResult)>,
}

impl Core {
    pub(crate) fn new(config: HubConfig, seed: u64) -> Self {
        let mut random = stream(seed, "hub");
        Self {
            config,
            authentication: Authentication::default(),
            registry: Registry::default(),
            twins: BTreeMap::new(),
            queues: BTreeMap::new(),
            invocations: Invocations::new(random.random()),
            management: Management::default(),
            metering: Metering::default(),
            uploads: Uploads::default(),
            feedback: Inbox::default(),
            file_notifications: Inbox::default(),
            random,
            presence: BTreeMap::new(),
            last_protocols: BTreeMap::new(),
            timers: Timers::new(),
            records: VecDeque::new(),
            notices: VecDeque::new(),
            results: VecDeque::new(),
        }
    }

    /// Records a fact at the hub's calendar time.
    pub(crate) fn record(&mut self, event: HubEvent, now: Now) {
        self.records.push_back(HubRecord { at: now.unix, event });
    }

    pub(crate) fn poll_record(&mut self) -> Option<HubRecord> {
        self.records.pop_front()
    }

    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub(crate) fn poll_result(&mut self) -> Option<(MethodTicket, MethodResult)> {
        self.results.pop_front()
    }

    pub(crate) fn poll_timeout(&self, now: Now) -> Option<Monotonic> {
        self.timers.next(now)
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                CoreTimer::Method(ticket) => self.time_out_method(ticket, now),
                CoreTimer::Lock(device, token) => {
                    let queue = self.queues.get_mut(&device);
                    if queue.is_some_and(|queue| queue.unlock_due(token, now.mono)) {
                        self.notices.push_back(Notice::CloudToDeviceWaiting { device });
                    }
                }
                CoreTimer::Expiry(device, token) => self.expire(&device, token, now),
            }
        }
    }
}

/// The random stream of one component: independent of every other component's under the same seed.
fn stream(seed: u64, component: &str) -> ChaCha8Rng {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(component).finalize();
    ChaCha8Rng::from_seed(digest.into())
}
