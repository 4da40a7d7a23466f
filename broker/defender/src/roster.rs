//! The devices of the fold, found by id at a cost that does not grow with their number.
//!
//! An open-addressing table over a dense vector: iteration is in order of first mention, hashing has no
//! random seed, so two folds of the same records are equal step by step. Only registered devices and
//! compromised ones get in, and as many strangers' claimed ids as `counting` allows.

use std::collections::BTreeSet;

use hilarm_model::{DeviceId, FlowProtocol, RegisteredAuthentication, Timestamp};

use crate::connections::Connections;
use crate::ranges::{GroupIndex, Tally};

/// Index of a device in the roster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeviceIndex(u32);

/// How a registered device must authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredKind {
    /// By a token signed with one of two symmetric keys.
    Sas,
    /// By a certificate with one of two thumbprints.
    SelfSigned,
    /// By a certificate of a registered authority.
    CertificateAuthority,
}

impl From<&RegisteredAuthentication> for RegisteredKind {
    fn from(authentication: &RegisteredAuthentication) -> Self {
        match authentication {
            RegisteredAuthentication::Sas { .. } => Self::Sas,
            RegisteredAuthentication::SelfSigned { .. } => Self::SelfSigned,
            RegisteredAuthentication::CertificateAuthority => Self::CertificateAuthority,
        }
    }
}

/// A registered device's membership of a security group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) group: GroupIndex,
    pub(crate) since: Timestamp,
}

/// Ports on which a device listens.
pub(crate) type Listening = BTreeSet<(FlowProtocol, u16)>;

/// What the fold knows of a device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) registered: Option<RegisteredKind>,
    pub(crate) membership: Option<Membership>,
    /// Its counts in the windows of range rules.
    pub(crate) tallies: Vec<Tally>,
    /// Apart, for most events do not need it and caches are small.
    pub(crate) reported: Option<Box<Reported>>,
}

/// What the fold keeps of a device's own reports.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    /// As last reported.
    pub(crate) listening: Listening,
    /// Counted in the windows of range rules.
    pub(crate) connections: Vec<Connections>,
}

/// A used slot of the table; the hash saves most comparisons of ids.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    device: u32,
}

/// Every device of the fold.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    devices: Vec<Device>,
    registered: usize,
    /// A power of two long, at most half full.
    slots: Vec<Option<Slot>>,
}

impl Roster {
    pub(crate) fn get(&self, index: DeviceIndex) -> Option<&Device> {
        self.devices.get(index.0 as usize)
    }

    pub(crate) fn get_mut(&mut self, index: DeviceIndex) -> Option<&mut Device> {
        self.devices.get_mut(index.0 as usize)
    }

    /// How many of them are not in the identity registry.
    pub(crate) fn strangers(&self) -> usize {
        self.devices.len() - self.registered
    }

    /// A device is, or is no longer, in the identity registry.
    pub(crate) fn register(&mut self, index: DeviceIndex, kind: Option<RegisteredKind>) {
        let Some(device) = self.devices.get_mut(index.0 as usize) else { return };
        self.registered += usize::from(kind.is_some());
        self.registered -= usize::from(device.registered.is_some());
        device.registered = kind;
    }

    /// The index of a device that is in the roster.
    pub(crate) fn find(&self, id: &DeviceId) -> Option<DeviceIndex> {
        let slot = self.slots.get(self.place(id, hash(id))?)?.as_ref()?;
        Some(DeviceIndex(slot.device))
    }

    /// The index of a device, which enters the roster if it is not there yet.
    pub(crate) fn intern(&mut self, id: &DeviceId) -> DeviceIndex {
        if self.slots.len() < 2 * (self.devices.len() + 1) {
            self.grow();
        }
        let hash = hash(id);
        let place = self.place(id, hash).and_then(|place| self.slots.get_mut(place));
        if let Some(Some(slot)) = place {
            return DeviceIndex(slot.device);
        }
        // Four thousand million devices do not fit into memory: the index cannot overflow.
        let device = self.devices.len() as u32;
        if let Some(empty) = place {
            *empty = Some(Slot { hash, device });
        }
        let id = id.clone();
        let (tallies, reported) = (Vec::new(), None);
        self.devices.push(Device { id, registered: None, membership: None, tallies, reported });
        DeviceIndex(device)
    }

    /// Where the id is, or the empty slot where it would be; `None` while the table is empty.
    fn place(&self, id: &DeviceId, hash: u32) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut place = hash as usize & mask;
        loop {
            match self.slots.get(place)? {
                None => return Some(place),
                Some(slot) if slot.hash == hash && self.is(slot.device, id) => return Some(place),
                Some(_) => place = (place + 1) & mask,
            }
        }
    }

    fn is(&self, device: u32, id: &DeviceId) -> bool {
        self.devices.get(device as usize).is_some_and(|device| device.id == *id)
    }

    fn grow(&mut self) {
        let length = (4 * (self.devices.len() + 1)).next_power_of_two();
        let old = std::mem::replace(&mut self.slots, vec![None; length]);
        let mask = length - 1;
        for slot in old.into_iter().flatten() {
            let mut place = slot.hash as usize & mask;
            while self.slots[place].is_some() {
                place = (place + 1) & mask;
            }
            self.slots[place] = Some(slot);
        }
    }
}

/// Eight bytes a step, multiply and fold: ids that differ in one digit spread over the whole table.
fn hash(id: &DeviceId) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = id.as_str().as_bytes();
    let mut hash = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    }
    (hash.wrapping_mul(FACTOR) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> DeviceId {
        DeviceId::new(format!("device-{number:05}")).unwrap()
    }

    #[test]
    fn every_device_is_found_again_and_no_other() {
        let mut roster = Roster::default();
        assert_eq!(roster.find(&id(0)), None);
        for number in 0..5_000 {
            assert_eq!(roster.intern(&id(number)), DeviceIndex(number as u32));
        }
        for number in 0..5_000 {
            assert_eq!(roster.find(&id(number)), Some(DeviceIndex(number as u32)));
            assert_eq!(roster.intern(&id(number)), DeviceIndex(number as u32));
        }
        assert_eq!(roster.find(&id(5_000)), None);
    }

    #[test]
    fn a_lookup_takes_a_few_steps_however_many_devices_there_are() {
        for prefix in ["device-", "plant-7-pump-", "a-name-of-some-thirty-characters-", ""] {
            let mut roster = Roster::default();
            for number in 0..100_000 {
                roster.intern(&DeviceId::new(format!("{prefix}{number:06}")).unwrap());
            }
            let mask = roster.slots.len() - 1;
            let steps = |(place, slot): (usize, &Option<Slot>)| {
                slot.map(|slot| place.wrapping_sub(slot.hash as usize & mask) & mask)
            };
            let steps: Vec<_> = roster.slots.iter().enumerate().filter_map(steps).collect();
            let mean = steps.iter().sum::<usize>() as f64 / steps.len() as f64;
            assert!(mean < 1.0 && steps.iter().max() < Some(&64), "{prefix}: {mean}");
        }
    }
}
