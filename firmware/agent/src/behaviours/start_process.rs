//! A program is started on the device.

use alloc::boxed::Box;
use alloc::string::ToString;

use hilarm_link::CommandError;

use super::{Behaviour, Param, ParamKind, Progress, Running, not_now};
use crate::device::Device;
use crate::io::Now;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "start-process",
    summary: "Starts a program from the console; it runs until the behaviour is stopped.",
    attack: &["T1059"],
    params: &[
        Param {
            name: "executable",
            kind: ParamKind::Text,
            required: true,
            summary: "Path of the executable.",
        },
        Param {
            name: "command_line",
            kind: ParamKind::Text,
            required: false,
            summary: "The command line; the executable alone by default.",
        },
        Param {
            name: "user",
            kind: ParamKind::Text,
            required: false,
            summary: "The user it runs as, who must exist; root by default.",
        },
    ],
    start: |device, args, now| {
        let executable = args.text("executable").unwrap_or_default();
        if executable.is_empty() {
            let (name, expected) = ("executable".to_string(), "the path of an executable".to_string());
            return Err(CommandError::Argument { name, expected });
        }
        let command_line = args.text("command_line").unwrap_or(executable);
        let name = args.text("user").unwrap_or("root");
        let Some(user_id) = device.state.users.id(name) else {
            return Err(not_now("there is no such user"));
        };
        let user = (name.to_string(), user_id);
        let id = device.state.tasks.start(executable, command_line, user, now.unix_s());
        Ok(Box::new(Process { id, told: false }))
    },
};

struct Process {
    id: u32,
    told: bool,
}

impl Running for Process {
    fn progress(&mut self, _device: &Device) -> Progress {
        if core::mem::replace(&mut self.told, true) { Progress::UnderWay } else { Progress::DoneForNow }
    }

    fn stop(&mut self, device: &mut Device, now: Now) {
        device.state.tasks.end(self.id, now.unix_s());
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use hilarm_link::{CommandError, Value};

    use crate::testing::World;

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.to_string(), Value::Text(value.to_string()))
    }

    #[test]
    fn a_started_program_is_told_once_with_its_command_line_and_user() {
        let mut world = World::connected();
        let args = [text("executable", "/tmp/miner"), text("command_line", "/tmp/miner -t 4")];
        world.run_behaviour("start-process", &args).unwrap();
        world.run_for_s(300);
        let processes = world.security_events("ProcessCreate");
        assert_eq!(processes.len(), 1);
        assert_eq!(processes[0]["Executable"], "/tmp/miner");
        assert_eq!(processes[0]["CommandLine"], "/tmp/miner -t 4");
        assert_eq!((&processes[0]["UserName"], &processes[0]["UserId"]), (&"root".into(), &"0".into()));
    }

    #[test]
    fn a_program_stopped_may_be_started_again_and_both_are_told_each_time() {
        let mut world = World::connected();
        for _ in 0..2 {
            world.run_behaviour("start-process", &[text("executable", "/bin/sh")]).unwrap();
            world.stop_behaviour("start-process").unwrap();
        }
        world.run_for_s(100);
        let processes = world.security_events("ProcessCreate");
        assert_eq!(processes.len(), 2);
        assert_ne!(processes[0]["ProcessId"], processes[1]["ProcessId"]);
        let ended = world.security_events("ProcessTerminate");
        assert_eq!(ended.len(), 2);
        for (started, ended) in processes.iter().zip(&ended) {
            assert_eq!(started["ProcessId"], ended["ProcessId"]);
            assert_eq!((&ended["Executable"], &ended["ExitStatus"]), (&"/bin/sh".into(), &143.into()));
        }
    }

    #[test]
    fn nothing_runs_as_nobody_and_nothing_without_a_path() {
        let mut world = World::connected();
        let nobody = [text("executable", "/bin/sh"), text("user", "nobody")];
        assert!(matches!(world.run_behaviour("start-process", &nobody), Err(CommandError::NotNow { .. })));
        let empty = world.run_behaviour("start-process", &[text("executable", "")]);
        assert!(matches!(empty, Err(CommandError::Argument { .. })));
    }
}
