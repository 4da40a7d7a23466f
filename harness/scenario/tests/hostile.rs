//! No text makes the parser panic, and no error points outside its file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use hilarm_scenario::parse;
use proptest::prelude::*;

fn check(source: &str) {
    let Err(errors) = parse("device/x", "x.yaml", source) else { return };
    assert!(!errors.errors().is_empty());
    for error in errors.errors() {
        let position = error.position;
        assert!(source.is_char_boundary(position.offset), "{position:?}");
        assert!(source.get(position.offset..position.offset + position.len).is_some(), "{position:?}");
        let line = source.split('\n').nth(position.line - 1).unwrap();
        assert_eq!(line.trim_end_matches('\r'), error.line);
        assert!(position.column <= line.chars().count() + 1, "{position:?}");
    }
    assert!(!errors.to_string().is_empty());
}

/// Pieces of scenarios and of YAML, so that chance gets past the first line.
const PIECES: &[&str] = &[
    "schema: 1\n",
    "name: x\n",
    "seed: 1\n",
    "devices:\n",
    "  pump-1:\n",
    "{ auth: { sas: {} } }\n",
    "steps:\n",
    "  - connect: { device: pump-1 }\n",
    "  - malicious:\n",
    "      do:\n",
    "      benign: []\n",
    "  - parallel:\n",
    "      - - run_for: 1s\n",
    "  - advance: 61m\n",
    "  - repeat: { times: 2, steps: [] }\n",
    "proof:\n",
    "expect:\n",
    "  alerts: []\n",
    "vars: { n: 1 }\n",
    "${n}",
    "\"${n}m\"",
    "${",
    "}",
    "[",
    "]",
    "{",
    ",",
    ": ",
    "- ",
    "\n",
    "  ",
    "\t",
    "'",
    "\"",
    "|\n",
    ">\n",
    "&a",
    "*a",
    "!t ",
    "---\n",
    "...\n",
    "#",
    "%YAML 1.2\n",
    "? ",
    "<<: ",
    "ü",
    "𝄞",
    "\u{feff}",
    "\r\n",
    "\0",
    "on",
    "no",
    "999999999999999999999",
    "-1",
    ".nan",
    "1e999",
    "~",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(source in any::<String>()) {
        check(&source);
    }

    #[test]
    fn arbitrary_printable_lines_never_panic(source in "([ -~]{0,30}\n){0,8}") {
        check(&source);
    }

    #[test]
    fn pieces_of_scenarios_never_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        check(&pieces.concat());
    }

    #[test]
    fn a_scenario_with_a_hole_or_a_splinter_never_panics(
        at in 0usize..2000,
        cut in 0usize..12,
        splinter in prop::sample::select(PIECES),
    ) {
        let source = include_str!("../../../scenarios/device/suspicious-ip.yaml");
        let boundary = |at: usize| (0..=at.min(source.len())).rev().find(|at| source.is_char_boundary(*at)).unwrap();
        let (start, end) = (boundary(at), boundary(at + cut));
        check(&format!("{}{splinter}{}", &source[..start], &source[end..]));
    }
}

#[test]
fn deep_and_wide_texts_end_quickly() {
    check(&"[".repeat(100_000));
    check(&"- ".repeat(100_000));
    check(&"a: {".repeat(10_000));
    check(&(0..20_000).map(|n| format!("k{n}: 1\n")).collect::<String>());
    check(&"a: 1\n".repeat(20_000));
    check(&format!("a: {}", "x".repeat(1 << 20)));
}
