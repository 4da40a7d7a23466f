//! A board behind a debug probe, opened once and used for many runs: attached, identified, flashed if its image
//! differs; then, for each run, reset, given its configuration, and let go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hilarm_link::{DeviceConfig, config_blob};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, WireProtocol};
use probe_rs::{MemoryInterface, Permissions, Session, Target};

use super::autopsy::{Scene, examine};
use super::chips::target;
use super::device::{ProbeDevice, ProbeHost};
use super::emulator::{Emulator, Plug};
use super::error::words;
use super::flash::{Flashed, check_chip, flash, is_protection, read_register};
use super::identity::{Candidate, Wanted, choose};
use super::log::Log;
use super::rtt;
use super::session::{Held, ProbeSession, Watch};
use super::vitals::{VitalSigns, Vitals};
use super::{LogLine, ProbeError, candidates, reset};
use crate::autopsy::LastGiven;
use crate::elf::{BOOTS_BYTES, BOOTS_SYMBOL};
use crate::linked::{FrameSocket, Frames, LinkedDevice, Parts, Wire, conduit, drain};
use crate::{Board, ChipRegister, Elf, LinkVia, LocalUnit, ProbeSpec, ResetKind, SerialAddress, SerialWire};

/// For one request that moves a few bytes.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// For attaching, which resets some chips.
const ATTACH_LIMIT: Duration = Duration::from_secs(10);
/// For erasing, writing and reading back a whole image over a slow wire.
const FLASH_LIMIT: Duration = Duration::from_secs(120);

/// A word that the firmware's executor counts up.
const HEARTBEAT_SYMBOL: &str = "HILARM_HEARTBEAT";

/// How long opening a board took, and what was done.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// From the probe's opening to the chip's answer.
    pub attach: Duration,
    /// Comparing the image, and writing it if it differed.
    pub flash: Duration,
    /// Whether it differed.
    pub flashed: Flashed,
}

/// A board behind a debug probe.
#[derive(Debug)]
pub struct Station {
    // First, so that the chip is let go of while its probe is still there.
    session: ProbeSession,
    /// The wires of a device, while no device has them.
    wires: Option<(Option<Box<dyn Wire>>, Frames)>,
    emulator: Option<Emulator>,
    board: Board,
    unit: LocalUnit,
    image: Elf,
    symbols: Symbols,
    log: Log,
    vitals: VitalSigns,
    opened: Opened,
}

#[derive(Clone, Copy, Debug)]
struct Symbols {
    rtt: Option<u64>,
    boots: Option<u64>,
    heartbeat: Option<u64>,
}

impl Station {
    /// Finds the board's probe, attaches, makes sure of the chip, and brings the image into it.
    ///
    /// # Errors
    /// Nothing has been written when probe or chip are not certain.
    pub fn open(board: &Board, image: &Elf, unit: &LocalUnit) -> Result<Self, ProbeError> {
        let incomplete = |missing| ProbeError::Incomplete { board: board.id.clone(), missing };
        let spec = board.probe.as_ref().ok_or_else(|| incomplete("probe"))?;
        let chip = board.chip.clone().ok_or_else(|| incomplete("chip"))?;
        if spec.chip_id.is_empty() {
            return Err(incomplete("probe.chip_id"));
        }
        let emulator =
            board.emulator.as_ref().map(|emulator| Emulator::start(board, emulator)).transpose()?;
        let wires = Some(open_wires(board, unit, emulator.as_ref())?);
        let began = Instant::now();
        let session = attach(board, spec, unit, emulator.as_ref())?;
        let attach = began.elapsed();
        let began = Instant::now();
        let (path, flashed_chip) = (image.path().to_owned(), chip);
        let flashed = session
            .ask("flashing", FLASH_LIMIT, move |held| flash(&mut held.session, &path, &flashed_chip))?;
        let opened = Opened { attach, flash: began.elapsed(), flashed };
        let symbols = Symbols {
            rtt: image.symbol(rtt::SYMBOL),
            boots: image.symbol(BOOTS_SYMBOL),
            heartbeat: image.symbol(HEARTBEAT_SYMBOL),
        };
        let (board, unit, image) = (board.clone(), unit.clone(), image.clone());
        let log = Log::of(&image);
        let vitals = VitalSigns::default();
        Ok(Self { session, wires, emulator, board, unit, image, symbols, log, vitals, opened })
    }

