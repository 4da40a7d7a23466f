//! Several enabled devices have, or present, the same credential.
//!
//! Shared is a symmetric key, primary or secondary, compared crosswise; a thumbprint, primary or secondary; or
//! the same leaf presented for several device ids at run time, accepted or refused. The modules of one device
//! are that device. One recommendation lists every device concerned. A leaf that was presented is forgotten
//! when its device gets another authentication.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hilarm_model::{
    ConnectionRefused, DeviceId, HubEvent, RefusalCause, RegisteredAuthentication, Tuning, UsedAuthentication,
};

use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::kind::EventKind;
use crate::posture::{Finding, Posture};

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "identical-credentials",
    names: &[
        Name::new(Seed::EclipseThreadX, "Identical authentication credentials used by multiple devices"),
        Name::new(Seed::AzureRtos, "Identical authentication credentials used by multiple devices"),
        Name::new(Seed::SecurityModule, "Identical authentication credentials used by multiple devices"),
    ],
    scope: Scope::Hub,
    class: Class::Recommendation,
    severity: Severity::High,
    data_source: DataSource::IotHub,
    alert_type: "IoT_SharedCredentials",
    description: "Several devices use the same credential: whoever takes it from one can pass for all of them.",
    remediation: &[
        "Give each device a credential of its own.",
        "Find out how the credential came to be shared: a cloned device looks like this.",
    ],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance::RECOMMENDED,
    attack: &["T1078"],
    boundary: Boundary::SharedCredentialCount,
    trigger: Trigger::Posture {
        on: &[
            EventKind::DeviceRegistered,
            EventKind::DeviceRemoved,
            EventKind::DeviceStatusChanged,
            EventKind::ConnectionAccepted,
            EventKind::ConnectionRefused,
        ],
        begin: || Box::new(IdenticalCredentials::default()),
    },
};

/// Leaves that are remembered for a device; beyond, the oldest is forgotten.
const LEAVES_MAX: usize = 8;

/// A credential, as the digest of a key, a thumbprint or the digest of a leaf; hexadecimal, upper case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Credential {
    Key(String),
    Thumbprint(String),
    Leaf(String),
}

/// The credentials of one device.
#[derive(Debug, Default)]
struct Holder {
    disabled: bool,
    registered: Vec<Credential>,
    presented: VecDeque<Credential>,
}

/// Who has which credential; only enabled devices are among the sharers.
#[derive(Debug, Default)]
struct IdenticalCredentials {
    holders: BTreeMap<DeviceId, Holder>,
    sharers: BTreeMap<Credential, BTreeSet<DeviceId>>,
    /// The credentials with several sharers.
    shared: BTreeSet<Credential>,
}

impl Posture for IdenticalCredentials {
    fn see(&mut self, event: &HubEvent, _: Tuning) -> bool {
        match event {
            HubEvent::DeviceRegistered { device, authentication, .. } => {
                self.register(device, credentials(authentication));
                true
            }
            HubEvent::DeviceRemoved { device } => {
                self.hide(device);
                self.holders.remove(device).is_some()
            }
            HubEvent::DeviceStatusChanged { device, enabled } => {
                self.hide(device);
                if let Some(holder) = self.holders.get_mut(device) {
                    holder.disabled = !enabled;
                }
                self.show(device);
                true
            }
            HubEvent::ConnectionAccepted {
                device,
                authentication: UsedAuthentication::X509 { sha256, .. },
                ..
            } => self.present(device, sha256),
            HubEvent::ConnectionRefused(ConnectionRefused { device: Some(device), causes, .. }) => {
                let leaf = causes.iter().find_map(|cause| match cause {
                    RefusalCause::X509ThumbprintMismatch { sha256, .. } => Some(sha256),
                    _ => None,
                });
                leaf.is_some_and(|sha256| self.present(device, sha256))
            }
            _ => false,
        }
    }

    fn finding(&self, _: Tuning) -> Option<Finding> {
        let sharers = self.shared.iter().filter_map(|credential| self.sharers.get(credential));
        let devices: BTreeSet<_> = sharers.flatten().cloned().collect();
        (!devices.is_empty()).then(|| Finding { devices, ..Finding::default() })
    }
}

impl IdenticalCredentials {
    /// A device got this authentication in place of any it had.
    fn register(&mut self, device: &DeviceId, credentials: Vec<Credential>) {
        if self.holders.get(device).is_some_and(|holder| holder.registered == credentials) {
            return;
        }
        self.hide(device);
        let holder = self.holders.entry(device.clone()).or_default();
        holder.presented.clear();
        holder.registered = credentials;
        self.show(device);
    }

    /// A registered device presented a leaf; whether it is the first time.
    fn present(&mut self, device: &DeviceId, sha256: &str) -> bool {
        let leaf = Credential::Leaf(sha256.to_uppercase());
        let Some(holder) = self.holders.get(device) else { return false };
        if sha256.is_empty() || holder.presented.contains(&leaf) {
            return false;
        }
        self.hide(device);
        if let Some(holder) = self.holders.get_mut(device) {
            if holder.presented.len() >= LEAVES_MAX {
                holder.presented.pop_front();
            }
            holder.presented.push_back(leaf);
        }
        self.show(device);
        true
    }

