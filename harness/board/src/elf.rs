//! Firmware images: read once, checked for the machine they are for, identified by their hash.

use std::path::{Path, PathBuf};

use object::{Object, ObjectSymbol};
use sha2::{Digest, Sha256};

/// A checked firmware image.
#[derive(Clone, Debug)]
pub struct Elf {
    path: PathBuf,
    sha256: String,
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
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ElfError::Missing { path: path.to_owned() },
            _ => ElfError::Unreadable { path: path.to_owned(), error: error.to_string() },
        })?;
        check_machine(&bytes, path, triple)?;
        Ok(Self { path: path.to_owned(), sha256: hex::encode(Sha256::digest(&bytes)) })
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

    /// Whether the file on disk is still the one that was opened.
    pub fn is_unchanged(&self) -> bool {
        std::fs::read(&self.path).is_ok_and(|bytes| hex::encode(Sha256::digest(&bytes)) == self.sha256)
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
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    #[test]
    fn an_arm_image_is_taken_and_hashed() {
        let elf = open(&header(1, EM_ARM)).unwrap();
        assert_eq!(elf.sha256().len(), 64);
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
