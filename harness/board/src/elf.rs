//! Firmware images: read once, checked for the machine they are for, identified by their hash.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, elf};
use sha2::{Digest, Sha256};

/// What our firmware calls its count of boots since power-on; wiped where a board is kept, because a run begins with a
/// device that has just been switched on.
pub(crate) const BOOTS_SYMBOL: &str = "HILARM_BOOTS";
pub(crate) const BOOTS_BYTES: usize = 8;

/// A checked firmware image.
#[derive(Clone, Debug)]
pub struct Elf {
    path: PathBuf,
    sha256: String,
    /// Where it was settled when it was opened.
    stamp: Option<Stamp>,
}

/// By what a file is known to be untouched without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    /// Of its last change, in seconds and nanoseconds.
    changed: (i64, i64),
}

/// A file that was changed so shortly before may be changed again within the same tick of its clock.
const SETTLED: Duration = Duration::from_secs(2);

impl Stamp {
    /// Nothing for a file that was only just written.
    fn of(path: &Path) -> std::io::Result<Option<Self>> {
        let file = std::fs::metadata(path)?;
        let changed = (file.ctime(), file.ctime_nsec());
        let stamp = Self { inode: file.ino(), length: file.len(), changed };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = u64::try_from(changed.0).unwrap_or_default();
        Ok((now > Duration::from_secs(since) + SETTLED).then_some(stamp))
    }
}

/// Why a file cannot be booted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// No such file.
    #[error(
        "no firmware at {path}; build it with `cargo xtask firmware`, the example in C with `cargo xtask c-firmware`"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// It is not the file that was opened.
    #[error("{path} was changed since it was opened")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Not an ELF file at all.
    #[error("{path} is not an ELF file")]
    NotElf {
        /// The file.
        path: PathBuf,
    },
    /// An ELF file for another kind of machine.
    #[error("{path} is for {found}, the board needs a 32-bit little-endian Arm image ({triple})")]
    WrongMachine {
        /// The file.
        path: PathBuf,
        /// What it is for.
        found: String,
        /// What the board's file asks for.
        triple: String,
    },
}

const EM_ARM: u16 = 40;

impl Elf {
    /// Reads and checks the image at `path` for a board of the given target triple.
    pub fn open(path: &Path, triple: &str) -> Result<Self, ElfError> {
        let told = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => ElfError::Missing { path: path.to_owned() },
            _ => ElfError::Unreadable { path: path.to_owned(), error: error.to_string() },
        };
        // Before it is read: what is written meanwhile shows.
        let stamp = Stamp::of(path).map_err(told)?;
        let bytes = std::fs::read(path).map_err(told)?;
        check_machine(&bytes, path, triple)?;
        Ok(Self { path: path.to_owned(), sha256: hex::encode(Sha256::digest(&bytes)), stamp })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file, lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The address of a symbol, where the image names it.
    pub fn symbol(&self, name: &str) -> Option<u64> {
        let bytes = std::fs::read(&self.path).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        file.symbol_by_name(name).filter(ObjectSymbol::is_definition).map(|symbol| symbol.address())
    }

    /// What the image loads, and where: the parts of its segments that the file holds, by load address.
    pub fn loaded(&self) -> Result<Vec<(u32, Vec<u8>)>, ElfError> {
        let unreadable = |error: &dyn std::fmt::Display| ElfError::Unreadable {
            path: self.path.clone(),
            error: error.to_string(),
        };
        let bytes = std::fs::read(&self.path).map_err(|error| unreadable(&error))?;
        if hex::encode(Sha256::digest(&bytes)) != self.sha256 {
            return Err(ElfError::Changed { path: self.path.clone() });
        }
        let header = elf::FileHeader32::<Endianness>::parse(&*bytes).map_err(|error| unreadable(&error))?;
        let endian = header.endian().map_err(|error| unreadable(&error))?;
        let segments = header.program_headers(endian, &*bytes).map_err(|error| unreadable(&error))?;
        let loads = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
        let loaded = loads.map(|segment| {
            let held = segment.data(endian, &*bytes).map_err(|()| unreadable(&"a segment beyond its end"))?;
            Ok((segment.p_paddr(endian), held.to_vec()))
        });
        loaded.filter(|segment| !segment.as_ref().is_ok_and(|(_, held)| held.is_empty())).collect()
    }

    /// Whether the file on disk is still the one that was opened.
    pub fn is_unchanged(&self) -> bool {
        self.stamp.is_some() && Stamp::of(&self.path).is_ok_and(|stamp| stamp == self.stamp)
            || std::fs::read(&self.path).is_ok_and(|bytes| hex::encode(Sha256::digest(&bytes)) == self.sha256)
    }
}

