//! What an image knows of its log: the format strings, which are the names of symbols in the section `.defmt`, and
//! where each stands in the source, which is in the debug information.

use std::collections::BTreeMap;
use std::sync::Arc;

use gimli::{AttributeValue, DebugStrOffset, EndianSlice, LittleEndian};
use hilarm_link::LogLevel;
use object::{Object, ObjectSection, ObjectSymbol};
use serde::Deserialize;

/// Versions of the wire format that are known here.
const VERSIONS: [&str; 2] = ["3", "4"];
const SECTION: &str = ".defmt";
/// What each log statement declares for the debug information.
const STATEMENT: &[u8] = b"DEFMT_LOG_STATEMENT";

/// Why the log of an image cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::probe) enum TableError {
    /// It is no ELF.
    #[error("the image is no ELF: {0}")]
    Unreadable(String),
    /// Newer than this program, or ancient.
    #[error("the image logs by version {0} of defmt's wire format; versions 3 and 4 are known")]
    Version(String),
    /// Frames without delimiters.
    #[error("the image logs in defmt's encoding `{0}`; `rzcobs` is read alone")]
    Encoding(String),
}

/// All format strings of an image.
#[derive(Debug, Default)]
pub(in crate::probe) struct Table {
    entries: BTreeMap<u16, Entry>,
    /// The format of what precedes every line.
    pub(super) timestamp: Option<String>,
}

/// One format string.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) format: String,
    pub(super) role: Role,
    pub(super) place: Option<Arc<Place>>,
}

/// What a format string is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A log statement; without a level where it is plain output.
    Statement(Option<LogLevel>),
    /// A part of one.
    Part,
}

/// Where a log statement stands.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::probe) struct Place {
    /// As the compiler was told, so mostly relative to where the image was built.
    pub(in crate::probe) file: String,
    pub(in crate::probe) line: u64,
}

/// The name of a symbol in the section.
#[derive(Deserialize)]
struct Name {
    tag: String,
    data: String,
}

type Source<'data> = EndianSlice<'data, LittleEndian>;
type Places = BTreeMap<String, Arc<Place>>;

impl Table {
    /// Reads an image; nothing when it has no such log.
    pub(in crate::probe) fn read(image: &[u8]) -> Result<Option<Self>, TableError> {
        let file = object::File::parse(image).map_err(|error| TableError::Unreadable(error.to_string()))?;
        let Some(section) = file.section_by_name(SECTION) else { return Ok(None) };
        check(&file)?;
        let places = places(&file).unwrap_or_default();
        let mut table = Self::default();
        for symbol in file.symbols().filter(|symbol| symbol.section_index() == Some(section.index())) {
            let Ok(raw) = symbol.name() else { continue };
            // Markers of the linker script are no JSON.
            let Ok(name) = serde_json::from_str::<Name>(raw) else { continue };
            table.take(symbol.address(), raw, name, &places);
        }
        Ok(Some(table))
    }

    fn take(&mut self, address: u64, raw: &str, name: Name, places: &Places) {
        let level = |level| Role::Statement(Some(level));
        let role = match name.tag.as_str() {
            "defmt_timestamp" => {
                self.timestamp = Some(name.data);
                return;
            }
            "defmt_error" => level(LogLevel::Error),
            "defmt_warn" => level(LogLevel::Warn),
            "defmt_info" => level(LogLevel::Info),
            "defmt_debug" | "defmt_trace" => level(LogLevel::Debug),
            "defmt_println" => Role::Statement(None),
            "defmt_prim" | "defmt_derived" | "defmt_write" | "defmt_str" | "defmt_bitflags" => Role::Part,
            _ => return,
        };
        // Frames have 16 bits for an address.
        let Ok(address) = u16::try_from(address) else { return };
        self.entries.insert(address, Entry { format: name.data, role, place: places.get(raw).cloned() });
    }

