//! An autopsy as people read it.

use std::fmt::{self, Display, Formatter};

use super::{Autopsy, AutopsyVerdict, Given, Processor, ProcessorState, StackFrame};

/// How many calls a summary shows.
const SUMMARY_FRAMES: usize = 4;
const REGISTERS_PER_LINE: usize = 4;

impl Autopsy {
    /// One line: of what it died, where, and how that showed.
    pub fn headline(&self) -> String {
        let place = self.backtrace.get(self.place()).filter(|_| self.has_place());
        let place = place.map(|frame| format!(" in {}", frame.place())).unwrap_or_default();
        let words = match self.verdict {
            AutopsyVerdict::Fault => self.processor.as_ref().and_then(|found| found.fault_status.headline()),
            AutopsyVerdict::Panic => self.signs.panic.clone(),
            _ => None,
        };
        let verdict = format!("{}{place}: ", self.verdict);
        // What the processor or the firmware says of a fault is more than how it showed.
        let words =
            words.unwrap_or_else(|| self.fault.strip_prefix(&verdict).unwrap_or(&self.fault).to_owned());
        verdict + &words
    }

    /// The headline, and the backtrace from there on with a line for each call, up to a few.
    pub fn summary(&self) -> String {
        let mut lines = vec![self.headline()];
        let told = self.backtrace.iter().enumerate().skip(self.place());
        lines.extend(told.take(SUMMARY_FRAMES).map(|(at, frame)| format!("#{at} {frame}")));
        let shown = self.place() + SUMMARY_FRAMES;
        if self.backtrace.len() > shown {
            lines.push(format!("and {} more", self.backtrace.len() - shown));
        }
        lines.join("\n")
    }

    /// Whether where the processor stood has to do with how the device died.
    fn has_place(&self) -> bool {
        matches!(self.verdict, AutopsyVerdict::Fault | AutopsyVerdict::Hang | AutopsyVerdict::Panic)
    }

    /// Index of the call that says most: the innermost that is not the language's own, and of a panic not its report.
    fn place(&self) -> usize {
        let reports = |frame: &StackFrame| frame.function.ends_with(REPORTS_PANICS);
        let reported = self.backtrace.iter().position(reports).map_or(0, |at| at + 1);
        let told = self.backtrace.iter().skip(reported);
        reported + told.take_while(|frame| is_language(&frame.function)).count()
    }
}

/// The function that rustc calls when anything panics.
const REPORTS_PANICS: &str = "rust_begin_unwind";

/// What comes with the language and not with the firmware: also what its pointers and slices can do, which some
/// compilers name by the type alone.
fn is_language(function: &str) -> bool {
    let path = function.trim_start_matches('<');
    ["core::", "alloc::", "std::", "cortex_m::asm::", "*mut ", "*const ", "["]
        .iter()
        .any(|room| path.starts_with(room))
}

impl Display for Autopsy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        writeln!(f, "{}\n", self.fault)?;
        writeln!(f, "board     {}", self.board)?;
        if let Some(probe) = &self.probe {
            writeln!(f, "probe     {probe}")?;
        }
        if let Some(hash) = &self.firmware_sha256 {
            writeln!(f, "firmware  {hash}")?;
        }
        given(f, "told", self.last_command.as_ref())?;
        given(f, "given", self.last_stimulus.as_ref().filter(|_| self.last_stimulus != self.last_command))?;
        if let Some(processor) = &self.processor {
            write!(f, "\n{processor}")?;
        }
        section(f, "backtrace", &numbered(&self.backtrace))?;
        section(f, "heartbeat", &self.heartbeat_lines())?;
        section(f, "last lines", &self.last_lines)?;
        section(f, "not found out", &self.missing)
    }
}

impl Autopsy {
    fn heartbeat_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .heartbeat
            .iter()
            .map(|beat| format!("{:>7} to {:>7} ms  {}", beat.from_ms, beat.to_ms, beat.count))
            .collect();
        match self.signs.heartbeat {
            super::Heartbeat::Unknown => {}
            super::Heartbeat::Moves => lines.push("and moved when an interrupt was raised".to_owned()),
            super::Heartbeat::Stands => lines.push("and stood when an interrupt was raised".to_owned()),
        }
        lines
    }
}

fn numbered(frames: &[StackFrame]) -> Vec<String> {
    frames.iter().enumerate().map(|(at, frame)| format!("#{at:<3}{} {frame}", frame.pc)).collect()
}

