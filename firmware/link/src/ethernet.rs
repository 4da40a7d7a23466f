//! Link messages in Ethernet frames of their own, for boards with an interface. A UART in QEMU costs a
//! thread hand-over for every byte, a frame costs one for all of it; so time, which is told hundreds of
//! times a run, goes this way. The IP stack and the virtual network never see these frames.
//!
//! After the Ethernet header: channel, length of the body (little endian), body, padding to 60 bytes.
//! The medium keeps order and integrity, so there is no sequence number and no checksum.

use alloc::vec::Vec;

use crate::frame::FrameError;
use crate::message::Message;

/// IEEE 802 local experimental EtherType 1.
const ETHERTYPE: [u8; 2] = [0x88, 0xB5];
const ETHERNET_HEADER_BYTES: usize = 14;
const HEADER_BYTES: usize = ETHERNET_HEADER_BYTES + 3;
const FRAME_BYTES_MIN: usize = 60;

/// The message as a frame from one hardware address to another.
pub fn to_ethernet(message: &impl Message, to: [u8; 6], from: [u8; 6]) -> Vec<u8> {
    let (channel, body) = message.to_body();
    let mut frame = Vec::with_capacity(FRAME_BYTES_MIN.max(HEADER_BYTES + body.len()));
    frame.extend_from_slice(&to);
    frame.extend_from_slice(&from);
    frame.extend_from_slice(&ETHERTYPE);
    frame.push(channel);
    // No message that goes this way is longer than an Ethernet frame.
    frame.extend_from_slice(&(body.len() as u16).to_le_bytes());
    frame.extend_from_slice(&body);
    if frame.len() < FRAME_BYTES_MIN {
        frame.resize(FRAME_BYTES_MIN, 0);
    }
    frame
}

/// The message in a frame; nothing when the frame is ordinary traffic.
pub fn from_ethernet<M: Message>(frame: &[u8]) -> Option<Result<M, FrameError>> {
    if frame.get(12..ETHERNET_HEADER_BYTES)? != ETHERTYPE {
        return None;
    }
    let (Some(header), Some(rest)) =
        (frame.get(ETHERNET_HEADER_BYTES..HEADER_BYTES), frame.get(HEADER_BYTES..))
    else {
        return Some(Err(FrameError::Short));
    };
    let length = usize::from(u16::from_le_bytes([header[1], header[2]]));
    let Some(body) = rest.get(..length) else { return Some(Err(FrameError::Short)) };
    Some(M::from_body(header[0], body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FromDevice, Grant, Idle, ToDevice};
    use proptest::prelude::*;

    const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const B: [u8; 6] = [2, 0, 0, 0, 0, 2];

    #[test]
    fn time_goes_both_ways() {
        let grant = ToDevice::Time(Grant { seq: 7, mono_us: 5_000_000, unix_us: 1_767_225_600_000_000 });
        assert_eq!(from_ethernet(&to_ethernet(&grant, A, B)), Some(Ok(grant)));
        let idle = FromDevice::Time(Idle { seq: 7, deadline_us: Some(9), ..Idle::default() });
        let frame = to_ethernet(&idle, B, A);
        assert_eq!(frame.len(), 60, "padded");
        assert_eq!(from_ethernet(&frame), Some(Ok(idle)));
    }

    #[test]
    fn ordinary_traffic_is_left_alone_and_a_cut_frame_is_reported() {
        let mut frame = to_ethernet(&FromDevice::Time(Idle::default()), A, B);
        assert_eq!(from_ethernet::<FromDevice>(&frame[..15]), Some(Err(FrameError::Short)));
        frame[12] = 0x08;
        assert_eq!(from_ethernet::<FromDevice>(&frame), None);
        assert_eq!(from_ethernet::<FromDevice>(&[]), None);
    }

    proptest! {
        #[test]
        fn no_frame_panics(frame in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut frame = frame;
            if let Some(ethertype) = frame.get_mut(12..14) {
                ethertype.copy_from_slice(&ETHERTYPE);
            }
            let _ = from_ethernet::<ToDevice>(&frame);
        }
    }
}
