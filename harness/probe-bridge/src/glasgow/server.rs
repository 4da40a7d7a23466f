//! One debugger's connection: packets in, what they do to the core, packets out.
//!
//! However it ends, the debugger is to learn of it: its driver would read an orderly end of the stream for ever, so the
//! last thing sent is a packet that it cannot decode.

use std::io::{Read, Write};

use super::root::{ResetLine, Root};
use super::swd::{self, Swd};
use super::{Endpoint, ProtocolError, cobs};
use crate::adi::debug_port::DebugPort;
use crate::debug::core::Core;
use crate::debug::machine::Machine;
use crate::link_error::LinkError;

/// Ends a packet that was begun, and then an empty one, which is an error to the driver.
const UNDECODABLE: &[u8] = &[0, 0];

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionEnd {
    /// The debugger closed it, or the bridge did.
    #[error("closed")]
    Closed,
    /// The debugger sent what no Glasgow understands.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// QEMU failed.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Serves a debugger until either side ends it. The caller notes why, and then dismisses the debugger.
pub(crate) fn serve<M: Machine>(stream: &mut (impl Read + Write), core: &mut Core<M>) -> SessionEnd {
    let mut session = Session::default();
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return SessionEnd::Closed,
            Ok(length) => length,
        };
        match session.answer(&buffer[..length], core) {
            Ok(replies) if stream.write_all(&replies).is_err() => return SessionEnd::Closed,
            Ok(_) => {}
            Err(end) => return end,
        }
    }
}

/// Makes a debugger's pending operation fail. Gone already is as good.
pub(crate) fn dismiss(stream: &mut impl Write) {
    let _ = stream.write_all(UNDECODABLE);
}

/// One debugger's endpoints.
#[derive(Debug, Default)]
struct Session {
    deframer: cobs::Deframer,
    root: Root,
    swd: Swd,
    debug_port: DebugPort,
}

impl Session {
    /// What the debugger's bytes bring about, and the packets that answer them.
    fn answer<M: Machine>(&mut self, bytes: &[u8], core: &mut Core<M>) -> Result<Vec<u8>, SessionEnd> {
        let mut answers = Vec::new();
        for packet in self.deframer.push(bytes).map_err(ProtocolError::from)? {
            let (endpoint, body) = packet.split_first().ok_or(ProtocolError::Endpoint)?;
            let endpoint = Endpoint::from_byte(*endpoint).ok_or(ProtocolError::Endpoint)?;
            let mut replies = vec![endpoint as u8];
            match endpoint {
                Endpoint::Root => self.answer_root(body, core, &mut replies)?,
                Endpoint::Swd => self.answer_swd(body, core, &mut replies)?,
            }
            if replies.len() > 1 {
                answers.extend(cobs::encode(&replies));
            }
        }
        core.settle()?;
        Ok(answers)
    }

    fn answer_root<M: Machine>(
        &mut self,
        body: &[u8],
        core: &mut Core<M>,
        replies: &mut Vec<u8>,
    ) -> Result<(), SessionEnd> {
        for change in self.root.take(body, replies)? {
            match change {
                ResetLine::Assert => core.assert_reset()?,
                ResetLine::Release => core.release_reset()?,
            }
        }
        Ok(())
    }

    fn answer_swd<M: Machine>(
        &mut self,
        body: &[u8],
        core: &mut Core<M>,
        replies: &mut Vec<u8>,
    ) -> Result<(), SessionEnd> {
        let transfers = self.swd.take(body)?;
        let responses = self.debug_port.carry_out(&transfers, core)?;
        self.debug_port.clear_fault();
        swd::encode(&responses, replies);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;

    use super::*;
    use crate::config::CoreKind;
    use crate::debug::fake::FakeMachine;

    /// A debugger that has sent all that it will send.
    struct Debugger {
        sent: io::Cursor<Vec<u8>>,
        received: Vec<u8>,
    }

    impl Read for Debugger {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.sent.read(buffer)
        }
    }

    impl Write for Debugger {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.received.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn conversation(sent: Vec<u8>) -> (SessionEnd, Vec<u8>) {
        let mut core = Core::new(FakeMachine::default(), CoreKind::Armv7m, false);
        let mut debugger = Debugger { sent: io::Cursor::new(sent), received: Vec::new() };
        let end = serve(&mut debugger, &mut core);
        dismiss(&mut debugger);
        (end, debugger.received)
    }

    #[test]
    fn the_drivers_first_packets_are_answered_and_its_end_is_told() {
        let root = cobs::encode(&[0, 0x00, 0x10]);
        let wire = cobs::encode(&[1, 0x02]);
        let (end, received) = conversation([root, wire].concat());
        assert!(matches!(end, SessionEnd::Closed));
        let identified = cobs::encode(b"\0probe-rs,v01\x00\x6c\xdc\x02");
        let port = cobs::encode(&[1, 0x01, 0x77, 0x14, 0xA0, 0x2B]);
        assert_eq!(received, [&identified, &port, UNDECODABLE].concat());
    }

    #[test]
    fn a_packet_for_nobody_ends_the_connection() {
        for packet in [cobs::encode(&[2, 0]), cobs::encode(&[]), vec![9, 1, 0]] {
            let (end, received) = conversation(packet);
            assert!(matches!(end, SessionEnd::Protocol(_)), "{end}");
            assert_eq!(received, UNDECODABLE);
        }
    }

    #[test]
    fn what_follows_a_fault_in_its_packet_is_dropped() {
        let set_address = [0x05, 0, 0, 0, 0x90];
        let wire = [&[1][..], &set_address, &[0x0F, 0x0F, 0x0E]].concat();
        let (_, received) = conversation(cobs::encode(&wire));
        assert_eq!(received, [cobs::encode(&[1, 0x11, 0x14]), UNDECODABLE.to_vec()].concat());
    }

    proptest! {
        #[test]
        fn whatever_a_debugger_sends_the_connection_ends(
            garbage in prop::collection::vec(any::<u8>(), 0..200),
            packets in prop::collection::vec((0u8..2, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        ) {
            let framed = packets.iter().flat_map(|(to, body)| cobs::encode(&[&[*to], &body[..]].concat()));
            let (_, received) = conversation(framed.chain(garbage.iter().copied()).collect());
            prop_assert!(received.ends_with(UNDECODABLE));
        }
    }
}
