//! Frames as checked views: what an inbound frame is, and the few that the network builds by hand.

use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
    IpProtocol, Ipv4Packet, Ipv4Repr, TcpPacket, UdpPacket, UdpRepr,
};

use crate::loss::Part;
use crate::{Dropped, GATEWAY, GATEWAY_MAC, dhcp};

/// Ethernet header and a payload of 1500 bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 1514;
const ETHERNET_HEADER: usize = 14;
const HOP_LIMIT: u8 = 64;

/// What a frame carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Contents<'a> {
    /// Asks for the hardware address of this one.
    ArpRequest {
        asked: Ipv4Addr,
    },
    /// Other ARP, of which the network needs nothing.
    Arp,
    Tcp {
        from: SocketAddrV4,
        to: SocketAddrV4,
        syn: bool,
        sequence: u32,
        part: Part,
    },
    Udp {
        from: SocketAddrV4,
        to: SocketAddrV4,
        payload: &'a [u8],
    },
}

impl Contents<'_> {
    /// The IP ends and the protocol number; nothing where the device need not have an address yet.
    pub(crate) fn flow(&self) -> Option<(u8, SocketAddrV4, SocketAddrV4)> {
        match *self {
            Self::Udp { from, to, .. } if dhcp::is_lease(from, to) => None,
            Self::Tcp { from, to, .. } => Some((6, from, to)),
            Self::Udp { from, to, .. } => Some((17, from, to)),
            _ => None,
        }
    }

    pub(crate) fn part(&self) -> Part {
        match *self {
            Self::Tcp { part, .. } => part,
            _ => Part::Datagram,
        }
    }
}

/// Reads a frame; what the network does not carry, or what is damaged, is told as the reason to drop it.
pub(crate) fn read(frame: &[u8]) -> Result<Contents<'_>, Dropped> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(Dropped::Malformed);
    }
    let ethernet = EthernetFrame::new_checked(frame).map_err(|_| Dropped::Malformed)?;
    match ethernet.ethertype() {
        EthernetProtocol::Arp => read_arp(ethernet.payload()),
        EthernetProtocol::Ipv4 => read_ipv4(ethernet.payload()),
        _ => Err(Dropped::Protocol),
    }
}

fn read_arp(payload: &[u8]) -> Result<Contents<'_>, Dropped> {
    let packet = ArpPacket::new_checked(payload).map_err(|_| Dropped::Malformed)?;
    match ArpRepr::parse(&packet) {
        Ok(ArpRepr::EthernetIpv4 { operation: ArpOperation::Request, target_protocol_addr, .. }) => {
            Ok(Contents::ArpRequest { asked: target_protocol_addr })
        }
        Ok(_) => Ok(Contents::Arp),
        Err(_) => Err(Dropped::Malformed),
    }
}

fn read_ipv4(payload: &[u8]) -> Result<Contents<'_>, Dropped> {
    let packet = Ipv4Packet::new_checked(payload).map_err(|_| Dropped::Malformed)?;
    if packet.version() != 4 || !packet.verify_checksum() {
        return Err(Dropped::Malformed);
    }
    if packet.more_frags() || packet.frag_offset() != 0 {
        return Err(Dropped::Protocol);
    }
    let (source, target) = (packet.src_addr(), packet.dst_addr());
    match packet.next_header() {
        IpProtocol::Tcp => read_tcp(source, target, packet.payload()),
        IpProtocol::Udp => read_udp(source, target, packet.payload()),
        _ => Err(Dropped::Protocol),
    }
}

fn read_tcp(source: Ipv4Addr, target: Ipv4Addr, payload: &[u8]) -> Result<Contents<'_>, Dropped> {
    let segment = TcpPacket::new_checked(payload).map_err(|_| Dropped::Malformed)?;
    let ports_given = segment.src_port() != 0 && segment.dst_port() != 0;
    if !ports_given || !segment.verify_checksum(&source.into(), &target.into()) {
        return Err(Dropped::Malformed);
    }
    // Raw bits: smoltcp's sequence numbers are signed.
    let sequence = segment.seq_number().0 as u32;
    let part = if segment.syn() {
        Part::Syn { sequence }
    } else if !segment.payload().is_empty() || segment.fin() {
        Part::Data { sequence }
    } else {
        Part::Acknowledgement { acknowledged: segment.ack_number().0 as u32 }
    };
    Ok(Contents::Tcp {
        from: SocketAddrV4::new(source, segment.src_port()),
        to: SocketAddrV4::new(target, segment.dst_port()),
        syn: segment.syn() && !segment.ack() && !segment.rst() && !segment.fin(),
        sequence,
        part,
    })
}

