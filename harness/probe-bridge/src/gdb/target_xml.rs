//! Which registers the stub has, and under which numbers: read from the target description.
//!
//! Reads the two elements that matter, `xi:include` and `reg`, and skips all others. Not an XML parser: QEMU's
//! descriptions hold neither entities nor CDATA. GDB manual, appendix G.

use std::collections::BTreeMap;

/// Registers taken from one description; an M-profile core with floating point has 34.
const REGISTERS_MAX: usize = 1024;

/// Register numbers by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RegisterNumbers {
    numbers: BTreeMap<String, u32>,
    next: u32,
}

impl RegisterNumbers {
    /// The number under which `p` and `P` know the register.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Adds the registers of one feature; numbers go on where the last feature ended, unless `regnum` says otherwise.
    pub(crate) fn add_feature(&mut self, xml: &str) {
        for register in elements(xml, "reg") {
            let Some(name) = attribute(register, "name") else { continue };
            let number =
                attribute(register, "regnum").and_then(|text| text.parse().ok()).unwrap_or(self.next);
            if self.numbers.len() < REGISTERS_MAX {
                self.numbers.insert(name.to_owned(), number);
            }
            self.next = number.saturating_add(1);
        }
    }
}

/// The documents that a target description includes, in order.
pub(crate) fn includes(xml: &str) -> Vec<&str> {
    elements(xml, "xi:include").filter_map(|element| attribute(element, "href")).collect()
}

/// The inside of each start tag of that name.
fn elements<'a>(xml: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    without_comments(xml).flat_map(|text| text.split('<').skip(1)).filter_map(move |tag| {
        let inside = tag.split('>').next()?;
        let attributes = inside.strip_prefix(name)?;
        attributes.starts_with([' ', '\t', '\n']).then_some(attributes)
    })
}

fn without_comments(xml: &str) -> impl Iterator<Item = &str> {
    xml.split("-->").filter_map(|part| part.split("<!--").next())
}

/// An attribute's value in double quotes.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        let (key, after) = rest.split_once("=\"")?;
        let (value, next) = after.split_once('"')?;
        if key.trim() == name {
            return Some(value);
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TARGET: &str = "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>\
        <architecture>arm</architecture><xi:include href=\"arm-m-profile.xml\"/>\
        <xi:include href=\"arm-vfp.xml\"/></target>";
    const CORE: &str = "<!-- <reg name=\"not-this\"/> --><feature name=\"org.gnu.gdb.arm.m-profile\">\n\
        <reg name=\"r0\" bitsize=\"32\"/>\n<reg name=\"pc\" bitsize=\"32\" type=\"code_ptr\"/>\n\
        <reg name=\"xpsr\" bitsize=\"32\" regnum=\"25\"/></feature>";
    const FLOAT: &str =
        "<feature><reg name=\"d0\" bitsize=\"64\"/><reg name=\"fpscr\"\nbitsize=\"32\"/></feature>";

    #[test]
    fn included_documents_are_found_in_order() {
        assert_eq!(includes(TARGET), ["arm-m-profile.xml", "arm-vfp.xml"]);
    }

    #[test]
    fn numbers_follow_regnum_and_go_on_in_the_next_feature() {
        let mut registers = RegisterNumbers::default();
        registers.add_feature(CORE);
        registers.add_feature(FLOAT);
        let numbers = ["r0", "pc", "xpsr", "d0", "fpscr", "not-this"].map(|name| registers.number(name));
        assert_eq!(numbers, [Some(0), Some(1), Some(25), Some(26), Some(27), None]);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(xml in "(<reg |<xi:include |name=\"|regnum=\"|-->|<!--|[<>=\" a-z0-9\\PC]){0,80}") {
            let mut registers = RegisterNumbers::default();
            registers.add_feature(&xml);
            includes(&xml);
            prop_assert!(registers.numbers.len() <= REGISTERS_MAX);
        }
    }
}
