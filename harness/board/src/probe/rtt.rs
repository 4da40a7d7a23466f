//! Real-Time Transfer: rings in the chip's RAM that the probe reads and writes while the firmware runs. Upwards, the
//! channel `defmt` carries the log, the first one that is not called so carries the console as text, and the channel
//! `link` carries, in both directions, the link of a board that has no other way.
//!
//! The control block is where the image's symbol says, never searched for. After a reset it still looks alive until
//! the firmware has made it anew, so its magic is wiped before the firmware runs.

use std::time::{Duration, Instant};

use probe_rs::rtt::{DownChannel, Error, Rtt as ControlBlock, ScanRegion, UpChannel};
use probe_rs::{Core, Session};

use super::defmt;
use super::log::Log;
use crate::linked::ConduitEnd;

/// The symbol of the control block.
pub(super) const SYMBOL: &str = "_SEGGER_RTT";
const LINK: &str = "link";
/// A glance at the log stops an emulated core for a moment, so it is rare.
const LOG_PAUSE: Duration = Duration::from_millis(100);
/// A link that waits for its probe is slow enough.
const LINK_PAUSE: Duration = Duration::from_millis(1);
/// Taken at once from a ring.
const CHUNK_BYTES: usize = 4096;

/// What the probe's thread carries.
#[derive(Debug, Default)]
pub(super) struct Rtt {
    address: Option<u64>,
    rings: Option<Rings>,
    log: Log,
    log_seen: Option<Instant>,
    link: Option<Link>,
    /// Whether the last look found something to move: more of it may wait.
    moved: bool,
}

/// The channels that mean something here, once the firmware has made them.
#[derive(Debug)]
struct Rings {
    console: Option<UpChannel>,
    log: Option<UpChannel>,
    link: Option<(UpChannel, DownChannel)>,
}

/// The probe's end of the harness's wire, and what either side had no room for.
#[derive(Debug)]
struct Link {
    end: ConduitEnd,
    up: Vec<u8>,
    down: Vec<u8>,
}

impl Rtt {
    /// Forgets the last boot and follows the next one, whose control block will be at `address`. The core is halted.
    pub(super) fn restart(
        &mut self,
        core: &mut Core<'_>,
        address: Option<u64>,
        log: Log,
    ) -> Result<(), Error> {
        *self = Self { address, log, link: self.link.take(), ..Self::default() };
        address.map_or(Ok(()), |address| ControlBlock::clear_control_block(core, &ScanRegion::Exact(address)))
    }

    /// From now on the link's bytes go through `end`, the other end of the harness's wire.
    pub(super) fn carry_link(&mut self, end: ConduitEnd) {
        self.link = Some(Link { end, up: Vec::new(), down: Vec::new() });
    }

    /// How long the thread may wait for a request before it looks at the chip; for ever when there is nothing to see.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.address?;
        Some(match (&self.link, self.moved) {
            (Some(_), true) => Duration::ZERO,
            (Some(_), false) => LINK_PAUSE,
            (None, _) => LOG_PAUSE,
        })
    }

    /// Moves what waits, in both directions. A core that does not answer is found out by the next request.
    pub(super) fn carry(&mut self, session: &mut Session) {
        self.moved = false;
        if let Ok(mut core) = session.core(0)
            && self.try_carry(&mut core).is_err()
        {
            // Rings that make no sense any more: the firmware is making them anew, or has died.
            self.rings = None;
        }
    }

    /// The same with the log, however lately it was looked at.
    pub(super) fn carry_all(&mut self, session: &mut Session) {
        self.log_seen = None;
        self.carry(session);
    }

    fn try_carry(&mut self, core: &mut Core<'_>) -> Result<(), Error> {
        let Some(address) = self.address else { return Ok(()) };
        if self.rings.is_none() {
            // Not there before the firmware has made them.
            self.rings = ControlBlock::attach_region(core, &ScanRegion::Exact(address)).ok().map(Rings::of);
        }
        let Some(rings) = &mut self.rings else { return Ok(()) };
        if self.log_seen.is_none_or(|seen| seen.elapsed() >= LOG_PAUSE) {
            self.log_seen = Some(Instant::now());
            carry_log(core, rings, &self.log)?;
        }
        let (Some((up, down)), Some(link)) = (&mut rings.link, &mut self.link) else { return Ok(()) };
        match link.carry(core, up, down)? {
            Some(moved) => self.moved = moved,
            None => self.link = None,
        }
        Ok(())
    }
}

fn carry_log(core: &mut Core<'_>, rings: &mut Rings, log: &Log) -> Result<(), Error> {
    let mut buffer = [0; CHUNK_BYTES];
    if let Some(console) = &mut rings.console {
        let length = console.read(core, &mut buffer)?;
        log.push_text(&buffer[..length]);
    }
    if let Some(frames) = &mut rings.log {
        let length = frames.read(core, &mut buffer)?;
        log.push_frames(&buffer[..length]);
    }
    Ok(())
}

impl Rings {
    fn of(mut block: ControlBlock) -> Self {
        let ups = std::mem::take(&mut block.up_channels);
        let downs = std::mem::take(&mut block.down_channels);
        let (mut console, mut log, mut link_up) = (None, None, None);
        for up in ups {
            match up.name() {
                Some(defmt::CHANNEL_NAME) => log = Some(up),
                Some(LINK) => link_up = Some(up),
                _ if console.is_none() => console = Some(up),
                _ => {}
            }
        }
        let link_down = downs.into_iter().find(|down| down.name() == Some(LINK));
        Self { console, log, link: link_up.zip(link_down) }
    }
}

impl Link {
    /// Tells whether anything moved; nothing when the harness has dropped its wire.
    fn carry(
        &mut self,
        core: &mut Core<'_>,
        up: &mut UpChannel,
        down: &mut DownChannel,
    ) -> Result<Option<bool>, Error> {
        let mut buffer = [0; CHUNK_BYTES];
        let mut moved = false;
        // What the harness has not taken yet stays in the firmware's ring, which the firmware waits for.
        if self.up.is_empty() {
            let length = up.read(core, &mut buffer)?;
            self.up.extend_from_slice(&buffer[..length]);
        }
        if !self.up.is_empty() {
            let Ok(sent) = self.end.send(&self.up) else { return Ok(None) };
            self.up.drain(..sent);
            moved |= sent > 0;
        }
        if self.down.is_empty() {
            let Ok(length) = self.end.receive(&mut buffer) else { return Ok(None) };
            self.down.extend_from_slice(&buffer[..length]);
        }
        if !self.down.is_empty() {
            let written = down.write(core, &self.down)?;
            self.down.drain(..written);
            moved |= written > 0;
        }
        Ok(Some(moved))
    }
}