fn check_machine(bytes: &[u8], path: &Path, triple: &str) -> Result<(), ElfError> {
    let Some(header) = bytes.get(..20).filter(|header| header.starts_with(b"\x7FELF")) else {
        return Err(ElfError::NotElf { path: path.to_owned() });
    };
    let bits = match header[4] {
        1 => 32,
        2 => 64,
        _ => 0,
    };
    let little_endian = header[5] == 1;
    let machine = u16::from_le_bytes([header[18], header[19]]);
    if bits == 32 && little_endian && machine == EM_ARM {
        return Ok(());
    }
    let name = match machine {
        EM_ARM => "Arm".to_owned(),
        0x3E => "x86-64".to_owned(),
        0xB7 => "AArch64".to_owned(),
        0xF3 => "RISC-V".to_owned(),
        other => format!("ELF machine {other}"),
    };
    let endian = if little_endian { "little" } else { "big" };
    Err(ElfError::WrongMachine {
        path: path.to_owned(),
        found: format!("{name}, {bits}-bit {endian}-endian"),
        triple: triple.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<Elf, ElfError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Elf::open(file.path(), "thumbv7m-none-eabi")
    }

    fn header(class: u8, machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..4].copy_from_slice(b"\x7FELF");
        bytes[4] = class;
        bytes[5] = 1;
        bytes[6] = 1;
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    #[test]
    fn an_arm_image_is_taken_and_hashed() {
        let elf = open(&header(1, EM_ARM)).unwrap();
        assert_eq!(elf.sha256().len(), 64);
    }

    #[test]
    fn an_image_that_was_touched_is_told_by_what_it_holds() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), header(1, EM_ARM)).unwrap();
        let mut elf = Elf::open(file.path(), "thumbv7m-none-eabi").unwrap();
        assert_eq!(elf.stamp, None, "it may be written again within this tick");
        // As if it had lain there for a while.
        let old = std::fs::metadata(file.path()).unwrap();
        let changed = (old.ctime() - 60, 0);
        elf.stamp = Some(Stamp { inode: old.ino(), length: old.len(), changed });
        assert!(elf.is_unchanged(), "the same bytes");
        let mut other = header(1, EM_ARM);
        other[40] = 1;
        std::fs::write(file.path(), other).unwrap();
        assert!(!elf.is_unchanged());
    }

    #[test]
    fn what_an_image_loads_lies_at_its_load_address() {
        const HEADER: usize = 52;
        let mut image = header(1, EM_ARM);
        image.resize(HEADER + 2 * 32, 0);
        let mut put = |at: usize, value: u32| image[at..at + 4].copy_from_slice(&value.to_le_bytes());
        put(28, HEADER as u32); // e_phoff
        put(40, 32 << 16 | HEADER as u32); // e_ehsize, e_phentsize
        put(44, 2); // e_phnum
        for (at, held) in [(HEADER, 5), (HEADER + 32, 0)] {
            put(at, elf::PT_LOAD);
            put(at + 4, (HEADER + 2 * 32) as u32); // p_offset
            put(at + 8, 0x2000_0000); // p_vaddr
            put(at + 12, 0x1000); // p_paddr
            put(at + 16, held); // p_filesz
            put(at + 20, 64); // p_memsz
        }
        image.extend(b"hello");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &image).unwrap();
        let elf = Elf::open(file.path(), "thumbv7m-none-eabi").unwrap();
        assert_eq!(elf.loaded().unwrap(), [(0x1000, b"hello".to_vec())]);
        image.truncate(image.len() - 3);
        std::fs::write(file.path(), &image).unwrap();
        assert!(matches!(elf.loaded(), Err(ElfError::Changed { .. })));
        let cut_off = Elf::open(file.path(), "thumbv7m-none-eabi").unwrap();
        let error = cut_off.loaded().unwrap_err().to_string();
        assert!(error.contains("beyond its end"), "{error}");
    }

    #[test]
    fn an_image_for_another_machine_is_named() {
        let error = open(&header(2, 0x3E)).unwrap_err().to_string();
        assert!(error.contains("x86-64, 64-bit little-endian"), "{error}");
    }

    #[test]
    fn text_and_nothing_are_told_apart() {
        assert!(matches!(open(b"hello"), Err(ElfError::NotElf { .. })));
        let missing = Elf::open(Path::new("no/such/firmware"), "x").unwrap_err();
        assert!(missing.to_string().contains("cargo xtask firmware"), "{missing}");
    }
}
