//! What an image knows of its code: which function and line an address belongs to, how a call is undone, where memory
//! that a program changes lies.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use addr2line::Context;
use gimli::{
    BaseAddresses, DebugFrame, EndianSlice, LittleEndian, UnwindContext, UnwindSection, UnwindTableRow,
};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, SymbolKind};

use crate::SourceLine;

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// A function that the image names.
#[derive(Debug)]
struct Symbol {
    range: Range<u32>,
    name: String,
}

/// One function at an address; several where calls were compiled into their caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) function: String,
    pub(super) source: Option<SourceLine>,
    pub(super) inlined: bool,
}

/// An image, read for its debug information. Every part may be missing.
pub(super) struct DebugImage<'a> {
    lines: Option<Context<Reader<'a>>>,
    frames: DebugFrame<Reader<'a>>,
    symbols: Vec<Symbol>,
    code: Vec<(u32, &'a [u8])>,
    variables: Vec<Range<u64>>,
}

impl<'a> DebugImage<'a> {
    /// Reads an ELF file; nothing when it is none.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let file = object::File::parse(bytes).ok()?;
        let section = |name: &str| -> Reader<'a> {
            let data = file.section_by_name(name).and_then(|section| section.data().ok());
            EndianSlice::new(data.unwrap_or_default(), LittleEndian)
        };
        let load = |id: gimli::SectionId| Ok::<_, gimli::Error>(section(id.name()));
        let lines = gimli::Dwarf::load(load).and_then(Context::from_dwarf).ok();
        let mut frames = DebugFrame::from(section(".debug_frame"));
        frames.set_address_size(4);
        Some(Self { lines, frames, symbols: symbols(&file), code: code(&file), variables: variables(&file) })
    }

    /// How the call that executes at `pc` is undone.
    pub(super) fn unwind_row(&self, pc: u32) -> Option<UnwindTableRow<usize>> {
        let (bases, mut context) = (BaseAddresses::default(), UnwindContext::new());
        let row = self.frames.unwind_info_for_address(
            &bases,
            &mut context,
            u64::from(pc),
            DebugFrame::cie_from_offset,
        );
        row.ok().cloned()
    }

    /// What is at an address of code, innermost first; never empty.
    pub(super) fn places(&self, address: u32) -> Vec<Place> {
        let mut places = self.places_by_lines(address);
        let symbol = self.symbol(address);
        match (places.last_mut(), symbol) {
            // The image's table names what lines alone leave nameless, or without its path.
            (Some(outermost), Some(name)) if !outermost.function.contains("::") => {
                name.clone_into(&mut outermost.function);
            }
            (None, Some(name)) => {
                places.push(Place { function: name.to_owned(), source: None, inlined: false });
            }
            _ => {}
        }
        for place in places.iter_mut().filter(|place| place.function.is_empty()) {
            place.function = format!("{address:#010x}");
        }
        if places.is_empty() {
            places.push(Place { function: format!("{address:#010x}"), source: None, inlined: false });
        }
        places
    }

    fn places_by_lines(&self, address: u32) -> Vec<Place> {
        let mut places = Vec::new();
        let found = self.lines.as_ref().map(|lines| lines.find_frames(u64::from(address)).skip_all_loads());
        let Some(Ok(mut frames)) = found else { return places };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|name| name.demangle().ok().map(Cow::into_owned));
            let source = frame
                .location
                .as_ref()
                .and_then(|at| Some(SourceLine { file: shortened(at.file?), line: at.line? }));
            places.push(Place { function: name.unwrap_or_default(), source, inlined: true });
        }
        if let Some(outermost) = places.last_mut() {
            outermost.inlined = false;
        }
        places
    }

    fn symbol(&self, address: u32) -> Option<&str> {
        let at = self.symbols.partition_point(|symbol| symbol.range.start <= address);
        let symbol = self.symbols[..at].last().filter(|symbol| symbol.range.contains(&address))?;
        Some(&symbol.name)
    }

    /// A halfword of code.
    fn halfword(&self, address: u32) -> Option<u16> {
        let (start, bytes) = self.code.iter().find(|(start, bytes)| {
            address.checked_sub(*start).is_some_and(|offset| (offset as usize) + 1 < bytes.len())
        })?;
        let at = (address - start) as usize;
        Some(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
    }

    /// Whether a word looks like where a call would return to: within code, right behind a call.
    pub(super) fn is_return_address(&self, word: u32) -> bool {
        word & 1 == 1 && self.call_before(word & !1).is_some()
    }

    /// The function that the call before `address` goes to; `Some(None)` when a register holds it.
    pub(super) fn call_before(&self, address: u32) -> Option<Option<u32>> {
        let last = self.halfword(address.checked_sub(2)?)?;
        // BLX with a register, ARMv7-M A7.7.19.
        if last & 0xFF87 == 0x4780 {
            return Some(None);
        }
        let first = self.halfword(address.checked_sub(4)?)?;
        (first & 0xF800 == 0xF000 && last & 0xD000 == 0xD000)
            .then(|| Some(address.wrapping_add(branch_offset(first, last))))
    }

    /// Memory that the program changes and that has a name.
    pub(super) fn variables(&self) -> &[Range<u64>] {
        &self.variables
    }
}

