//! The interlock: which probe, and which chip behind it. Nothing is written before both are certain, and a
//! choice is never guessed: two probes that fit are refused, and so is a chip that is not the board's.

use std::fmt;
use std::path::Path;

use super::ProbeError;

/// Where Linux lists what is plugged in.
pub(super) const USB_DEVICES: &str = "/sys/bus/usb/devices";

/// A debug probe that is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What it calls itself.
    pub name: String,
    /// USB vendor id.
    pub vid: u16,
    /// USB product id.
    pub pid: u16,
    /// Its serial number, where it has one.
    pub serial: Option<String>,
    /// The USB path of its socket, `1-4.2`, where it is known.
    pub usb_path: Option<String>,
    /// Whether this user may open it.
    pub accessible: bool,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:04x}:{:04x}", self.name, self.vid, self.pid)?;
        match &self.serial {
            Some(serial) => write!(f, " serial {serial}")?,
            None => f.write_str(" without serial number")?,
        }
        self.usb_path.iter().try_for_each(|path| write!(f, " at USB {path}"))
    }
}

/// What is known of the probe that is wanted: from the board's file, and from `boards.local.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// USB vendor id.
    pub vid: Option<u16>,
    /// USB product id.
    pub pid: Option<u16>,
    /// Serial number.
    pub serial: Option<String>,
    /// USB path of its socket.
    pub usb_path: Option<String>,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |id: Option<u16>| id.map_or("*".to_owned(), |id| format!("{id:04x}"));
        write!(f, "{}:{}", id(self.vid), id(self.pid))?;
        self.serial.iter().try_for_each(|serial| write!(f, " serial {serial}"))?;
        self.usb_path.iter().try_for_each(|path| write!(f, " at USB {path}"))
    }
}

impl Wanted {
    /// Whether a probe is all that is wanted.
    pub(super) fn fits(&self, candidate: &Candidate) -> bool {
        self.vid.is_none_or(|vid| vid == candidate.vid)
            && self.pid.is_none_or(|pid| pid == candidate.pid)
            && (self.serial.is_none() || self.serial == candidate.serial)
            && (self.usb_path.is_none() || self.usb_path == candidate.usb_path)
    }
}

/// The one probe that is wanted.
///
/// # Errors
/// When none fits, when more than one does, when the driver could not tell it from another, or when this user
/// may not open it.
pub(super) fn choose<'a>(wanted: &Wanted, all: &'a [Candidate]) -> Result<&'a Candidate, ProbeError> {
    let fitting: Vec<&Candidate> = all.iter().filter(|candidate| wanted.fits(candidate)).collect();
    let owned = |some: &[&Candidate]| some.iter().map(|&one| one.clone()).collect();
    let chosen = match fitting[..] {
        [] => return Err(ProbeError::NoProbe { wanted: wanted.to_string(), candidates: all.to_vec() }),
        [one] => one,
        _ => {
            return Err(ProbeError::Ambiguous { wanted: wanted.to_string(), candidates: owned(&fitting) });
        }
    };
    // A probe is opened by its ids and serial number: a USB path that tells twins apart here would be lost there.
    let twins: Vec<&Candidate> = all.iter().filter(|other| is_twin(chosen, other)).collect();
    if twins.len() > 1 {
        return Err(ProbeError::Ambiguous { wanted: wanted.to_string(), candidates: owned(&twins) });
    }
    if !chosen.accessible {
        return Err(ProbeError::NoPermission { probe: chosen.to_string(), vid: chosen.vid, pid: chosen.pid });
    }
    Ok(chosen)
}

fn is_twin(one: &Candidate, other: &Candidate) -> bool {
    (one.vid, one.pid, &one.serial) == (other.vid, other.pid, &other.serial)
}

/// Finds the USB paths of devices with these ids and this serial number, in a folder like [`USB_DEVICES`].
pub(super) fn usb_paths(devices: &Path, vid: u16, pid: u16, serial: Option<&str>) -> Vec<String> {
    // No such folder on this system: paths stay unknown.
    let Ok(entries) = std::fs::read_dir(devices) else { return Vec::new() };
    let mut paths: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let of = |name: &str| attribute(&entry.path(), name);
            of("idVendor") == Some(format!("{vid:04x}"))
                && of("idProduct") == Some(format!("{pid:04x}"))
                && of("serial").as_deref() == serial
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    paths.sort();
    paths
}

