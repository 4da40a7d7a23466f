//! What is plugged into this desk, and what `boards.local.yaml` could say of it: a text with a reason for each
//! choice. It only looks and proposes; nothing is opened, and no file is written.

use std::fmt::{self, Write};
use std::path::Path;

use super::error::{UDEV_FILE, udev_rule};
use super::identity::Wanted;
use super::{Candidate, ProbeError, candidates};
use crate::serial::check_permission;
use crate::{Backend, Board, LinkVia, LocalBoards, SerialError, UsbSerialPort, usb_serial_ports};

/// What is plugged in.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Debug probes.
    pub probes: Vec<Candidate>,
    /// Serial ports of USB devices.
    pub ports: Vec<UsbSerialPort>,
}

/// What came of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// A text for `boards.local.yaml`, with a reason for each choice.
    pub text: String,
    /// What keeps something that is plugged in from use, with what helps.
    pub troubles: Vec<String>,
}

impl Scan {
    /// Asks the system.
    pub fn new() -> Result<Self, SerialError> {
        Ok(Self { probes: candidates(), ports: usb_serial_ports()? })
    }

    /// Whether nothing is plugged in that a board could hang on.
    pub fn is_empty(&self) -> bool {
        self.probes.is_empty() && self.ports.is_empty()
    }

    /// What to check when nothing is there.
    pub fn what_to_check(boards: &[Board]) -> Vec<String> {
        let mut checks = vec![
            "is the cable one that carries data? Many only charge".to_owned(),
            "does the system see the device? `lsusb` lists it, and `dmesg` says what became of it".to_owned(),
            "in a container or a virtual machine: are /dev/bus/usb and the device handed through?".to_owned(),
            format!(
                "listed by `lsusb` and yet not here: may you open it? Put these lines into {UDEV_FILE}, then plug it in again"
            ),
        ];
        let mut rules: Vec<String> = on_desks(boards)
            .filter_map(|board| board.probe.as_ref()?.usb_ids().ok())
            .filter_map(|(vid, pid)| Some(format!("    {}", udev_rule(vid?, pid))))
            .collect();
        rules.sort();
        rules.dedup();
        checks.extend(rules);
        checks
    }

    /// What the local file could say.
    pub fn proposal(&self, boards: &[Board], local: &LocalBoards) -> Proposal {
        let mut writer = Writer { scan: self, local, text: String::new(), troubles: Vec::new() };
        writer.line(0, &"boards:");
        for board in on_desks(boards) {
            let fitting: Vec<_> = self.probes.iter().filter(|probe| fits(board, probe)).collect();
            if !fitting.is_empty() {
                writer.line(2, &format_args!("{}: # {}", board.id, board.name));
            }
            for probe in fitting {
                let others: Vec<_> =
                    on_desks(boards).filter(|one| fits(one, probe) && one.id != board.id).collect();
                writer.unit(board, probe, &others);
            }
        }
        writer.leftovers(boards);
        writer.absent();
        Proposal { text: writer.text, troubles: writer.troubles }
    }

    /// Probes that the driver cannot tell from this one, itself included.
    fn twins(&self, probe: &Candidate) -> usize {
        let key = |one: &Candidate| (one.vid, one.pid, one.serial.clone());
        self.probes.iter().filter(|other| key(other) == key(probe)).count()
    }

    /// Serial ports of the same USB device.
    fn ports_of(&self, probe: &Candidate) -> Vec<&UsbSerialPort> {
        let same = |port: &&UsbSerialPort| {
            (port.vid, port.pid) == (probe.vid, probe.pid) && port.serial == probe.serial
        };
        self.ports.iter().filter(same).collect()
    }
}

/// Boards behind real probes.
fn on_desks(boards: &[Board]) -> impl Iterator<Item = &Board> {
    boards.iter().filter(|board| board.backend == Backend::Probe && board.emulator.is_none())
}

fn fits(board: &Board, probe: &Candidate) -> bool {
    let ids = board.probe.as_ref().and_then(|spec| spec.usb_ids().ok());
    ids.is_some_and(|(vid, pid)| Wanted { vid, pid, ..Wanted::default() }.fits(probe))
}

struct Writer<'a> {
    scan: &'a Scan,
    local: &'a LocalBoards,
    text: String,
    troubles: Vec<String>,
}

