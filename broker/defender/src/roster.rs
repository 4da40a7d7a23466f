//! The devices of the fold, found by id at a cost that does not grow with their number.
//!
//! An open-addressing table over a dense vector: iteration is in order of first mention, hashing has no
//! random seed, so two folds of the same records are equal step by step. Only registered devices and
//! compromised ones get in, and as many strangers' claimed ids as `counting` allows.

use std::collections::BTreeSet;

use hilarm_model::{DeviceId, FlowProtocol, RegisteredAuthentication, Timestamp};

use crate::gauge::Place;
use crate::ranges::GroupIndex;

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

/// Ports on which a device listens.
pub(crate) type Listening = BTreeSet<(FlowProtocol, u16)>;

/// What the fold knows of a device. What most events need is one line of a cache: with many devices the time
/// of an event is the time of its cache misses.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Device {
    name: Name,
    pub(crate) registered: Option<RegisteredKind>,
    /// The security group whose member it is.
    pub(crate) group: Option<GroupIndex>,
    /// Its place there.
    pub(crate) place: Place,
    pub(crate) rest: Box<Rest>,
}

/// The rest of it, which few events need.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) id: DeviceId,
    /// When it entered its group.
    pub(crate) member_since: Timestamp,
    /// Its places in all groups that ever counted it.
    pub(crate) places: Vec<(GroupIndex, Place)>,
    /// Ports on which it listens, as last reported.
    pub(crate) listening: Listening,
}

/// An id as far as it fits, so that ids of common length compare without another look into memory.
#[derive(Debug)]
struct Name {
    length: u8,
    text: [u8; NAME_BYTES],
}

/// What a line of a cache has room for.
const NAME_BYTES: usize = 38;

impl Name {
    fn of(id: &DeviceId) -> Self {
        let bytes = id.as_str().as_bytes();
        let mut text = [0; NAME_BYTES];
        let kept = bytes.len().min(NAME_BYTES);
        text[..kept].copy_from_slice(&bytes[..kept]);
        // An id has 128 characters at most.
        Self { length: bytes.len() as u8, text }
    }
}

impl Device {
    fn is(&self, id: &DeviceId) -> bool {
        let bytes = id.as_str().as_bytes();
        if usize::from(self.name.length) != bytes.len() {
            return false;
        }
        match self.name.text.get(..bytes.len()) {
            Some(text) => text == bytes,
            None => self.rest.id == *id,
        }
    }
}

/// A slot of the table: the index of a device in as many low bits as count the slots, and in the others the
/// hash of its id, which saves most comparisons of ids. Four bytes, so that the table stays in the cache.
#[derive(Clone, Copy, Debug)]
struct Slot(u32);

impl Slot {
    /// No device has this index: the table has more slots than devices.
    const EMPTY: Self = Self(u32::MAX);

    fn new(hash: u32, mask: u32, device: DeviceIndex) -> Self {
        Self((hash & !mask) | device.0)
    }

    /// The device in it; `None` in an empty slot.
    fn device(self, mask: u32) -> Option<DeviceIndex> {
        (self.0 & mask != mask).then_some(DeviceIndex(self.0 & mask))
    }

    /// Whether an id of this hash may be in it.
    fn may_hold(self, hash: u32, mask: u32) -> bool {
        (self.0 ^ hash) & !mask == 0
    }
}