fn given(f: &mut Formatter<'_>, name: &str, given: Option<&Given>) -> fmt::Result {
    let Some(given) = given else { return Ok(()) };
    writeln!(f, "{name:<9} {} at {}.{:06} s", given.what, given.at_us / 1_000_000, given.at_us % 1_000_000)
}

fn section(f: &mut Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

impl StackFrame {
    /// The function with its line.
    fn place(&self) -> String {
        let source = self.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
        format!("{}{source}", self.function)
    }
}

impl Display for StackFrame {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        if self.repeated > 0 {
            write!(f, ", {} times", self.repeated + 1)?;
        }
        if self.inlined {
            write!(f, " [inlined]")?;
        }
        if self.guessed {
            write!(f, " [from the remains of the stack]")?;
        }
        Ok(())
    }
}

impl Display for Processor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "processor: {}", self.state)?;
        for line in self.fault_status.words() {
            writeln!(f, "  {line}")?;
        }
        for line in self.registers.chunks(REGISTERS_PER_LINE) {
            let line: Vec<String> = line.iter().map(|(name, word)| format!("{name:>9} {word}")).collect();
            writeln!(f, "  {}", line.join(" "))?;
        }
        let Some(frame) = &self.exception else { return Ok(()) };
        let [r0, r1, r2, r3] = frame.r0_r3;
        writeln!(f, "  saved at {} on entry of exception {}:", frame.at, frame.exception)?;
        writeln!(f, "  {:>9} {r0} {:>9} {r1} {:>9} {r2} {:>9} {r3}", "r0", "r1", "r2", "r3")?;
        let (r12, lr, pc, xpsr) = (frame.r12, frame.lr, frame.pc, frame.xpsr);
        writeln!(f, "  {:>9} {r12} {:>9} {lr} {:>9} {pc} {:>9} {xpsr}", "r12", "lr", "pc", "xpsr")
    }
}

impl Display for ProcessorState {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "it ran, or slept",
            Self::CaughtAtFault => "caught at the entry of its fault handler",
            Self::CaughtAtReset => "caught before its first instruction after a reset",
            Self::Halted => "halted",
            Self::LockedUp => "locked up",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autopsy::{LastGiven, by_words};
    use crate::{DeviceFault, SourceLine, Word};

    fn frame(function: &str, line: u32) -> StackFrame {
        StackFrame {
            pc: Word(0x100),
            function: function.to_owned(),
            source: Some(SourceLine { file: "src/pump.rs".to_owned(), line }),
            inlined: false,
            repeated: 0,
            guessed: false,
        }
    }

    fn panicked(functions: &[&str]) -> Autopsy {
        let fault = DeviceFault::Panicked { message: "no water".to_owned() };
        let autopsy = by_words("pump-board", &fault, "boot\nPANIC: no water", &LastGiven::default());
        let backtrace = functions.iter().zip(1..).map(|(function, line)| frame(function, line)).collect();
        Autopsy { backtrace, ..autopsy.unwrap() }
    }

    #[test]
    fn a_panic_is_told_by_who_panicked_and_not_by_who_reported_it() {
        let autopsy =
            panicked(&["app::die", "__rustc::rust_begin_unwind", "core::panicking::panic_fmt", "app::pump"]);
        assert_eq!(autopsy.headline(), "panic in app::pump (src/pump.rs:4): no water");
        assert_eq!(panicked(&[]).headline(), "panic: no water");
        assert_eq!(panicked(&["core::num::abs"]).headline(), "panic: no water", "that is nobody's");
    }

    #[test]
    fn a_summary_shows_the_top_of_a_long_backtrace() {
        let summary = panicked(&["app::a", "app::b", "app::c", "app::d", "app::e", "app::f"]).summary();
        let lines: Vec<&str> = summary.lines().collect();
        assert_eq!(lines[1], "#0 app::a (src/pump.rs:1)");
        assert_eq!(lines[SUMMARY_FRAMES + 1..], ["and 2 more"]);
    }

    #[test]
    fn a_text_leaves_out_what_is_not_known() {
        let text = panicked(&["app::pump"]).to_string();
        for part in
            ["panic in app::pump", "board     pump-board", "#0  0x00000100 app::pump", "  PANIC: no water"]
        {
            assert!(text.contains(part), "no {part} in {text}");
        }
        for part in ["probe  ", "heartbeat", "\nprocessor:"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}