    /// Id of the board.
    pub fn board(&self) -> &str {
        &self.board.id
    }

    /// The image it holds.
    pub fn image(&self) -> &Elf {
        &self.image
    }

    /// How its opening went.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// The session with its chip.
    pub fn session(&self) -> &ProbeSession {
        &self.session
    }

    /// Why it cannot be used any more, if that is so.
    pub fn gone(&self) -> Option<String> {
        self.session.gone()
    }

    /// Ends the probe bridge of an emulated board: what pulling out a probe does to one on a desk.
    pub fn unplug(&self) {
        self.emulator.iter().for_each(Emulator::unplug);
    }

    pub(super) fn plug(&self) -> Option<Plug> {
        self.emulator.as_ref().map(Emulator::plug)
    }

    /// Process id of an emulated board's QEMU, for tests that kill it.
    pub fn process_id(&self) -> Option<u32> {
        self.emulator.as_ref().map(Emulator::process_id)
    }

    /// The registers that the chip is known by, as they read now, all bits of them.
    pub fn chip_id(&self) -> Result<Vec<(String, u32)>, ProbeError> {
        let registers = self.board.probe.as_ref().map(|probe| probe.chip_id.clone()).unwrap_or_default();
        self.session.ask("reading what the chip is known by", REQUEST_LIMIT, move |held| {
            let read = |register: &ChipRegister| {
                Ok((register.name.clone(), read_register(&mut held.session, register)?))
            };
            registers.iter().map(read).collect()
        })
    }

    /// What the firmware's heartbeat counts now, where the image has one.
    pub fn heartbeat(&self) -> Result<Option<u32>, ProbeError> {
        let Some(address) = self.symbols.heartbeat else { return Ok(None) };
        self.session.read_word(address).map(Some)
    }

    /// Resets the board into a new life with this configuration and waits until it is idle for the first time.
    pub fn boot(mut self, config: &DeviceConfig) -> Result<ProbeDevice, ProbeError> {
        self.reset()?;
        let (wire, mut frames) = match self.wires.take() {
            Some((wire, frames)) => (wire, frames),
            None => open_wires(&self.board, &self.unit, self.emulator.as_ref())?,
        };
        if let Frames::Socket(socket) = &mut frames {
            socket.serve(config.network.mac);
        }
        let mut wire = match wire {
            Some(wire) => wire,
            None => self.rtt_wire()?,
        };
        // The core stands: what is still in the wires is from an earlier life.
        drain(wire.as_mut(), &frames).map_err(|error| failed("emptying the link", &error))?;
        self.run(config_blob(config))?;
        let (session, emulator) = (self.session.clone(), self.emulator.clone());
        let host = ProbeHost::new(session, emulator, self.log.clone(), self.vitals.clone());
        let parts = Parts { host: Box::new(host), wire, frames };
        let device =
            LinkedDevice::boot_at(self.board.pace(), parts, self.board.timeouts).map_err(|fault| {
                // Its wires are gone with the device that did not come to be.
                let scene = Scene { fault: fault.clone(), given: LastGiven::default() };
                let autopsy = Box::new(examine(&self, scene, || false));
                ProbeError::Boot { fault: Box::new(fault), autopsy }
            })?;
        self.read_log()?;
        Ok(ProbeDevice::new(device, self))
    }

    /// Takes the wires back from a device that is no more.
    pub(super) fn take_back(&mut self, parts: Parts) {
        let over_rtt = self.board.link.as_ref().is_some_and(|link| link.via == LinkVia::Rtt);
        self.wires = Some(((!over_rtt).then_some(parts.wire), parts.frames));
    }

