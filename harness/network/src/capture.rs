//! The capture: every frame at the device's port, written as pcapng with the TLS secrets inside, so that
//! Wireshark opens it decrypted. Implements draft-ietf-opsawg-pcapng, 4.1 to 4.4 and 4.7.

use std::io::{self, Write};

use hilarm_model::Timestamp;

use crate::LinkId;
use crate::wire::Direction;

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
const TLS_KEY_LOG: u32 = 0x544C_534B;
const LINKTYPE_ETHERNET: u16 = 1;
const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const OPTION_INTERFACE_NAME: u16 = 2;
const OPTION_PACKET_FLAGS: u16 = 2;
const OPTION_TIME_RESOLUTION: u16 = 9;
/// 10^-9 s: readers that ignore the option and readers that assume nanoseconds then agree.
const NANOSECONDS: u8 = 9;
const FLAG_INBOUND: u32 = 1;
const FLAG_OUTBOUND: u32 = 2;

/// The frames of one network, up to a bound.
#[derive(Debug)]
pub(crate) struct Capture {
    frames: Vec<Captured>,
    kept_bytes: usize,
    bytes_max: usize,
    left_out: u64,
}

#[derive(Debug)]
struct Captured {
    at: Timestamp,
    link: LinkId,
    direction: Direction,
    frame: Vec<u8>,
    lost: bool,
}

impl Capture {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { frames: Vec::new(), kept_bytes: 0, bytes_max, left_out: 0 }
    }

    /// A frame that the device sent (`lost`: and that got no further) or that reached it.
    pub(crate) fn record(
        &mut self,
        at: Timestamp,
        link: LinkId,
        direction: Direction,
        frame: &[u8],
        lost: bool,
    ) {
        if self.kept_bytes + frame.len() > self.bytes_max {
            self.left_out += 1;
            return;
        }
        self.kept_bytes += frame.len();
        self.frames.push(Captured { at, link, direction, frame: frame.to_vec(), lost });
    }

    /// Writes the capture; `devices` are the interfaces' names in the order of their links.
    pub(crate) fn write(&self, devices: &[&str], secrets: &str, out: &mut dyn Write) -> io::Result<()> {
        write_block(out, SECTION_HEADER, &self.section_header())?;
        for device in devices {
            write_block(out, INTERFACE_DESCRIPTION, &interface_description(device))?;
        }
        if !secrets.is_empty() {
            write_block(out, DECRYPTION_SECRETS, &decryption_secrets(secrets))?;
        }
        for frame in &self.frames {
            write_block(out, ENHANCED_PACKET, &frame.packet())?;
        }
        out.flush()
    }

    fn section_header(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&0x1A2B_3C4D_u32.to_le_bytes());
        body.extend_from_slice(&[1, 0, 0, 0]);
        // The section's length is not given.
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        if self.left_out > 0 {
            let note = format!("{} frames beyond the capture's bound were left out", self.left_out);
            push_option(&mut body, OPTION_COMMENT, note.as_bytes());
            push_option(&mut body, OPTION_END, &[]);
        }
        body
    }
}

impl Captured {
    fn packet(&self) -> Vec<u8> {
        let micros = u64::try_from(self.at.as_micros()).unwrap_or(0);
        let nanos = micros.saturating_mul(1000);
        let length = u32::try_from(self.frame.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut body = Vec::with_capacity(self.frame.len() + 48);
        body.extend_from_slice(&self.link.0.to_le_bytes());
        body.extend_from_slice(&((nanos >> 32) as u32).to_le_bytes());
        body.extend_from_slice(&(nanos as u32).to_le_bytes());
        body.extend_from_slice(&length);
        body.extend_from_slice(&length);
        push_padded(&mut body, &self.frame);
        let flags = if self.direction == Direction::ToDevice { FLAG_INBOUND } else { FLAG_OUTBOUND };
        push_option(&mut body, OPTION_PACKET_FLAGS, &flags.to_le_bytes());
        if self.lost {
            push_option(&mut body, OPTION_COMMENT, b"lost by the virtual network");
        }
        push_option(&mut body, OPTION_END, &[]);
        body
    }
}

fn interface_description(device: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&LINKTYPE_ETHERNET.to_le_bytes());
    // Reserved, and no limit on captured lengths.
    body.extend_from_slice(&[0; 6]);
    push_option(&mut body, OPTION_INTERFACE_NAME, device.as_bytes());
    push_option(&mut body, OPTION_TIME_RESOLUTION, &[NANOSECONDS]);
    push_option(&mut body, OPTION_END, &[]);
    body
}

fn decryption_secrets(key_log: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(key_log.len() + 12);
    body.extend_from_slice(&TLS_KEY_LOG.to_le_bytes());
    body.extend_from_slice(&u32::try_from(key_log.len()).unwrap_or(u32::MAX).to_le_bytes());
    push_padded(&mut body, key_log.as_bytes());
    body
}

fn push_option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    // Names and comments are ours and short.
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    push_padded(body, value);
}

fn push_padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn write_block(out: &mut dyn Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12).map_err(|_| io::ErrorKind::FileTooLarge)?.to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(body)?;
    out.write_all(&length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcap_file::pcapng::{Block, PcapNgReader};

    fn blocks(capture: &Capture, secrets: &str) -> Vec<Block<'static>> {
        let mut bytes = Vec::new();
        capture.write(&["pump-1"], secrets, &mut bytes).unwrap();
        let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = reader.next_block() {
            blocks.push(block.unwrap().into_owned());
        }
        blocks
    }

    #[test]
    fn an_independent_reader_finds_interfaces_secrets_and_frames() {
        let mut capture = Capture::new(1000);
        let at = Timestamp::from_micros(1_767_225_600_000_001);
        capture.record(at, LinkId(0), Direction::FromDevice, &[1, 2, 3], false);
        capture.record(at, LinkId(0), Direction::ToDevice, &[4; 60], true);
        let blocks = blocks(&capture, "CLIENT_RANDOM 00 11\n");
        assert!(matches!(&blocks[0], Block::InterfaceDescription(_)));
        let Block::Unknown(secrets) = &blocks[1] else { panic!("{:?}", blocks[1]) };
        assert_eq!(secrets.type_, DECRYPTION_SECRETS);
        assert_eq!(&secrets.value[..8], [0x4B, 0x53, 0x4C, 0x54, 20, 0, 0, 0]);
        assert_eq!(&secrets.value[8..28], b"CLIENT_RANDOM 00 11\n");
        let Block::EnhancedPacket(packet) = &blocks[2] else { panic!("{:?}", blocks[2]) };
        assert_eq!(packet.data.as_ref(), [1, 2, 3]);
        assert_eq!(packet.timestamp.as_micros(), 1_767_225_600_000_001);
        assert_eq!(blocks.len(), 4);
    }

    #[test]
    fn frames_beyond_the_bound_are_left_out_and_counted() {
        let mut capture = Capture::new(100);
        for _ in 0..5 {
            capture.record(Timestamp::from_secs(-5), LinkId(0), Direction::FromDevice, &[0; 60], false);
        }
        assert_eq!(blocks(&capture, "").len(), 2);
        assert_eq!(capture.left_out, 4);
    }
}
