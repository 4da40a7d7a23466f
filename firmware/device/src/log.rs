//! The log: defmt frames on a channel of their own, so that a line costs a few bytes here and its text, file and
//! line number come from the image on the other side. A frame that does not fit is left out whole.

use core::cell::RefCell;

use critical_section::{Mutex, RestoreState};
use embassy_time::Instant;

use crate::rtt::{self, Up};

/// The longest frame; a longer one is left out.
const FRAME_BYTES_MAX: usize = 256;

#[defmt::global_logger]
struct Logger;

struct Frame {
    encoder: defmt::Encoder,
    bytes: [u8; FRAME_BYTES_MAX],
    length: usize,
    overflown: bool,
    /// What ends the critical section that the frame is written in; none between frames.
    section: Option<RestoreState>,
}

static FRAME: Mutex<RefCell<Frame>> = Mutex::new(RefCell::new(Frame {
    encoder: defmt::Encoder::new(),
    bytes: [0; FRAME_BYTES_MAX],
    length: 0,
    overflown: false,
    section: None,
}));

fn with_frame(f: impl FnOnce(&mut defmt::Encoder, &mut dyn FnMut(&[u8]))) {
    critical_section::with(|cs| {
        let frame = &mut *FRAME.borrow_ref_mut(cs);
        let Frame { encoder, bytes, length, overflown, .. } = frame;
        f(encoder, &mut |part| match bytes.get_mut(*length..*length + part.len()) {
            Some(slot) => {
                slot.copy_from_slice(part);
                *length += part.len();
            }
            None => *overflown = true,
        });
    });
}

// SAFETY: a critical section lasts from `acquire` to `release`, so nobody else is between the two.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: ended by `release`, which defmt calls after every `acquire`.
        let section = unsafe { critical_section::acquire() };
        critical_section::with(|cs| {
            let frame = &mut *FRAME.borrow_ref_mut(cs);
            (frame.length, frame.overflown, frame.section) = (0, false, Some(section));
        });
        with_frame(|encoder, write| encoder.start_frame(write));
    }

    unsafe fn write(bytes: &[u8]) {
        with_frame(|encoder, write| encoder.write(bytes, write));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        with_frame(|encoder, write| encoder.end_frame(write));
        let section = critical_section::with(|cs| {
            let frame = &mut *FRAME.borrow_ref_mut(cs);
            if !frame.overflown && rtt::room(Up::Log) >= frame.length {
                rtt::write(Up::Log, &frame.bytes[..frame.length]);
            }
            frame.section.take()
        });
        if let Some(section) = section {
            // SAFETY: the one that `acquire` began.
            unsafe { critical_section::release(section) }
        }
    }
}

defmt::timestamp!("{=u64:us}", Instant::now().as_micros());