    /// Halts the core until the next run, so that nobody has to look after it.
    pub(super) fn rest(&self) -> Result<(), ProbeError> {
        self.session.ask("halting the core", REQUEST_LIMIT, |held| {
            held.rtt = rtt::Rtt::default();
            held.vitals = Vitals::default();
            let mut core = held.session.core(0).map_err(|error| failed("halting the core", &error))?;
            core.halt(reset::HALT_LIMIT).map(drop).map_err(|error| failed("halting the core", &error))
        })
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    pub(super) fn vitals(&self) -> &VitalSigns {
        &self.vitals
    }

    pub(super) fn heartbeat_address(&self) -> Option<u64> {
        self.symbols.heartbeat
    }

    /// The end of what the firmware said, over RTT or its console, as far as it is known already.
    pub(super) fn last_words(&self, count: usize) -> Vec<String> {
        let log: Vec<String> = self.log.last(count).into_iter().map(|line| line.text).collect();
        if !log.is_empty() {
            return log;
        }
        let console = self.emulator.as_ref().map(Emulator::console_tail).unwrap_or_default();
        let lines: Vec<String> = console.lines().map(str::to_owned).collect();
        lines[lines.len().saturating_sub(count)..].to_vec()
    }

    /// Resets the board after a run that ended badly, and leaves it halted.
    pub(super) fn recover(&mut self) -> Result<(), ProbeError> {
        self.rest()?;
        self.reset()
    }

    /// What the firmware has said last, at most so many lines, with all that its rings hold now.
    pub fn last_log_lines(&self, count: usize) -> Vec<LogLine> {
        // A probe that does not answer leaves the lines that it has brought already.
        let _ = self.read_log();
        self.log.last(count)
    }

    fn read_log(&self) -> Result<(), ProbeError> {
        self.session.ask("reading the log", REQUEST_LIMIT, |held| {
            held.rtt.carry_all(&mut held.session);
            Ok(())
        })
    }

    /// Climbs the ladder until a way works; the core is halted then.
    fn reset(&mut self) -> Result<(), ProbeError> {
        let ladder =
            if self.board.reset.is_empty() { vec![ResetKind::Soft] } else { self.board.reset.clone() };
        let mut tried = Vec::new();
        for kind in ladder {
            match self.reset_by(kind) {
                Ok(()) => return Ok(()),
                // Nobody is there to be reset by other means.
                Err(error @ ProbeError::Gone { .. }) if kind != ResetKind::Power => return Err(error),
                Err(error) => tried.push(format!("{kind:?}: {error}")),
            }
        }
        Err(ProbeError::NotReset { tried })
    }

    fn reset_by(&mut self, kind: ResetKind) -> Result<(), ProbeError> {
        let soft = |held: &mut Held| {
            let mut core = held.session.core(0).map_err(|error| failed("resetting the core", &error))?;
            reset::soft(&mut core)
        };
        match kind {
            ResetKind::Soft => self.session.ask("resetting the core", REQUEST_LIMIT, soft),
            ResetKind::Nreset => self
                .session
                .ask("resetting by the reset line", REQUEST_LIMIT, |held| reset::by_line(&mut held.session)),
            ResetKind::Power => {
                reset::by_power(&self.unit.power)?;
                let incomplete = || ProbeError::Incomplete { board: self.board.id.clone(), missing: "probe" };
                let spec = self.board.probe.clone().ok_or_else(incomplete)?;
                // A probe serves one owner.
                self.session.end();
                self.session = attach(&self.board, &spec, &self.unit, self.emulator.as_ref())?;
                self.session.ask("resetting the core", REQUEST_LIMIT, soft)
            }
        }
    }

    /// Prepares the halted core's memory and lets it run.
    fn run(&self, blob: Vec<u8>) -> Result<(), ProbeError> {
        const DOING: &str = "starting the firmware";
        let incomplete = || ProbeError::Incomplete { board: self.board.id.clone(), missing: "probe" };
        let address = self.board.probe.as_ref().ok_or_else(incomplete)?.config_address;
        let (symbols, log, vitals) = (self.symbols, self.log.clone(), self.vitals.clone());
        log.clear();
        self.session.ask(DOING, REQUEST_LIMIT, move |held| {
            let mut core = held.session.core(0).map_err(|error| failed(DOING, &error))?;
            core.write(address, &blob).map_err(|error| failed(DOING, &error))?;
            if let Some(boots) = symbols.boots {
                core.write(boots, &[0; BOOTS_BYTES]).map_err(|error| failed(DOING, &error))?;
            }
            held.rtt.restart(&mut core, symbols.rtt, log).map_err(|error| failed(DOING, &error))?;
            held.vitals = Vitals::follow(&mut core, symbols.heartbeat, &vitals)
                .map_err(|error| failed(DOING, &error))?;
            core.run().map_err(|error| failed(DOING, &error))
        })
    }

    /// A wire whose other end the probe's thread carries.
    fn rtt_wire(&self) -> Result<Box<dyn Wire>, ProbeError> {
        const DOING: &str = "opening the link over RTT";
        if self.symbols.rtt.is_none() {
            return Err(ProbeError::Failed {
                doing: DOING,
                error: format!("the image has no {}", rtt::SYMBOL),
            });
        }
        let (ours, theirs) = conduit().map_err(|error| failed(DOING, &error))?;
        self.session.ask(DOING, REQUEST_LIMIT, move |held| {
            held.rtt.carry_link(theirs);
            Ok(())
        })?;
        Ok(Box::new(ours))
    }
}

pub(super) fn failed(doing: &'static str, error: &dyn std::error::Error) -> ProbeError {
    ProbeError::Failed { doing, error: words(error) }
}

/// Opens the probe and attaches to the chip; the chip is made sure of before anything else.
fn attach(
    board: &Board,
    spec: &ProbeSpec,
    unit: &LocalUnit,
    emulator: Option<&Emulator>,
) -> Result<ProbeSession, ProbeError> {
    let chip = board.chip.clone().unwrap_or_default();
    let description = target(&chip)?;
    let (name, selector) = match emulator {
        Some(emulator) => (emulator.selector().to_owned(), emulator.selector().to_owned()),
        None => {
            let found = find(spec, unit)?;
            (found.to_string(), selector(&found))
        }
    };
    let watch: Watch = match emulator.cloned() {
        Some(emulator) => Arc::new(move || emulator.gone()),
        None => Arc::new(|| None),
    };
    let (spec, probe) = (spec.clone(), name.clone());
    ProbeSession::start(name, watch, ATTACH_LIMIT, move || {
        let mut session =
            attach_by(&selector, &spec, description).map_err(|error| attach_error(&probe, &chip, &error))?;
        check_chip(&mut session, &probe, &chip, &spec.chip_id)?;
        Ok(session)
    })
}

/// Whether the board's probe is plugged in, alone of its kind and open to us. Touches nothing.
pub fn is_there(board: &Board, unit: &LocalUnit) -> Result<(), ProbeError> {
    match (&board.probe, &board.emulator) {
        (_, Some(_)) => Ok(()),
        (Some(spec), None) => find(spec, unit).map(drop),
        (None, None) => Err(ProbeError::Incomplete { board: board.id.clone(), missing: "probe" }),
    }
}

/// The one probe that the board's file and `boards.local.yaml` mean.
fn find(spec: &ProbeSpec, unit: &LocalUnit) -> Result<Candidate, ProbeError> {
    let (vid, pid) = spec.usb_ids().unwrap_or_default();
    let wanted = Wanted { vid, pid, serial: unit.probe_serial.clone(), usb_path: unit.usb_path.clone() };
    choose(&wanted, &candidates()).cloned()
}

fn selector(found: &Candidate) -> String {
    let ids = format!("{:04x}:{:04x}", found.vid, found.pid);
    found.serial.as_ref().map_or(ids.clone(), |serial| format!("{ids}:{serial}"))
}

fn attach_by(selector: &str, spec: &ProbeSpec, chip: Target) -> Result<Session, probe_rs::Error> {
    let other = |error: &dyn std::fmt::Display| probe_rs::Error::Other(error.to_string());
    let selector: DebugProbeSelector = selector.parse().map_err(|error| other(&error))?;
    // By the one driver that lists it: the others would have their own errors to tell.
    let listed = Lister::new().list(Some(&selector));
    let mut probe = listed
        .iter()
        .find(|info| selector.matches_probe(info))
        .map_or_else(|| Lister::new().open(selector.clone()), |info| info.open())?;
    probe.select_protocol(match spec.protocol {
        crate::WireProtocol::Swd => WireProtocol::Swd,
        crate::WireProtocol::Jtag => WireProtocol::Jtag,
    })?;
    if let Some(speed) = spec.speed_khz {
        probe.set_speed(speed)?;
    }
    // Nothing may be erased to get at a locked chip.
    let permissions = Permissions::new();
    if spec.connect_under_reset {
        probe.attach_under_reset(chip, permissions)
    } else {
        probe.attach(chip, permissions)
    }
}

fn attach_error(probe: &str, chip: &str, error: &probe_rs::Error) -> ProbeError {
    let (probe, error) = (probe.to_owned(), words(error));
    if is_protection(&error) {
        return ProbeError::Protected { chip: chip.to_owned(), error };
    }
    ProbeError::Attach { probe, error }
}

/// The link's wire, unless RTT carries it, and the way of frames.
fn open_wires(
    board: &Board,
    unit: &LocalUnit,
    emulator: Option<&Emulator>,
) -> Result<(Option<Box<dyn Wire>>, Frames), ProbeError> {
    let incomplete = |missing| ProbeError::Incomplete { board: board.id.clone(), missing };
    let link = board.link.as_ref().ok_or_else(|| incomplete("link"))?;
    let wire = match link.via {
        LinkVia::Serial => {
            let address = line(board, unit, emulator)?;
            let wire =
                SerialWire::open(address, link.baud).map_err(|error| failed("opening the link", &error))?;
            Some(Box::new(wire) as Box<dyn Wire>)
        }
        LinkVia::Rtt => None,
        LinkVia::Uart0 | LinkVia::Uart1 => return Err(incomplete("link.via: serial or rtt")),
    };
    let frames = match emulator.and_then(Emulator::frames) {
        Some((own, peer)) => Frames::Socket(
            FrameSocket::bind(own, peer.clone(), [0; 6])
                .map_err(|error| failed("opening the device's network", &error))?,
        ),
        None => Frames::OverLink,
    };
    Ok((wire, frames))
}

/// The serial line of the link: what the emulator offers, what `boards.local.yaml` names, or the port of the USB
/// device that the probe is.
fn line(board: &Board, unit: &LocalUnit, emulator: Option<&Emulator>) -> Result<SerialAddress, ProbeError> {
    if let Some(port) = emulator.and_then(Emulator::port) {
        return Ok(SerialAddress::Path(port.clone()));
    }
    let wrong = |error: &dyn std::error::Error| failed("finding the board's serial port", error);
    if let Some(port) = &unit.port {
        return port.parse().map_err(|error| wrong(&error));
    }
    let same_usb = board.link.as_ref().is_some_and(|link| link.same_usb_as_probe);
    let (Some(spec), true) = (&board.probe, same_usb) else {
        return Err(ProbeError::Incomplete { board: board.id.clone(), missing: "port in boards.local.yaml" });
    };
    let probe = find(spec, unit)?;
    let serial = probe.serial.as_ref().map(|serial| format!(",serial={serial}")).unwrap_or_default();
    format!("usb:{:04x}:{:04x}{serial}", probe.vid, probe.pid).parse().map_err(|error| wrong(&error))
}
