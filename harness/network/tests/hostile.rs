//! Nothing that a device sends makes the network panic or hang.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod bench;

use std::time::Duration;

use bench::secure::Secure;
use bench::{ADDRESS, HUB, MAC, World};
use hilarm_network::{GATEWAY_MAC, Input, LinkInput, SocketId};
use proptest::collection::vec;
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol, Ipv4Packet, Ipv4Repr,
    TcpPacket,
};

/// A TCP segment with right checksums and any header and payload.
fn segment(header: &[u8; 20], options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut tcp = header.to_vec();
    let words = (20 + options.len()).div_ceil(4);
    tcp.extend_from_slice(options);
    tcp.resize(words * 4, 1);
    tcp[12] = (words as u8) << 4 | tcp[12] & 0x0F;
    tcp.extend_from_slice(payload);
    let ip = Ipv4Repr {
        src_addr: ADDRESS,
        dst_addr: *HUB.ip(),
        next_header: IpProtocol::Tcp,
        payload_len: tcp.len(),
        hop_limit: 64,
    };
    let mut frame = vec![0; 14 + 20 + tcp.len()];
    let ethernet = EthernetRepr {
        src_addr: EthernetAddress(MAC),
        dst_addr: EthernetAddress(GATEWAY_MAC),
        ethertype: EthernetProtocol::Ipv4,
    };
    ethernet.emit(&mut EthernetFrame::new_unchecked(&mut frame));
    let mut packet = Ipv4Packet::new_unchecked(&mut frame[14..]);
    ip.emit(&mut packet, &ChecksumCapabilities::default());
    packet.payload_mut().copy_from_slice(&tcp);
    TcpPacket::new_unchecked(packet.payload_mut()).fill_checksum(&ADDRESS.into(), &(*HUB.ip()).into());
    frame
}

/// Frames of a real exchange, for mutation.
fn recorded() -> Vec<Vec<u8>> {
    let mut world = World::ethernet(1);
    let handle = world.board().connect(HUB);
    let mut client = Secure::new(handle, None);
    let mut frames = Vec::new();
    for _ in 0..12 {
        client.pump(world.board.as_mut().unwrap());
        let now = world.now;
        world.board().poll(now);
        for frame in std::mem::take(&mut world.board().card.outbound) {
            frames.push(frame.clone());
            world.device(LinkInput::Frame(frame));
        }
    }
    frames
}

fn feed(frames: Vec<Vec<u8>>) {
    let mut world = World::ethernet(1);
    // The frames are the device.
    world.board = None;
    for frame in frames {
        let link = world.link;
        world.network.handle_input(Input::Device { link, input: LinkInput::Frame(frame) }, world.now);
        world.settle();
    }
    world.run_for(Duration::from_secs(600));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_frames(frames in vec(vec(any::<u8>(), 0..1600), 0..20)) {
        feed(frames);
    }

    #[test]
    fn random_segments_to_the_hub(
        segments in vec((any::<[u8; 20]>(), vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..100), 0..4u16), 1..30),
    ) {
        feed(segments.into_iter().map(|(mut header, options, payload, port)| {
            // A few ports of the hub, so that segments meet connections.
            header[..4].copy_from_slice(&[0xC0, port as u8, 0x22, 0xB3]);
            segment(&header, &options, &payload)
        }).collect());
    }

    #[test]
    fn mutated_exchanges(mutations in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut frames = recorded();
        for (frame, byte, value) in mutations {
            let at = frame.index(frames.len());
            let byte = byte.index(frames[at].len());
            frames[at][byte] = value;
        }
        feed(frames);
    }

    #[test]
    fn random_socket_requests(requests in vec((0..5u8, 0..4u32, vec(any::<u8>(), 0..3000)), 0..60)) {
        let mut world = World::sockets(1);
        for (kind, number, bytes) in requests {
            let socket = SocketId(number);
            let input = match kind {
                0 => LinkInput::Open { socket, remote: HUB, client_chain: vec![bytes], sni: None },
                1 => LinkInput::Send { socket, bytes },
                2 => LinkInput::Close { socket },
                3 => LinkInput::Resolve { query: number, name: String::from_utf8_lossy(&bytes).into_owned() },
                _ => {
                    world.faults(5, 200_000, number == 1);
                    LinkInput::Frame(bytes)
                }
            };
            world.device(input);
        }
        world.faults(0, 0, false);
        world.run_for(Duration::from_secs(600));
        prop_assert_eq!(world.network.poll_timeout(), None);
    }
}

#[test]
fn a_flood_of_connection_attempts_is_bounded() {
    let mut frames = Vec::new();
    for port in 1..2000u16 {
        let mut header = [0; 20];
        header[..2].copy_from_slice(&port.to_be_bytes());
        header[2..4].copy_from_slice(&HUB.port().to_be_bytes());
        header[13] = 0x02;
        header[14] = 0x20;
        frames.push(segment(&header, &[], &[]));
    }
    feed(frames);
}