/// Every device of the fold.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    devices: Vec<Device>,
    registered: usize,
    /// A power of two long, at most five eighths full.
    slots: Vec<Slot>,
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
        let slot = self.slots.get(self.place(id, hash(id))?)?;
        slot.device(self.mask())
    }

    /// The index of a device, which enters the roster if it is not there yet.
    pub(crate) fn intern(&mut self, id: &DeviceId) -> DeviceIndex {
        if 5 * self.slots.len() < 8 * (self.devices.len() + 1) {
            self.grow();
        }
        let (hash, mask) = (hash(id), self.mask());
        // Four thousand million devices do not fit into memory: the index cannot overflow.
        let index = DeviceIndex(self.devices.len() as u32);
        if let Some(slot) = self.place(id, hash).and_then(|place| self.slots.get_mut(place)) {
            if let Some(known) = slot.device(mask) {
                return known;
            }
            *slot = Slot::new(hash, mask, index);
        }
        let (member_since, places, listening) = (Timestamp::default(), Vec::new(), Listening::new());
        let rest = Box::new(Rest { id: id.clone(), member_since, places, listening });
        let (name, place) = (Name::of(id), Place::default());
        self.devices.push(Device { name, registered: None, group: None, place, rest });
        index
    }

    /// The bits of a hash that say where to look, and of a slot that hold an index.
    fn mask(&self) -> u32 {
        (self.slots.len() as u32).wrapping_sub(1)
    }

    /// Where the id is, or the empty slot where it would be; `None` while the table is empty.
    fn place(&self, id: &DeviceId, hash: u32) -> Option<usize> {
        let mask = self.mask();
        let mut place = hash & mask;
        loop {
            let slot = self.slots.get(place as usize)?;
            let Some(device) = slot.device(mask) else { return Some(place as usize) };
            if slot.may_hold(hash, mask) && self.get(device).is_some_and(|device| device.is(id)) {
                return Some(place as usize);
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        self.slots = vec![Slot::EMPTY; (2 * (self.devices.len() + 1)).next_power_of_two()];
        for number in 0..self.devices.len() {
            let id = &self.devices[number].rest.id;
            let hash = hash(id);
            let slot = Slot::new(hash, self.mask(), DeviceIndex(number as u32));
            if let Some(place) = self.place(id, hash) {
                self.slots[place] = slot;
            }
        }
    }
}

/// Eight bytes a step, multiply and fold: ids that differ in one digit spread over the whole table. The last
/// eight may overlap those before.
fn hash(id: &DeviceId) -> u32 {
    let bytes = id.as_str().as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| fold(hash, *word));
    let hash = match bytes.last_chunk::<8>() {
        Some(_) if rest.is_empty() => hash,
        Some(last) => fold(hash, *last),
        None => {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            fold(hash, word)
        }
    };
    (hash.wrapping_mul(FACTOR) >> 32) as u32
}

fn fold(hash: u64, word: [u8; 8]) -> u64 {
    let hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
    hash ^ (hash >> 32)
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

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
    fn ids_that_begin_alike_are_told_apart_whatever_their_length() {
        let mut roster = Roster::default();
        let ids = (1..=128).map(|length| DeviceId::new("a".repeat(length)).unwrap());
        let others = (1..=128).map(|length| DeviceId::new("a".repeat(length - 1) + "b").unwrap());
        let ids: Vec<DeviceId> = ids.chain(others).collect();
        let indices: Vec<DeviceIndex> = ids.iter().map(|id| roster.intern(id)).collect();
        assert_eq!(roster.devices.len(), 256);
        for (id, index) in ids.iter().zip(indices) {
            assert_eq!(roster.find(id), Some(index));
            assert_eq!(roster.get(index).unwrap().rest.id, *id);
        }
    }

    #[test]
    fn what_most_events_need_of_a_device_is_one_line_of_a_cache() {
        assert_eq!((size_of::<Device>(), align_of::<Device>()), (64, 64));
    }

    #[test]
    fn a_lookup_takes_a_few_steps_however_many_devices_there_are() {
        for prefix in ["device-", "plant-7-pump-", "a-name-of-some-thirty-characters-", ""] {
            let mut roster = Roster::default();
            for number in 0..100_000 {
                roster.intern(&DeviceId::new(format!("{prefix}{number:06}")).unwrap());
            }
            let steps = roster.devices.iter().map(|device| {
                let hash = hash(&device.rest.id);
                (roster.place(&device.rest.id, hash).unwrap() as u32).wrapping_sub(hash) & roster.mask()
            });
            let steps: Vec<u32> = steps.collect();
            let mean = steps.iter().sum::<u32>() as f64 / steps.len() as f64;
            assert!(mean < 1.0 && steps.iter().max() < Some(&64), "{prefix}: {mean}");
        }
    }
}