fn read_udp(source: Ipv4Addr, target: Ipv4Addr, payload: &[u8]) -> Result<Contents<'_>, Dropped> {
    let datagram = UdpPacket::new_checked(payload).map_err(|_| Dropped::Malformed)?;
    if datagram.dst_port() == 0 || !datagram.verify_checksum(&source.into(), &target.into()) {
        return Err(Dropped::Malformed);
    }
    let length = usize::from(datagram.len());
    Ok(Contents::Udp {
        from: SocketAddrV4::new(source, datagram.src_port()),
        to: SocketAddrV4::new(target, datagram.dst_port()),
        payload: payload.get(8..length).ok_or(Dropped::Malformed)?,
    })
}

/// The gateway's answer to an ARP request, or a device's as the network would hear it.
pub(crate) fn arp_reply(from: ([u8; 6], Ipv4Addr), to: ([u8; 6], Ipv4Addr)) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: EthernetAddress(from.0),
        source_protocol_addr: from.1,
        target_hardware_addr: EthernetAddress(to.0),
        target_protocol_addr: to.1,
    };
    let mut frame = ethernet(from.0, to.0, EthernetProtocol::Arp, repr.buffer_len());
    repr.emit(&mut ArpPacket::new_unchecked(&mut frame[ETHERNET_HEADER..]));
    frame
}

/// The gateway's own ARP answer to a device.
pub(crate) fn gateway_arp_reply(to: ([u8; 6], Ipv4Addr)) -> Vec<u8> {
    arp_reply((GATEWAY_MAC, GATEWAY), to)
}

/// A UDP datagram from the outside to a device.
pub(crate) fn datagram(mac: [u8; 6], from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let udp = UdpRepr { src_port: from.port(), dst_port: to.port() };
    let ip = Ipv4Repr {
        src_addr: *from.ip(),
        dst_addr: *to.ip(),
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + payload.len(),
        hop_limit: HOP_LIMIT,
    };
    let checksums = ChecksumCapabilities::default();
    let length = ip.buffer_len() + ip.payload_len;
    let mut frame = ethernet(GATEWAY_MAC, mac, EthernetProtocol::Ipv4, length);
    let mut packet = Ipv4Packet::new_unchecked(&mut frame[ETHERNET_HEADER..]);
    ip.emit(&mut packet, &checksums);
    udp.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &ip.src_addr.into(),
        &ip.dst_addr.into(),
        payload.len(),
        |buffer| buffer.copy_from_slice(payload),
        &checksums,
    );
    frame
}

fn ethernet(from: [u8; 6], to: [u8; 6], ethertype: EthernetProtocol, payload_len: usize) -> Vec<u8> {
    let mut frame = vec![0; ETHERNET_HEADER + payload_len];
    let repr = EthernetRepr { src_addr: EthernetAddress(from), dst_addr: EthernetAddress(to), ethertype };
    repr.emit(&mut EthernetFrame::new_unchecked(&mut frame));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn sample() -> Vec<u8> {
        datagram(MAC, "10.77.0.53:53".parse().unwrap(), "10.42.0.2:5000".parse().unwrap(), b"hello")
    }

    #[test]
    fn a_datagram_reads_back() {
        let (from, to) = ("10.77.0.53:53".parse().unwrap(), "10.42.0.2:5000".parse().unwrap());
        assert_eq!(read(&sample()), Ok(Contents::Udp { from, to, payload: b"hello" }));
    }

    #[test]
    fn a_damaged_datagram_is_malformed() {
        for at in 14..sample().len() {
            let mut frame = sample();
            frame[at] ^= 0x40;
            assert!(read(&frame).is_err(), "byte {at}");
        }
        assert_eq!(read(&[0; 10]), Err(Dropped::Malformed));
        assert_eq!(read(&[0; 2000]), Err(Dropped::Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..3u8) {
            let mut frame = bytes;
            if let Some(ethertype) = frame.get_mut(12..14) {
                ethertype.copy_from_slice(&[[0x08, 0x00], [0x08, 0x06], [0x86, 0xDD]][usize::from(kind)]);
            }
            let _ = read(&frame);
        }
    }
}