fn attribute(device: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(device.join(name)).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(serial: Option<&str>, usb_path: &str) -> Candidate {
        Candidate {
            name: "STLink V2-1".to_owned(),
            vid: 0x0483,
            pid: 0x374b,
            serial: serial.map(str::to_owned),
            usb_path: Some(usb_path.to_owned()),
            accessible: true,
        }
    }

    fn st_link() -> Wanted {
        Wanted { vid: Some(0x0483), pid: Some(0x374b), ..Wanted::default() }
    }

    #[test]
    fn the_only_probe_that_fits_is_taken_without_being_named() {
        let all = [probe(Some("A"), "1-1"), Candidate { vid: 0x1366, ..probe(Some("B"), "1-2") }];
        assert_eq!(choose(&st_link(), &all), Ok(&all[0]));
    }

    #[test]
    fn two_probes_that_fit_are_refused_with_both_listed() {
        let all = [probe(Some("A"), "1-1"), probe(Some("B"), "1-2")];
        let error = choose(&st_link(), &all).unwrap_err().to_string();
        assert!(error.contains("serial A at USB 1-1") && error.contains("serial B at USB 1-2"), "{error}");
        assert!(error.contains("boards.local.yaml"), "{error}");
    }

    #[test]
    fn a_serial_number_or_a_usb_path_decides() {
        let all = [probe(Some("A"), "1-1"), probe(Some("B"), "1-2")];
        let by_serial = Wanted { serial: Some("B".to_owned()), ..st_link() };
        let by_path = Wanted { usb_path: Some("1-1".to_owned()), ..st_link() };
        assert_eq!(choose(&by_serial, &all), Ok(&all[1]));
        assert_eq!(choose(&by_path, &all), Ok(&all[0]));
    }

    #[test]
    fn identical_twins_are_refused_even_when_a_usb_path_names_one() {
        let all = [probe(Some("A"), "1-1"), probe(Some("A"), "1-2")];
        let wanted = Wanted { usb_path: Some("1-1".to_owned()), ..st_link() };
        assert!(matches!(choose(&wanted, &all), Err(ProbeError::Ambiguous { .. })));
    }

    #[test]
    fn no_probe_lists_what_is_plugged_in_instead() {
        let all = [probe(Some("A"), "1-1")];
        let wanted = Wanted { serial: Some("C".to_owned()), ..st_link() };
        let error = choose(&wanted, &all).unwrap_err().to_string();
        assert!(error.contains("0483:374b serial C") && error.contains("serial A"), "{error}");
        assert!(choose(&wanted, &[]).unwrap_err().to_string().contains("none at all"));
    }

    #[test]
    fn a_probe_without_permission_names_the_udev_rule() {
        let all = [Candidate { accessible: false, ..probe(Some("A"), "1-1") }];
        let error = choose(&st_link(), &all).unwrap_err().to_string();
        assert!(error.contains("ATTRS{idVendor}==\"0483\", ATTRS{idProduct}==\"374b\""), "{error}");
    }

    #[test]
    fn usb_paths_come_from_devices_with_the_same_ids_and_serial_number() {
        let folder = tempfile::tempdir().unwrap();
        for (path, serial) in [("1-1", "A"), ("1-4.2", "B")] {
            let device = folder.path().join(path);
            std::fs::create_dir(&device).unwrap();
            for (name, value) in [("idVendor", "0483"), ("idProduct", "374b"), ("serial", serial)] {
                std::fs::write(device.join(name), format!("{value}\n")).unwrap();
            }
        }
        assert_eq!(usb_paths(folder.path(), 0x0483, 0x374b, Some("B")), ["1-4.2"]);
        assert_eq!(usb_paths(folder.path(), 0x0483, 0x374b, None), [""; 0]);
        assert_eq!(usb_paths(Path::new("/no/such/folder"), 0x0483, 0x374b, None), [""; 0]);
    }
}
