//! The small autopsy of a device that nobody can look into: by what it said, and by what it was given. A verdict only
//! where words carry one.

use super::{Autopsy, HARD_FAULT, LastGiven, PANIC, Signs, in_words};
use crate::DeviceFault;

/// Draws it from the fault that ended the run and the end of the console. Nothing for a device whose end says nothing
/// of how it died, its emulator's for example.
pub(crate) fn by_words(
    board: &str,
    fault: &DeviceFault,
    console: &str,
    given: &LastGiven,
) -> Option<Autopsy> {
    let mut signs = Signs::default();
    match fault {
        DeviceFault::Rebooted { .. } => signs.rebooted = true,
        // Between two processes on one machine no link is lost without breaking.
        DeviceFault::Silent { .. } => signs.silent = true,
        DeviceFault::Panicked { message } if message.starts_with(HARD_FAULT) => signs.faulted = true,
        DeviceFault::Panicked { message } => signs.panic = Some(message.clone()),
        _ => return None,
    }
    let said = console.lines().find_map(|line| line.split_once(PANIC));
    if let (Some((_, message)), None) = (said, &signs.panic) {
        match message.starts_with(HARD_FAULT) {
            true => signs.faulted = true,
            false => signs.panic = Some(message.to_owned()),
        }
    }
    Some(Autopsy {
        verdict: signs.verdict(),
        fault: in_words(fault),
        board: board.to_owned(),
        probe: None,
        firmware_sha256: None,
        signs,
        processor: None,
        backtrace: Vec::new(),
        heartbeat: Vec::new(),
        last_lines: console.lines().map(str::to_owned).collect(),
        last_stimulus: given.stimulus.clone(),
        last_command: given.command.clone(),
        missing: vec!["the processor: no debug probe looks at this board".to_owned()],
        core_dump: None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::AutopsyVerdict;

    fn verdict(fault: &DeviceFault, console: &str) -> Option<AutopsyVerdict> {
        by_words("qemu", fault, console, &LastGiven::default()).map(|autopsy| autopsy.verdict)
    }

    fn silent() -> DeviceFault {
        DeviceFault::Silent {
            waited_for: "idle".to_owned(),
            limit: Duration::from_secs(1),
            detail: String::new(),
        }
    }

    #[test]
    fn words_of_a_fault_handler_are_a_fault_and_others_a_panic() {
        let panicked = |message: &str| DeviceFault::Panicked { message: message.to_owned() };
        assert_eq!(verdict(&panicked("hard fault at 0x00000000"), ""), Some(AutopsyVerdict::Fault));
        assert_eq!(verdict(&panicked("told to"), ""), Some(AutopsyVerdict::Panic));
    }

    #[test]
    fn silence_is_a_hang_unless_the_console_says_why() {
        assert_eq!(verdict(&silent(), "boot"), Some(AutopsyVerdict::Hang));
        assert_eq!(verdict(&silent(), "boot\nPANIC: no more memory"), Some(AutopsyVerdict::Panic));
        assert_eq!(verdict(&silent(), "PANIC: hard fault at 0x0"), Some(AutopsyVerdict::Fault));
    }

    #[test]
    fn the_end_of_an_emulator_is_nobody_s_death() {
        let fault = DeviceFault::Exited { what: "QEMU", status: "killed".to_owned(), detail: String::new() };
        assert_eq!(verdict(&fault, ""), None);
    }
}
