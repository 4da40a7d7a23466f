//! The reset ladder: the core's own request, the reset line, the power hook; each tried when the one before failed.
//! Every way ends with the core halted before its first instruction.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use probe_rs::{Core, MemoryInterface, Session};

use super::ProbeError;
use super::error::words;

/// How long a core may take to halt.
pub(super) const HALT_LIMIT: Duration = Duration::from_secs(2);
/// How long the power hook may take.
pub(super) const POWER_LIMIT: Duration = Duration::from_secs(30);
/// The reset line's bit among the pins of a probe.
const NRESET: u32 = 0x80;
/// How long the line is held. Chips want microseconds; capacitors on boards want more.
const PULSE: Duration = Duration::from_millis(10);
const HOOK_POLL: Duration = Duration::from_millis(10);

/// Debug Exception and Monitor Control Register, and its bit that halts the core when it comes out of reset.
const DEMCR: u64 = 0xE000_EDFC;
const VC_CORERESET: u32 = 1;

/// By the core's own reset request.
pub(super) fn soft(core: &mut Core<'_>) -> Result<(), ProbeError> {
    let failed =
        |error: probe_rs::Error| ProbeError::Failed { doing: "resetting the core", error: words(&error) };
    core.reset_and_halt(HALT_LIMIT).map(drop).map_err(failed)
}

/// By the reset line.
pub(super) fn by_line(session: &mut Session) -> Result<(), ProbeError> {
    let failed = |error: &dyn std::error::Error| ProbeError::Failed {
        doing: "resetting by the reset line",
        error: words(error),
    };
    let catch = catch_reset(session, true).map_err(|error| failed(&error))?;
    let mut line = |level: u32| -> Result<(), ProbeError> {
        let probe = session.get_arm_interface().map_err(|error| failed(&error))?;
        probe.swj_pins(level, NRESET, 0).map(drop).map_err(|error| failed(&error))
    };
    line(0)?;
    thread::sleep(PULSE);
    line(NRESET)?;
    let halted = session.core(0).and_then(|mut core| core.wait_for_core_halted(HALT_LIMIT));
    halted.map_err(|error| failed(&error))?;
    if !catch {
        catch_reset(session, false).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Sets whether a reset halts the core; tells how it was set before.
fn catch_reset(session: &mut Session, catch: bool) -> Result<bool, probe_rs::Error> {
    let mut core = session.core(0)?;
    let before = core.read_word_32(DEMCR)?;
    let now = if catch { before | VC_CORERESET } else { before & !VC_CORERESET };
    core.write_word_32(DEMCR, now)?;
    Ok(before & VC_CORERESET != 0)
}

/// By the command that switches the board's power off and on. What was attached is lost.
pub(super) fn by_power(hook: &[String]) -> Result<(), ProbeError> {
    let failed = |error: String| ProbeError::Failed { doing: "running the power hook", error };
    let [program, arguments @ ..] = hook else {
        return Err(failed("boards.local.yaml names none for this board".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(format!("`{program}`: {error}")))?;
    let give_up = Instant::now() + POWER_LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(format!("`{program}` ended with {status}"))),
            Ok(None) if Instant::now() < give_up => thread::sleep(HOOK_POLL),
            _ => break,
        }
    }
    // Killing fails only when it has ended just now.
    let _ = child.kill();
    let _ = child.wait();
    Err(ProbeError::Silent { doing: "running the power hook", limit: POWER_LIMIT })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_power_hook_that_succeeds_is_a_reset() {
        assert_eq!(by_power(&hook(&["true"])), Ok(()));
    }

    #[test]
    fn a_power_hook_that_fails_or_is_missing_says_so() {
        let said = |words: &[&str]| by_power(&hook(words)).unwrap_err().to_string();
        assert!(said(&["false"]).contains("`false` ended with exit status: 1"), "{}", said(&["false"]));
        assert!(said(&["/no/such/hook"]).contains("/no/such/hook"));
        assert!(said(&[]).contains("boards.local.yaml names none"));
    }
}
