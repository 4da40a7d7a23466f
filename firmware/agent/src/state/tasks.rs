//! The task list, and the record of tasks started and ended since the last collection. What runs from boot on is no
//! happening.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use super::happenings::{Happenings, Noted};

/// What an honest device runs: executable and process id. The console starts what is started by hand.
const BOOT_TASKS: [(&str, u32); 4] =
    [("/sbin/init", 1), (AGENT_EXECUTABLE, AGENT), ("/bin/sensor", 3), ("/bin/login", CONSOLE)];
/// The agent's process id.
pub(crate) const AGENT: u32 = 2;
/// The agent's executable, which also opens every connection.
pub(crate) const AGENT_EXECUTABLE: &str = "/bin/agent";
/// The console's process id.
pub(crate) const CONSOLE: u32 = 4;
/// The console's executable, which checks passwords.
pub(crate) const CONSOLE_EXECUTABLE: &str = "/bin/login";

/// A task that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartedTask {
    /// When, Unix seconds.
    pub(crate) at_s: i64,
    /// Process id.
    pub(crate) id: u32,
    /// Process id of what started it.
    pub(crate) parent: u32,
    /// Path of its executable.
    pub(crate) executable: String,
    /// Its command line.
    pub(crate) command_line: String,
    /// Name and id of the user it runs as.
    pub(crate) user: (String, u32),
}

/// A task that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndedTask {
    /// When, Unix seconds.
    pub(crate) at_s: i64,
    /// Process id.
    pub(crate) id: u32,
    /// Path of its executable.
    pub(crate) executable: String,
    /// What it left behind.
    pub(crate) exit_status: i32,
}

/// The exit status of a task that was ended from outside: 128 and the number of SIGTERM, as shells count it.
const TERMINATED: i32 = 128 + 15;

/// All tasks.
pub(crate) struct Tasks {
    /// Executables by process id.
    tasks: BTreeMap<u32, String>,
    started: Happenings<StartedTask>,
    ended: Happenings<EndedTask>,
    last_id: u32,
}

impl Tasks {
    pub(super) fn new() -> Self {
        let tasks = BOOT_TASKS.map(|(executable, id)| (id, executable.to_string()));
        Self {
            tasks: tasks.into(),
            started: Happenings::default(),
            ended: Happenings::default(),
            last_id: CONSOLE,
        }
    }

    /// Starts a task from the console; its process id.
    pub(crate) fn start(
        &mut self,
        executable: &str,
        command_line: &str,
        user: (String, u32),
        at_s: i64,
    ) -> u32 {
        self.last_id = self.last_id.saturating_add(1);
        let (id, executable) = (self.last_id, executable.to_string());
        self.tasks.insert(id, executable.clone());
        let command_line = command_line.to_string();
        self.started.note(StartedTask { at_s, id, parent: CONSOLE, executable, command_line, user });
        id
    }

    /// Ends a task from outside.
    pub(crate) fn end(&mut self, id: u32, at_s: i64) {
        if let Some(executable) = self.tasks.remove(&id) {
            self.ended.note(EndedTask { at_s, id, executable, exit_status: TERMINATED });
        }
    }

    /// Whether a task of that executable runs.
    #[cfg(test)]
    pub(crate) fn is_running(&self, executable: &str) -> bool {
        self.tasks.values().any(|running| running == executable)
    }

    /// The tasks started since the last time.
    pub(crate) fn take_started(&mut self) -> Noted<StartedTask> {
        self.started.take()
    }

    /// The tasks that ended since the last time.
    pub(crate) fn take_ended(&mut self) -> Noted<EndedTask> {
        self.ended.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_from_boot_on_was_not_started_and_what_started_or_ended_is_told_once() {
        let mut tasks = Tasks::new();
        assert!(tasks.is_running("/bin/sensor"));
        assert_eq!(tasks.take_started().kept, []);
        let id = tasks.start("/tmp/miner", "/tmp/miner -t 4", ("root".to_string(), 0), 7);
        assert!(tasks.is_running("/tmp/miner"));
        let started = tasks.take_started().kept;
        assert_eq!((started.len(), started[0].id, started[0].parent), (1, id, CONSOLE));
        assert_eq!(tasks.take_started().kept, []);
        assert_eq!(tasks.take_ended().kept, []);
        tasks.end(id, 9);
        tasks.end(id, 10);
        assert!(!tasks.is_running("/tmp/miner"));
        let executable = "/tmp/miner".to_string();
        assert_eq!(tasks.take_ended().kept, [EndedTask { at_s: 9, id, executable, exit_status: 143 }]);
        assert_eq!(tasks.take_ended().kept, []);
    }
}