impl Writer<'_> {
    fn line(&mut self, indent: usize, text: &dyn fmt::Display) {
        // Writing into memory has no way to fail.
        let _ = writeln!(self.text, "{:indent$}{text}", "");
    }

    fn unit(&mut self, board: &Board, probe: &Candidate, others: &[&Board]) {
        if !probe.accessible {
            let (name, vid, pid) = (probe.to_string(), probe.vid, probe.pid);
            self.trouble(ProbeError::NoPermission { probe: name, vid, pid }.to_string());
        }
        if self.scan.twins(probe) > 1 {
            self.line(4, &format_args!("# {probe}: left out, it has a twin"));
            let alike = "are alike to their driver, whatever their USB paths: plug in one of them at a time";
            self.trouble(format!(
                "probes {:04x}:{:04x} with one serial number {alike}",
                probe.vid, probe.pid
            ));
            return;
        }
        let has_already = self.local.named().any(|(id, unit)| {
            id == board.id
                && (unit.probe_serial.is_some() || unit.usb_path.is_some())
                && unit.probe_serial.iter().all(|serial| Some(serial) == probe.serial.as_ref())
                && unit.usb_path.iter().all(|path| Some(path) == probe.usb_path.as_ref())
        });
        let known = if has_already { "; boards.local.yaml has it already" } else { "" };
        self.line(4, &format_args!("# {probe}: {}{known}", why(board, others)));
        // What could be another board is for a person to decide.
        let mark = if others.is_empty() { "" } else { "# " };
        let first = match (&probe.serial, &probe.usb_path) {
            (Some(serial), _) => format!("probe_serial: {}", quoted(serial)),
            (None, Some(path)) => format!("usb_path: {}", quoted(path)),
            (None, None) => "{} # nothing to tell it from another of its kind".to_owned(),
        };
        self.line(4, &format_args!("{mark}- {first}"));
        self.port(board, probe, mark);
    }

    fn port(&mut self, board: &Board, probe: &Candidate, mark: &str) {
        let Some(link) = board.link.as_ref().filter(|link| link.via == LinkVia::Serial) else {
            return self.line(6, &"# no port: its link does not go over a serial line");
        };
        let scan = self.scan;
        let own = if link.same_usb_as_probe { scan.ports_of(probe) } else { scan.ports.iter().collect() };
        let whose =
            if link.same_usb_as_probe { "of the probe's own USB device" } else { "of any USB device" };
        match own[..] {
            [] => self.line(6, &format_args!("# no serial port {whose} is there, and its link needs one")),
            [one] => {
                self.line(6, &format_args!("# {one}: the only one {whose}"));
                self.line(6, &format_args!("{mark}port: {}", quoted(&address(one))));
            }
            _ => {
                self.line(
                    6,
                    &format_args!("# {} serial ports {whose}: unmark the one that the link is on", own.len()),
                );
                own.iter().for_each(|port| {
                    self.line(6, &format_args!("# port: {} # {port}", quoted(&address(port))))
                });
            }
        }
    }

    /// What is plugged in and has no place above.
    fn leftovers(&mut self, boards: &[Board]) {
        let scan = self.scan;
        for probe in scan.probes.iter().filter(|probe| !on_desks(boards).any(|board| fits(board, probe))) {
            self.line(
                2,
                &format_args!("# {probe}: no board file wants a probe {:04x}:{:04x}", probe.vid, probe.pid),
            );
        }
        for port in &scan.ports {
            if let Err(error) = check_permission(Path::new(&port.path)) {
                self.trouble(error.to_string());
            }
            if !scan.probes.iter().any(|probe| scan.ports_of(probe).contains(&port)) {
                self.line(
                    2,
                    &format_args!("# {port}: belongs to no debug probe; a board's `port` may name it"),
                );
            }
        }
    }

    /// What the file names and nobody has plugged in.
    fn absent(&mut self) {
        for (id, unit) in self.local.named() {
            let (vid, pid) = (None, None);
            let wanted =
                Wanted { vid, pid, serial: unit.probe_serial.clone(), usb_path: unit.usb_path.clone() };
            if !self.scan.probes.iter().any(|probe| wanted.fits(probe)) {
                self.trouble(format!(
                    "boards.local.yaml names a {id} with probe {wanted}, which is not plugged in"
                ));
            }
        }
    }

    fn trouble(&mut self, text: String) {
        if !self.troubles.contains(&text) {
            self.troubles.push(text);
        }
    }
}

fn why(board: &Board, others: &[&Board]) -> String {
    let spec = board.probe.as_ref().and_then(|spec| spec.usb_ids().ok());
    let (vid, pid) = spec.unwrap_or_default();
    let wanted = Wanted { vid, pid, ..Wanted::default() };
    if others.is_empty() {
        return format!("boards/{}.yaml alone wants a probe {wanted}", board.id);
    }
    let others = others.iter().map(|other| other.id.as_str()).collect::<Vec<_>>().join(", ");
    format!("fits {others} too; unmark the one that it is, the chip is read before anything is written")
}

/// How the local file names a port: by its device, because port names change with the order of plugging in.
fn address(port: &UsbSerialPort) -> String {
    let serial = port.serial.as_ref().map(|serial| format!(",serial={serial}")).unwrap_or_default();
    let interface = port.interface.map(|number| format!(",interface={number}")).unwrap_or_default();
    format!("usb:{:04x}:{:04x}{serial}{interface}", port.vid, port.pid)
}

/// A text in YAML's double quotes.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => drop(write!(out, "\\x{:02x}", u32::from(c) & 0xFF)),
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
