//! Of what a device died: a closed set of answers, and the rules that lead to them. Whoever gathers the signs decides
//! nothing here, and this decides without looking at anything but the signs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Of what a device died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutopsyVerdict {
    /// The processor took a fault that nobody handled.
    Fault,
    /// The firmware found itself in a state that it gives up in, and said so.
    Panic,
    /// The firmware makes no progress any more, and says nothing.
    Hang,
    /// The processor stopped for good: a fault within the handling of a fault.
    Lockup,
    /// The device was reset: its watchdog bit, or it asked for it.
    Reboot,
    /// The device lives; what it says does not arrive, or what it is told.
    LinkLost,
    /// Nothing is known of the device, because the debug probe failed.
    ProbeError,
}

impl AutopsyVerdict {
    /// As reports and journals write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Lockup => "lockup",
            Self::Reboot => "reboot",
            Self::LinkLost => "link-lost",
            Self::ProbeError => "probe-error",
        }
    }
}

impl fmt::Display for AutopsyVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether the firmware's main loop still turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heartbeat {
    /// Nobody could tell: the firmware counts nothing, or the probe could not look.
    #[default]
    Unknown,
    /// It moved when the processor was given something to do.
    Moves,
    /// It did not.
    Stands,
}

/// What the verdict rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Signs {
    /// Why the debug probe could not tell, if it could not.
    pub probe_failure: Option<String>,
    /// The processor says that it has locked up.
    pub locked_up: bool,
    /// What the firmware said when it gave up.
    pub panic: Option<String>,
    /// The processor stands at the entry of its fault handler, or the handler said that it ran.
    pub faulted: bool,
    /// The processor was reset since the run began.
    pub rebooted: bool,
    /// No interrupt can reach the firmware.
    pub interrupts_masked: bool,
    /// It did not answer in time, over a link that cannot be lost.
    pub silent: bool,
    /// Whether the firmware still turns.
    pub heartbeat: Heartbeat,
}

impl Signs {
    /// The verdict. The cause goes before its consequence: a firmware that panics may reset itself, and stands still
    /// if it does not.
    pub fn verdict(&self) -> AutopsyVerdict {
        match self {
            Self { probe_failure: Some(_), .. } => AutopsyVerdict::ProbeError,
            Self { locked_up: true, .. } => AutopsyVerdict::Lockup,
            Self { panic: Some(_), .. } => AutopsyVerdict::Panic,
            Self { faulted: true, .. } => AutopsyVerdict::Fault,
            Self { rebooted: true, .. } => AutopsyVerdict::Reboot,
            Self { heartbeat: Heartbeat::Stands, .. } | Self { silent: true, .. } => AutopsyVerdict::Hang,
            // A main loop sleeps with interrupts masked too, so the mask says something only where nothing else does.
            Self { heartbeat: Heartbeat::Unknown, interrupts_masked: true, .. } => AutopsyVerdict::Hang,
            Self { heartbeat: Heartbeat::Moves | Heartbeat::Unknown, .. } => AutopsyVerdict::LinkLost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANIC: Option<String> = Some(String::new());

    #[test]
    fn each_sign_alone_has_its_verdict() {
        let verdict = |signs: Signs| signs.verdict();
        let none = Signs::default();
        assert_eq!(
            verdict(Signs { probe_failure: Some("unplugged".to_owned()), ..none.clone() }),
            AutopsyVerdict::ProbeError
        );
        assert_eq!(verdict(Signs { locked_up: true, ..none.clone() }), AutopsyVerdict::Lockup);
        assert_eq!(verdict(Signs { panic: PANIC, ..none.clone() }), AutopsyVerdict::Panic);
        assert_eq!(verdict(Signs { faulted: true, ..none.clone() }), AutopsyVerdict::Fault);
        assert_eq!(verdict(Signs { rebooted: true, ..none.clone() }), AutopsyVerdict::Reboot);
        assert_eq!(verdict(Signs { heartbeat: Heartbeat::Stands, ..none.clone() }), AutopsyVerdict::Hang);
        assert_eq!(verdict(Signs { heartbeat: Heartbeat::Moves, ..none.clone() }), AutopsyVerdict::LinkLost);
        assert_eq!(verdict(Signs { silent: true, ..none.clone() }), AutopsyVerdict::Hang);
        assert_eq!(verdict(none), AutopsyVerdict::LinkLost);
    }

    #[test]
    fn a_device_that_nobody_could_look_at_is_not_judged() {
        let signs = Signs { probe_failure: Some("unplugged".to_owned()), panic: PANIC, ..Signs::default() };
        assert_eq!(signs.verdict(), AutopsyVerdict::ProbeError);
    }

    #[test]
    fn a_panic_that_resets_the_device_or_stops_it_is_a_panic() {
        let reset = Signs { panic: PANIC, rebooted: true, ..Signs::default() };
        assert_eq!(reset.verdict(), AutopsyVerdict::Panic);
        let stopped = Signs { heartbeat: Heartbeat::Stands, interrupts_masked: true, ..Signs::default() };
        assert_eq!(Signs { panic: PANIC, ..stopped.clone() }.verdict(), AutopsyVerdict::Panic);
        assert_eq!(Signs { faulted: true, ..stopped }.verdict(), AutopsyVerdict::Fault);
    }

    #[test]
    fn masked_interrupts_are_a_hang_only_where_no_heartbeat_says_otherwise() {
        let masked = Signs { interrupts_masked: true, ..Signs::default() };
        assert_eq!(masked.verdict(), AutopsyVerdict::Hang);
        let alive = Signs { heartbeat: Heartbeat::Moves, ..masked };
        assert_eq!(alive.verdict(), AutopsyVerdict::LinkLost, "an executor sleeps like this");
    }

    #[test]
    fn a_verdict_is_written_alike_in_journals_and_in_texts() {
        for verdict in [
            AutopsyVerdict::Fault,
            AutopsyVerdict::Panic,
            AutopsyVerdict::Hang,
            AutopsyVerdict::Lockup,
            AutopsyVerdict::Reboot,
            AutopsyVerdict::LinkLost,
            AutopsyVerdict::ProbeError,
        ] {
            assert_eq!(serde_yaml::to_string(&verdict).unwrap().trim(), verdict.to_string());
        }
    }
}