/// The offset of BL, ARMv7-M A7.7.18.
fn branch_offset(first: u16, last: u16) -> u32 {
    let (first, last) = (u32::from(first), u32::from(last));
    let sign = first >> 10 & 1;
    let i1 = !(last >> 13 ^ sign) & 1;
    let i2 = !(last >> 11 ^ sign) & 1;
    let offset = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | (last & 0x7FF) << 1;
    (offset << 7).cast_signed().wrapping_shr(7).cast_unsigned()
}

fn symbols(file: &object::File<'_>) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
        .filter_map(|symbol| {
            let start = u32::try_from(symbol.address()).ok()? & !1;
            let end = start.checked_add(u32::try_from(symbol.size()).ok()?)?;
            let name = addr2line::demangle_auto(Cow::from(symbol.name().ok()?), None).into_owned();
            Some(Symbol { range: start..end, name })
        })
        .collect();
    symbols.sort_by_key(|symbol| symbol.range.start);
    symbols
}

fn code<'a>(file: &object::File<'a>) -> Vec<(u32, &'a [u8])> {
    let code = file.sections().filter(|section| section.kind() == SectionKind::Text);
    code.filter_map(|section| Some((u32::try_from(section.address()).ok()?, section.data().ok()?))).collect()
}

fn variables(file: &object::File<'_>) -> Vec<Range<u64>> {
    const WRITABLE: u64 = 1;
    const IN_MEMORY: u64 = 2;
    let changes = |flags: SectionFlags| match flags {
        SectionFlags::Elf { sh_flags } => sh_flags & (WRITABLE | IN_MEMORY) == WRITABLE | IN_MEMORY,
        _ => false,
    };
    let sections = file.sections().filter(|section| changes(section.flags()) && section.size() > 0);
    sections.map(|section| section.address()..section.address().saturating_add(section.size())).collect()
}

/// The root, a folder for projects, a project.
const PROJECT_DEPTH: usize = 3;

/// A file as people look for it: from here on, from its package on, from its library on.
fn shortened(file: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    // From the project on, whichever of its folders we are in; roots and homes are no projects.
    let project = here.ancestors().filter(|folder| folder.components().count() >= PROJECT_DEPTH);
    if let Some(inside) = project.filter_map(|folder| Path::new(file).strip_prefix(folder).ok()).next() {
        return inside.display().to_string();
    }
    if let Some((_, package)) = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        return package.to_owned();
    }
    if let Some((_, library)) = file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')) {
        return library.to_owned();
    }
    file.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_where_people_look_for_it() {
        let here = std::env::current_dir().unwrap().join("src/main.rs");
        assert_eq!(shortened(&here.display().to_string()), "src/main.rs");
        assert_eq!(
            shortened("/srv/me/.cargo/registry/src/index-1/cortex-m-0.7.7/src/asm.rs"),
            "cortex-m-0.7.7/src/asm.rs"
        );
        assert_eq!(shortened("/rustc/0123abcd/library/core/src/num.rs"), "library/core/src/num.rs");
        assert_eq!(shortened("/elsewhere/main.c"), "/elsewhere/main.c");
    }

    #[test]
    fn a_call_says_where_it_goes() {
        // bl .+4 and bl .-4, as seen from the instruction behind them.
        assert_eq!(branch_offset(0xF000, 0xF800), 0);
        assert_eq!(branch_offset(0xF000, 0xF802), 4);
        assert_eq!(branch_offset(0xF7FF, 0xFFFE).cast_signed(), -4);
    }

    #[test]
    fn what_is_no_image_is_none() {
        assert!(DebugImage::parse(b"text").is_none());
        assert!(DebugImage::parse(&[]).is_none());
    }
}
