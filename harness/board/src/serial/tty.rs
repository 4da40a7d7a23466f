//! Serial ports of this machine: opened for ourselves alone, raw, at a given speed.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serialport::{ErrorKind, TTYPort};

use super::SerialError;

/// Opens a terminal exclusively, eight bits without flow control, non-blocking. Lines for modems are asked
/// for and not insisted on: pseudo terminals have none.
pub(super) fn open(path: &Path, baud: u32) -> Result<OwnedFd, SerialError> {
    let builder = serialport::new(path.to_string_lossy(), baud).dtr_on_open(true);
    let port = TTYPort::open(&builder).map_err(|error| explain(path, &error))?;
    let port = owned(port);
    let unusable = |error: rustix::io::Errno| SerialError::Unusable {
        path: path.display().to_string(),
        error: error.to_string(),
    };
    let flags = rustix::fs::fcntl_getfl(&port).map_err(unusable)?;
    rustix::fs::fcntl_setfl(&port, flags | OFlags::NONBLOCK).map_err(unusable)?;
    Ok(port)
}

#[allow(unsafe_code)]
fn owned(port: TTYPort) -> OwnedFd {
    // SAFETY: `into_raw_fd` gives the open descriptor away and forgets it, so nobody else closes it.
    unsafe { OwnedFd::from_raw_fd(port.into_raw_fd()) }
}

fn explain(path: &Path, error: &serialport::Error) -> SerialError {
    let shown = path.display().to_string();
    match error.kind {
        // The crate says so when a lock, of the terminal or of the file, is another's.
        ErrorKind::NoDevice => SerialError::Busy { path: shown, holder: holder(path) },
        ErrorKind::Io(std::io::ErrorKind::NotFound) => SerialError::Absent { path: shown },
        ErrorKind::Io(std::io::ErrorKind::PermissionDenied) => {
            SerialError::Forbidden { path: shown, group: group_of(path) }
        }
        _ => SerialError::Unusable { path: shown, error: error.to_string() },
    }
}

/// Whether this user may open the port.
#[cfg(feature = "probe")]
pub(crate) fn check_permission(path: &Path) -> Result<(), SerialError> {
    match rustix::fs::access(path, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK) {
        Err(rustix::io::Errno::ACCESS) => {
            Err(SerialError::Forbidden { path: path.display().to_string(), group: group_of(path) })
        }
        // Whatever else is wrong with it shows when it is opened.
        _ => Ok(()),
    }
}

/// Who has the port open, as far as the process table shows it to us.
fn holder(path: &Path) -> String {
    let device = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let holders: Vec<_> = processes
        .filter_map(|process| {
            let id: u32 = process.file_name().to_str()?.parse().ok()?;
            has_open(&process.path().join("fd"), &device).then(|| named(id, &process.path()))
        })
        .collect();
    if holders.is_empty() { "a process of another user".to_owned() } else { holders.join(", ") }
}

fn has_open(descriptors: &Path, device: &PathBuf) -> bool {
    let descriptors = std::fs::read_dir(descriptors).into_iter().flatten().flatten();
    descriptors
        .into_iter()
        .any(|descriptor| std::fs::read_link(descriptor.path()).is_ok_and(|to| to == *device))
}

fn named(id: u32, process: &Path) -> String {
    if id == std::process::id() {
        return "this process itself".to_owned();
    }
    let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
    format!("{} (process {id})", name.trim())
}

fn group_of(path: &Path) -> String {
    let group = std::fs::metadata(path).ok().and_then(|file| {
        let groups = std::fs::read_to_string("/etc/group").ok()?;
        group_name(&groups, file.gid())
    });
    group.map(|name| format!(", which belongs to group {name}")).unwrap_or_default()
}

/// From lines of `name:password:id:members`.
fn group_name(groups: &str, id: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serialport::SerialPort;

    #[test]
    fn a_port_that_is_open_already_is_busy_and_its_holder_named() {
        let (_master, slave) = TTYPort::pair().unwrap();
        let path = PathBuf::from(slave.name().unwrap());
        drop(slave);
        let _first = open(&path, 115_200).unwrap();
        let error = open(&path, 115_200).unwrap_err();
        let SerialError::Busy { holder, .. } = &error else { panic!("{error}") };
        assert!(holder.contains("this process itself"), "{holder}");
    }

    #[test]
    fn a_port_that_is_not_there_is_absent_and_a_file_is_unusable() {
        assert!(matches!(open(Path::new("/dev/no-such-tty"), 9600), Err(SerialError::Absent { .. })));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(open(file.path(), 9600), Err(SerialError::Unusable { .. })));
    }

    #[test]
    fn a_group_is_found_by_its_number() {
        let groups = "root:x:0:\ndialout:x:20:alice\nplugdev:x:46:\n";
        assert_eq!(group_name(groups, 20).as_deref(), Some("dialout"));
        assert_eq!(group_name(groups, 2), None);
    }
}