    /// Takes the device off its credentials.
    fn hide(&mut self, device: &DeviceId) {
        let Some(holder) = self.holders.get(device) else { return };
        for credential in holder.registered.iter().chain(&holder.presented) {
            let Some(sharers) = self.sharers.get_mut(credential) else { continue };
            sharers.remove(device);
            if sharers.len() < 2 {
                self.shared.remove(credential);
            }
            if sharers.is_empty() {
                self.sharers.remove(credential);
            }
        }
    }

    /// Puts the device on its credentials, if it is enabled.
    fn show(&mut self, device: &DeviceId) {
        let Some(holder) = self.holders.get(device).filter(|holder| !holder.disabled) else { return };
        for credential in holder.registered.iter().chain(&holder.presented) {
            let sharers = self.sharers.entry(credential.clone()).or_default();
            sharers.insert(device.clone());
            if sharers.len() == 2 {
                self.shared.insert(credential.clone());
            }
        }
    }
}

fn credentials(authentication: &RegisteredAuthentication) -> Vec<Credential> {
    match authentication {
        RegisteredAuthentication::Sas { primary_sha256, secondary_sha256 } => {
            [primary_sha256, secondary_sha256].map(|key| Credential::Key(key.to_uppercase())).to_vec()
        }
        RegisteredAuthentication::SelfSigned { primary, secondary } => {
            let thumbprints = std::iter::once(primary).chain(secondary);
            thumbprints.map(|thumbprint| Credential::Thumbprint(thumbprint.to_uppercase())).collect()
        }
        RegisteredAuthentication::CertificateAuthority => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::fixture::{
        World, accepted_leaf, at, id, keyed, refused, removed, status, thumbprinted,
    };
    use hilarm_model::RefusalCause::X509ThumbprintMismatch;

    const SLUG: &str = "identical-credentials";

    fn world(devices: &[hilarm_model::HubEvent]) -> World {
        let mut world = World::default();
        devices.iter().for_each(|event| world.see(-1, event.clone()));
        world.start();
        world
    }

    fn listed(world: &World) -> Vec<String> {
        let active = world.active(SLUG);
        active.into_iter().flat_map(|active| &active.finding.devices).map(ToString::to_string).collect()
    }

    #[test]
    fn fires_on_keys_shared_crosswise_and_lists_every_device_once() {
        let world = world(&[
            keyed("a", "11", "22"),
            keyed("b", "33", "11"),
            keyed("c", "33", "44"),
            keyed("d", "55", "66"),
        ]);
        assert_eq!(listed(&world), ["a", "b", "c"]);
    }

    #[test]
    fn fires_on_a_shared_thumbprint_in_any_case() {
        let world = world(&[thumbprinted("a", "ab", None), thumbprinted("b", "CD", Some("AB"))]);
        assert_eq!(listed(&world), ["a", "b"]);
    }

    #[test]
    fn fires_on_one_leaf_presented_for_two_devices_accepted_or_refused() {
        let mut world = world(&[thumbprinted("a", "01", None), thumbprinted("b", "02", None)]);
        world.see(1, accepted_leaf("a", "EE"));
        world.see(2, accepted_leaf("a", "EE"));
        assert_eq!(listed(&world), [""; 0]);
        world.see(3, refused("b", [X509ThumbprintMismatch { sha1: "00".into(), sha256: "EE".into() }]));
        assert_eq!(
            (listed(&world), world.active(SLUG).unwrap().since),
            (vec!["a".into(), "b".into()], at(3))
        );
        world.see(4, thumbprinted("b", "03", None));
        assert!(world.resolved(SLUG).is_some(), "new credentials resolve it");
    }

    #[test]
    fn at_the_boundary_two_devices_share_and_one_does_not() {
        assert_eq!(listed(&world(&[keyed("a", "11", "11")])), [""; 0]);
        assert_eq!(listed(&world(&[keyed("a", "11", "11"), keyed("b", "11", "11")])), ["a", "b"]);
    }

    #[test]
    fn only_enabled_devices_count_and_each_change_is_judged() {
        let mut world = world(&[keyed("a", "11", "12"), keyed("b", "11", "13")]);
        world.see(1, status("b", false));
        assert_eq!(world.resolved(SLUG).unwrap().finding.devices, [id("a"), id("b")].into());
        world.see(2, status("b", true));
        assert_eq!(listed(&world), ["a", "b"]);
        world.see(3, removed("a"));
        assert!(world.resolved(SLUG).is_some());
        world.see(4, keyed("c", "13", "14"));
        assert_eq!(listed(&world), ["b", "c"]);
        assert_eq!(world.active(SLUG).unwrap().episodes, 3);
    }

    #[test]
    fn stays_silent_on_strangers_and_on_different_credentials() {
        let mut world = world(&[thumbprinted("a", "01", None), keyed("b", "01", "02")]);
        world.see(1, accepted_leaf("a", "EE"));
        world
            .see(2, refused("stranger", [X509ThumbprintMismatch { sha1: "00".into(), sha256: "EE".into() }]));
        assert_eq!(listed(&world), [""; 0]);
    }
}
