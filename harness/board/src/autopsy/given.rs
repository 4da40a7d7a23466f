//! What a device was given last: when it dies, that is the first suspect.

use hilarm_model::Now;
use hilarm_network::LinkOutput;
use serde::Serialize;

use crate::Stimulus;

/// Commands may carry whole documents.
const COMMAND_CHARS_MAX: usize = 200;

/// Something that a device was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Given {
    /// Monotonic time of the world.
    pub at_us: u64,
    /// What.
    pub what: String,
}

/// The last of everything, and the last command.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastGiven {
    pub(crate) stimulus: Option<Given>,
    pub(crate) command: Option<Given>,
}

impl LastGiven {
    /// Takes note.
    pub(crate) fn note(&mut self, stimulus: &Stimulus, now: Now) {
        let given = Given::of(stimulus, now);
        if matches!(stimulus, Stimulus::Command { .. }) {
            self.command = Some(given.clone());
        }
        self.stimulus = Some(given);
    }
}

impl Given {
    fn of(stimulus: &Stimulus, now: Now) -> Self {
        let what = match stimulus {
            Stimulus::Tick => "the time".to_owned(),
            Stimulus::Link(LinkOutput::Frame(frame)) => format!("a frame of {} bytes", frame.len()),
            Stimulus::Link(_) => "an event of a socket".to_owned(),
            Stimulus::Command { id, command } => {
                let command = format!("{command:?}");
                format!("command {id}: {}", command.chars().take(COMMAND_CHARS_MAX).collect::<String>())
            }
        };
        Self { at_us: now.mono.as_micros(), what }
    }
}

#[cfg(test)]
mod tests {
    use hilarm_link::Command;
    use hilarm_model::{Monotonic, Timestamp};

    use super::*;

    fn at(micros: u64) -> Now {
        Now { mono: Monotonic::from_micros(micros), unix: Timestamp::from_secs(0) }
    }

    #[test]
    fn the_last_command_is_kept_while_frames_follow_it() {
        let mut last = LastGiven::default();
        last.note(&Stimulus::Command { id: 3, command: Command::Disconnect }, at(1));
        last.note(&Stimulus::Link(LinkOutput::Frame(vec![0; 60])), at(2));
        let given = |at_us, what: &str| Some(Given { at_us, what: what.to_owned() });
        assert_eq!(last.command, given(1, "command 3: Disconnect"));
        assert_eq!(last.stimulus, given(2, "a frame of 60 bytes"));
    }

    #[test]
    fn a_command_with_a_document_is_cut_short() {
        let command = Command::ReportProperties { json: "x".repeat(100_000) };
        let given = Given::of(&Stimulus::Command { id: 1, command }, at(0));
        assert!(given.what.len() < 2 * COMMAND_CHARS_MAX);
    }
}