    pub(super) fn entry(&self, address: u16) -> Option<&Entry> {
        self.entries.get(&address)
    }

    #[cfg(test)]
    pub(super) fn of(timestamp: Option<&str>, entries: &[(u16, Role, &str)]) -> Self {
        let entry = |&(at, role, format): &(u16, Role, &str)| {
            (at, Entry { format: format.to_owned(), role, place: None })
        };
        Self { entries: entries.iter().map(entry).collect(), timestamp: timestamp.map(str::to_owned) }
    }
}

/// Version and encoding, which are names of symbols too. Some linkers leave the quotes of a linker script on.
fn check(file: &object::File<'_>) -> Result<(), TableError> {
    for name in file.symbols().filter_map(|symbol| symbol.name().ok()) {
        let name = name.trim_matches('"');
        if let Some(version) = name.strip_prefix("_defmt_version_ = ")
            && !VERSIONS.contains(&version)
        {
            return Err(TableError::Version(version.to_owned()));
        }
        if let Some(encoding) = name.strip_prefix("_defmt_encoding_ = ")
            && encoding != "rzcobs"
        {
            return Err(TableError::Encoding(encoding.to_owned()));
        }
    }
    Ok(())
}

/// Where the log statements stand, by the names of their symbols. An image without debug information has none.
fn places(file: &object::File<'_>) -> Result<Places, gimli::Error> {
    let load = |id: gimli::SectionId| -> Result<Source<'_>, gimli::Error> {
        let section = file.section_by_name(id.name()).and_then(|section| section.data().ok());
        Ok(EndianSlice::new(section.unwrap_or_default(), LittleEndian))
    };
    let dwarf = gimli::Dwarf::load(load)?;
    let mut places = Places::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs()? {
            if entry.tag() == gimli::DW_TAG_variable
                && let Some((name, place)) = statement(&dwarf, &unit, entry)
            {
                places.insert(name, Arc::new(place));
            }
        }
    }
    Ok(places)
}

/// The log statement that a variable stands for, if it does.
fn statement(
    dwarf: &gimli::Dwarf<Source<'_>>,
    unit: &gimli::Unit<Source<'_>>,
    entry: &gimli::DebuggingInformationEntry<Source<'_>>,
) -> Option<(String, Place)> {
    let text = |name| match entry.attr_value(name)? {
        AttributeValue::DebugStrRef(offset) => string(dwarf, offset),
        _ => None,
    };
    if text(gimli::DW_AT_name)? != STATEMENT {
        return None;
    }
    let name = String::from_utf8(text(gimli::DW_AT_linkage_name)?.to_vec()).ok()?;
    let AttributeValue::FileIndex(file) = entry.attr_value(gimli::DW_AT_decl_file)? else { return None };
    let line = entry.attr_value(gimli::DW_AT_decl_line)?.udata_value()?;
    Some((name, Place { file: path(dwarf, unit, file)?, line }))
}

fn string<'data>(dwarf: &gimli::Dwarf<Source<'data>>, offset: DebugStrOffset<usize>) -> Option<&'data [u8]> {
    dwarf.string(offset).ok().map(|text| text.slice())
}

fn path(dwarf: &gimli::Dwarf<Source<'_>>, unit: &gimli::Unit<Source<'_>>, index: u64) -> Option<String> {
    let header = unit.line_program.as_ref()?.header();
    let file = header.file(index)?;
    let text = |value| Some(dwarf.attr_string(unit, value).ok()?.to_string_lossy().into_owned());
    let name = text(file.path_name())?;
    let folder = file.directory(header).and_then(text).filter(|folder| !folder.is_empty());
    // What is relative to the folder of the build stays so: that folder is this machine's business.
    let folder = folder.filter(|folder| unit.comp_dir.is_none_or(|build| build.slice() != folder.as_bytes()));
    Some(folder.map_or(name.clone(), |folder| format!("{folder}/{name}")))
}
