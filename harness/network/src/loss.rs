//! Seeded loss. Whether a packet is lost depends on the seed, its flow, its place in the flow's stream and
//! how often that place was sent before, never on how many frames came earlier: real firmware merges and
//! splits acknowledgements as its processor pleases, and the same segments must still be lost.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use sha2::{Digest, Sha256};

use crate::LinkId;
use crate::wire::Direction;

/// Places remembered at most; beyond it all are forgotten, which again is the same for the same inputs.
const PLACES_MAX: usize = 200_000;

/// A flow in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) link: LinkId,
    pub(crate) direction: Direction,
    /// IP protocol number.
    pub(crate) protocol: u8,
    /// The device's end.
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
}

/// What of the flow a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The first TCP segment of a direction, which fixes where its sequence numbers start.
    Syn { sequence: u32 },
    /// TCP payload or FIN from this sequence number.
    Data { sequence: u32 },
    /// A bare TCP acknowledgement up to here.
    Acknowledgement { acknowledged: u32 },
    /// A datagram: nothing but how many came before it tells it from the others.
    Datagram,
    /// Sim: a segment at this offset of the stream.
    Offset { offset: u64 },
}

/// The losses of one network.
#[derive(Debug)]
pub(crate) struct Loss {
    seed: u64,
    origins: BTreeMap<Lane, u32>,
    sent: BTreeMap<(Lane, u8, u64), u32>,
}

impl Loss {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, origins: BTreeMap::new(), sent: BTreeMap::new() }
    }

    /// Whether this packet is lost. To be asked once for every packet, also while nothing is lost.
    pub(crate) fn takes(&mut self, lane: Lane, part: Part, per_million: u32) -> bool {
        let (kind, place) = self.place(lane, part);
        if per_million == 0 {
            return false;
        }
        if self.sent.len() >= PLACES_MAX {
            self.sent.clear();
        }
        let times = self.sent.entry((lane, kind, place)).or_default();
        let occurrence = *times;
        *times += 1;
        draw(self.seed, lane, kind, place, occurrence) < per_million
    }

    /// Places count from the start of their stream, so that initial sequence numbers do not matter.
    fn place(&mut self, lane: Lane, part: Part) -> (u8, u64) {
        let relative = |origin: Option<&u32>, number: u32| {
            u64::from(number.wrapping_sub(origin.copied().unwrap_or_default()))
        };
        match part {
            Part::Syn { sequence } => {
                if self.origins.len() >= PLACES_MAX {
                    self.origins.clear();
                }
                self.origins.insert(lane, sequence);
                (0, 0)
            }
            Part::Data { sequence } => (1, relative(self.origins.get(&lane), sequence)),
            Part::Acknowledgement { acknowledged } => {
                let other = Lane { direction: opposite(lane.direction), ..lane };
                (2, relative(self.origins.get(&other), acknowledged))
            }
            Part::Datagram => (3, 0),
            Part::Offset { offset } => (4, offset),
        }
    }
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::FromDevice => Direction::ToDevice,
        Direction::ToDevice => Direction::FromDevice,
    }
}

/// A number below a million, evenly spread, for this transmission of this place.
fn draw(seed: u64, lane: Lane, kind: u8, place: u64, occurrence: u32) -> u32 {
    let mut hash = Sha256::new();
    hash.update(b"hilarm network loss\0");
    hash.update(seed.to_be_bytes());
    hash.update(lane.link.0.to_be_bytes());
    hash.update([lane.direction as u8, lane.protocol, kind]);
    for end in [lane.local, lane.remote] {
        hash.update(end.ip().octets());
        hash.update(end.port().to_be_bytes());
    }
    hash.update(place.to_be_bytes());
    hash.update(occurrence.to_be_bytes());
    let digest = hash.finalize();
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    // Below a million, so it fits.
    (number % 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn lane(port: u16) -> Lane {
        let remote = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 10), 8883);
        let local = SocketAddrV4::new(Ipv4Addr::new(10, 42, 0, 2), port);
        Lane { link: LinkId(0), direction: Direction::FromDevice, protocol: 6, local, remote }
    }

    fn pattern(seed: u64, isn: u32, per_million: u32) -> Vec<bool> {
        let mut loss = Loss::new(seed);
        loss.takes(lane(1), Part::Syn { sequence: isn }, per_million);
        let segments = (0..2000u32).map(|n| Part::Data { sequence: isn.wrapping_add(1 + n * 100) });
        segments.map(|part| loss.takes(lane(1), part, per_million)).collect()
    }

    #[test]
    fn the_same_seed_loses_the_same_segments_whatever_the_initial_sequence_number() {
        assert_eq!(pattern(1, 7, 50_000), pattern(1, u32::MAX - 5, 50_000));
        assert_ne!(pattern(1, 7, 50_000), pattern(2, 7, 50_000));
    }

    #[test]
    fn the_rate_is_about_what_was_asked() {
        let lost = pattern(3, 0, 100_000).into_iter().filter(|lost| *lost).count();
        assert!((150..250).contains(&lost), "{lost} of 2000");
        assert!(!pattern(3, 0, 0).contains(&true));
        assert!(!pattern(3, 0, 1_000_000).contains(&false));
    }

    #[test]
    fn packets_in_between_do_not_move_the_losses() {
        let mut loss = Loss::new(1);
        loss.takes(lane(1), Part::Syn { sequence: 7 }, 50_000);
        let mut lost = Vec::new();
        for n in 0..2000u32 {
            loss.takes(lane(1), Part::Acknowledgement { acknowledged: n }, 50_000);
            loss.takes(lane(2), Part::Data { sequence: n }, 50_000);
            lost.push(loss.takes(lane(1), Part::Data { sequence: 8 + n * 100 }, 50_000));
        }
        assert_eq!(lost, pattern(1, 7, 50_000));
    }

    #[test]
    fn a_retransmission_is_judged_anew() {
        let mut loss = Loss::new(1);
        let part = Part::Data { sequence: 1 };
        let verdicts: Vec<bool> = (0..64).map(|_| loss.takes(lane(1), part, 500_000)).collect();
        assert!(verdicts.contains(&true) && verdicts.contains(&false));
    }
}
