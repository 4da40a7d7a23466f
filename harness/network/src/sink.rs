//! What recording sinks received: the proof of exfiltration scenarios.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

/// Bytes kept of one sink; what comes after is counted only.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// What one sink received, over all connections and datagrams in the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkRecord {
    /// The first mebibyte.
    pub bytes: Vec<u8>,
    /// All bytes.
    pub total: u64,
    /// Accepted connections.
    pub connections: u32,
}

/// The sinks of a network. A record outlives its endpoint's replacement: it is evidence.
#[derive(Debug, Default)]
pub(crate) struct Sinks(BTreeMap<SocketAddrV4, SinkRecord>);

impl Sinks {
    pub(crate) fn connected(&mut self, at: SocketAddrV4) {
        self.0.entry(at).or_default().connections += 1;
    }

    pub(crate) fn record(&mut self, at: SocketAddrV4, bytes: &[u8]) {
        let record = self.0.entry(at).or_default();
        record.total += bytes.len() as u64;
        let room = KEPT_BYTES_MAX.saturating_sub(record.bytes.len());
        record.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(crate) fn get(&self, at: SocketAddrV4) -> Option<&SinkRecord> {
        self.0.get(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_sink_keeps_a_bounded_part_and_counts_everything() {
        let at = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 80);
        let mut sinks = Sinks::default();
        assert!(sinks.get(at).is_none());
        for _ in 0..3 {
            sinks.record(at, &vec![1; KEPT_BYTES_MAX / 2]);
        }
        let record = sinks.get(at).unwrap();
        assert_eq!((record.bytes.len(), record.total), (KEPT_BYTES_MAX, KEPT_BYTES_MAX as u64 * 3 / 2));
    }
}
