//! Ethernet II, IPv4 (RFC 791), TCP, UDP and ICMP headers, read with every bound checked: the frames come
//! from the network.

use super::{Direction, FlowKey, FlowProtocol};

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERNET_HEADER_BYTES: usize = 14;

/// The flow a frame belongs to and the bytes it carries beyond its IP header.
pub(super) fn parse(direction: Direction, frame: &[u8]) -> Option<(FlowKey, u32)> {
    let (ethernet, packet) = frame.split_at_checked(ETHERNET_HEADER_BYTES)?;
    if ethernet[12..14] != ETHERTYPE_IPV4 {
        return None;
    }
    let packet = Ipv4::parse(packet)?;
    let to_group = ethernet[0] & 1 != 0 || is_group(packet.destination);
    if direction == Direction::Incoming && to_group {
        return None;
    }
    let protocol = match packet.protocol {
        1 => FlowProtocol::Icmp,
        6 => FlowProtocol::Tcp,
        17 => FlowProtocol::Udp,
        _ => return None,
    };
    let (source_port, destination_port) = match protocol {
        FlowProtocol::Icmp => (0, 0),
        FlowProtocol::Tcp | FlowProtocol::Udp => ports(packet.payload)?,
    };
    let bytes = u32::try_from(packet.payload.len()).ok()?;
    let key = match direction {
        Direction::Incoming => FlowKey {
            protocol,
            local_address: packet.destination,
            local_port: destination_port,
            remote_address: packet.source,
            remote_port: source_port,
        },
        Direction::Outgoing => FlowKey {
            protocol,
            local_address: packet.source,
            local_port: source_port,
            remote_address: packet.destination,
            remote_port: destination_port,
        },
    };
    Some((key, bytes))
}

struct Ipv4<'a> {
    protocol: u8,
    source: [u8; 4],
    destination: [u8; 4],
    payload: &'a [u8],
}

impl<'a> Ipv4<'a> {
    fn parse(packet: &'a [u8]) -> Option<Self> {
        let header: &[u8; 20] = packet.first_chunk()?;
        let header_bytes = usize::from(header[0] & 0x0F) * 4;
        let total_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
        // Only the first fragment has the ports.
        let fragment_offset = u16::from_be_bytes([header[6], header[7]]) & 0x1FFF;
        if header[0] >> 4 != 4 || header_bytes < header.len() || fragment_offset != 0 {
            return None;
        }
        Some(Self {
            protocol: header[9],
            source: [header[12], header[13], header[14], header[15]],
            destination: [header[16], header[17], header[18], header[19]],
            // Short frames are padded: the IP length decides, not the frame's.
            payload: packet.get(header_bytes..total_bytes)?,
        })
    }
}

fn ports(payload: &[u8]) -> Option<(u16, u16)> {
    let ports: &[u8; 4] = payload.first_chunk()?;
    Some((u16::from_be_bytes([ports[0], ports[1]]), u16::from_be_bytes([ports[2], ports[3]])))
}

/// Multicast (RFC 5771), or the limited broadcast.
fn is_group(address: [u8; 4]) -> bool {
    address[0] >> 4 == 0xE || address == [255; 4]
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const DEVICE: [u8; 4] = [10, 42, 0, 2];
    const PEER: [u8; 4] = [192, 0, 2, 9];

    fn frame(protocol: u8, source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::from([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        let total = (20 + payload.len()) as u16;
        frame.extend([0x45, 0]);
        frame.extend(total.to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        frame.extend(source);
        frame.extend(destination);
        frame.extend(payload);
        frame
    }

    fn tcp_header() -> [u8; 20] {
        let mut header = [0; 20];
        header[..4].copy_from_slice(&[0xC0, 0x00, 0x22, 0xB3]);
        header
    }

    #[test]
    fn an_outgoing_segment_counts_its_tcp_header_and_not_its_padding() {
        let mut padded = frame(6, DEVICE, PEER, &tcp_header());
        padded.extend([0; 6]);
        let (key, bytes) = parse(Direction::Outgoing, &padded).unwrap();
        assert_eq!(bytes, 20);
        assert_eq!(
            key,
            FlowKey {
                protocol: FlowProtocol::Tcp,
                local_address: DEVICE,
                local_port: 49152,
                remote_address: PEER,
                remote_port: 8883,
            }
        );
    }

    #[test]
    fn both_directions_belong_to_one_flow() {
        let mut reply = tcp_header();
        reply[..4].copy_from_slice(&[0x22, 0xB3, 0xC0, 0x00]);
        let out = parse(Direction::Outgoing, &frame(6, DEVICE, PEER, &tcp_header())).unwrap();
        let back = parse(Direction::Incoming, &frame(6, PEER, DEVICE, &reply)).unwrap();
        assert_eq!(out.0, back.0);
    }

    #[test]
    fn icmp_has_ports_zero() {
        let (key, bytes) = parse(Direction::Incoming, &frame(1, PEER, DEVICE, &[8; 16])).unwrap();
        assert_eq!((key.protocol, key.local_port, key.remote_port, bytes), (FlowProtocol::Icmp, 0, 0, 16));
    }

    #[test]
    fn incoming_multicast_and_broadcast_stay_out() {
        for group in [[224, 0, 0, 251], [239, 1, 2, 3], [255; 4]] {
            let bytes = frame(17, PEER, group, &[0; 8]);
            assert_eq!(parse(Direction::Incoming, &bytes), None);
            assert!(parse(Direction::Outgoing, &bytes).is_some());
        }
        let mut to_group_mac = frame(17, PEER, DEVICE, &[0; 8]);
        to_group_mac[0] = 0xFF;
        assert_eq!(parse(Direction::Incoming, &to_group_mac), None);
    }

    #[test]
    fn a_later_fragment_and_another_ethertype_are_passed_over() {
        let mut fragment = frame(6, PEER, DEVICE, &tcp_header());
        fragment[14 + 7] = 1;
        assert_eq!(parse(Direction::Incoming, &fragment), None);
        let mut arp = frame(6, PEER, DEVICE, &tcp_header());
        arp[13] = 6;
        assert_eq!(parse(Direction::Incoming, &arp), None);
    }

    #[test]
    fn lengths_that_lie_are_passed_over() {
        let mut longer_than_the_frame = frame(6, PEER, DEVICE, &tcp_header());
        longer_than_the_frame[14 + 2] = 0xFF;
        assert_eq!(parse(Direction::Incoming, &longer_than_the_frame), None);
        let mut shorter_than_its_header = frame(6, PEER, DEVICE, &tcp_header());
        shorter_than_its_header[14 + 3] = 19;
        assert_eq!(parse(Direction::Incoming, &shorter_than_its_header), None);
        let mut header_too_short = frame(6, PEER, DEVICE, &tcp_header());
        header_too_short[14] = 0x44;
        assert_eq!(parse(Direction::Incoming, &header_too_short), None);
    }

    proptest! {
        #[test]
        fn hostile_frames_never_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..80),
            looks_like_ipv4: bool,
        ) {
            if looks_like_ipv4 && bytes.len() > 14 {
                bytes[12..14].copy_from_slice(&ETHERTYPE_IPV4);
                bytes[14] = 0x40 | (bytes[14] & 0x0F);
            }
            let _ = parse(Direction::Incoming, &bytes);
            let _ = parse(Direction::Outgoing, &bytes);
        }

        #[test]
        fn no_cut_of_a_good_frame_panics_or_counts_too_much(cut in 0usize..54) {
            let whole = frame(6, PEER, DEVICE, &tcp_header());
            prop_assert_eq!(parse(Direction::Incoming, &whole[..cut]), None);
        }
    }
}
