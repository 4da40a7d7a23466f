//! Whether a board works, without a scenario, a hub or a network: it boots, answers over its link, is reset, boots and
//! answers again. On a board behind a debug probe it is first attached to, made sure of, and flashed.
//!
//! It tells what it saw and how long that took; what a board is good for is found out by scenarios.

use std::fmt::Display;
use std::time::{Duration, Instant};

use hilarm_board::{
    Backend, Board, Device, DeviceOutput, Doorbell, Elf, LocalUnit, Pace, SimDevice, Stimulus,
};
use hilarm_link::{Command, DeviceConfig, DeviceEvent, FromDevice};
use hilarm_model::{Monotonic, Now};

use crate::one_run::launch;
use crate::pool::Pool;
use crate::provision::{T0, provision};

/// What the device is given to be: nothing of it runs.
const SCENARIO: &str = "schema: 1\nname: A board is checked\nseed: 1\ndevices: { device-1: { auth: { sas: {} } } }\n\
    steps: [{ connect: { device: device-1 } }]\nexpect: { alerts: [] }\n";
const COMMAND_ID: u32 = 1;

/// What a board did when it was checked.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    /// What was done and came to its end, in order.
    pub stages: Vec<Stage>,
    /// What did not, and why.
    pub fault: Option<String>,
    /// What the firmware calls its target and its version.
    pub firmware: Option<(String, String)>,
    /// The registers that the chip is known by, as they read.
    pub chip: Vec<(String, u32)>,
    /// The debug probe, where it is a real one.
    pub probe: Option<String>,
    /// Lines of log that came.
    pub log_lines: usize,
    /// All of it, and what lies between.
    pub wall: Duration,
}

/// One thing that a board was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `attach`, `flash`, `boot`, `link`, `reset`.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What there is to say of it: empty, or e.g. `unchanged`.
    pub note: &'static str,
}

impl Checkup {
    /// Checks one board. It must be one that can be used here.
    pub fn of(board: &Board, elf: Option<&Elf>, unit: &LocalUnit) -> Self {
        let began = Instant::now();
        let mut checkup = Self::default();
        if let Err(fault) = checkup.run(board, elf, unit) {
            checkup.fault = Some(fault);
        }
        checkup.wall = began.elapsed();
        checkup
    }

    fn run(&mut self, board: &Board, elf: Option<&Elf>, unit: &LocalUnit) -> Result<(), String> {
        let config = config(board)?;
        let elf = || elf.ok_or("the board needs a firmware".to_owned());
        match board.backend {
            Backend::Sim => self.launched(board, &mut || Ok(Box::new(SimDevice::new(config.clone())))),
            Backend::Qemu => {
                let (elf, pool) = (elf()?, Pool::default());
                let mut boot = || launch(&pool, board, elf, &config).map_err(|error| error.to_string());
                self.launched(board, &mut boot)
            }
            Backend::Probe => self.attached(board, elf()?, unit, &config),
        }
    }

    /// A board without a probe.
    fn launched(
        &mut self,
        board: &Board,
        boot: &mut dyn FnMut() -> Result<Box<dyn Device>, String>,
    ) -> Result<(), String> {
        let mut device = self.stage("boot", &mut *boot)?;
        if board.backend != Backend::Sim && board.link.is_none() {
            let limit = board.timeouts.boot;
            let _frame = self.stage("first frame", || {
                live_until(device.as_mut(), limit, Stimulus::Tick, |output| {
                    matches!(output, DeviceOutput::Link(_))
                })
            })?;
            return Ok(());
        }
        self.answers("link", device.as_mut(), board)?;
        drop(device);
        let began = Instant::now();
        let mut device = boot().map_err(|error| format!("reset: {error}"))?;
        self.answers("reset", device.as_mut(), board)?;
        self.took_since("reset", began);
        Ok(())
    }

    #[cfg(feature = "probe")]
    fn attached(
        &mut self,
        board: &Board,
        elf: &Elf,
        unit: &LocalUnit,
        config: &DeviceConfig,
    ) -> Result<(), String> {
        use hilarm_board::probe::{Flashed, Station};
        let wrong = |error: hilarm_board::probe::ProbeError| error.into_fault().to_string();
        let station = Station::open(board, elf, unit).map_err(wrong)?;
        let opened = station.opened();
        let note = match opened.flashed {
            Flashed::Written => "",
            Flashed::Unchanged => "unchanged",
        };
        self.stages.push(Stage { name: "attach", took: opened.attach, note: "" });
        self.stages.push(Stage { name: "flash", took: opened.flash, note });
        // The name of an emulated one is a socket in a folder that is gone by now.
        self.probe = board.emulator.is_none().then(|| station.session().probe().to_owned());
        self.chip = station.chip_id().map_err(wrong)?;
        let mut device = self.stage("boot", || station.boot(config).map_err(wrong))?;
        self.answers("link", &mut device, board)?;
        let began = Instant::now();
        let station = device.into_station().ok_or("reset: the board did not come back".to_owned())?;
        let mut device = station.boot(config).map_err(|error| format!("reset: {}", wrong(error)))?;
        self.answers("reset", &mut device, board)?;
        self.took_since("reset", began);
        Ok(())
    }

    #[cfg(not(feature = "probe"))]
    fn attached(&mut self, _: &Board, _: &Elf, _: &LocalUnit, _: &DeviceConfig) -> Result<(), String> {
        Err("this build drives no debug probe; build it with the feature `probe`".to_owned())
    }

    /// A command goes to the device and its answer comes back.
    fn answers(&mut self, name: &'static str, device: &mut dyn Device, board: &Board) -> Result<(), String> {
        let command = Stimulus::Command { id: COMMAND_ID, command: Command::Disconnect };
        let is_answer = |output: &DeviceOutput| {
            matches!(output, DeviceOutput::Report(FromDevice::Response { id: COMMAND_ID, .. }))
        };
        let limit = board.timeouts.step;
        let output = self.stage(name, || live_until(device, limit, command, is_answer))?;
        for output in output {
            match output {
                DeviceOutput::Report(FromDevice::Event(DeviceEvent::Booted { target, version, .. })) => {
                    self.firmware = Some((target, version));
                }
                DeviceOutput::Report(FromDevice::Log { .. }) => self.log_lines += 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn stage<T, E: Display>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, String> {
        let began = Instant::now();
        let done = work().map_err(|error| format!("{name}: {error}"))?;
        self.stages.push(Stage { name, took: began.elapsed(), note: "" });
        Ok(done)
    }

    /// The last stage began earlier than its answer did.
    fn took_since(&mut self, name: &str, began: Instant) {
        self.stages
            .iter_mut()
            .filter(|stage| stage.name == name)
            .for_each(|stage| stage.took = began.elapsed());
    }
}

/// Lets the device live until it has done what is awaited; answers with all that it did.
fn live_until(
    device: &mut dyn Device,
    limit: Duration,
    first: Stimulus,
    awaited: impl Fn(&DeviceOutput) -> bool,
) -> Result<Vec<DeviceOutput>, String> {
    let bell = Doorbell::default();
    device.listen(&bell);
    let began = Instant::now();
    let mut output = device.step(first, now(Duration::ZERO)).map_err(|fault| fault.to_string())?;
    while !output.iter().any(&awaited) {
        let left = limit.saturating_sub(began.elapsed());
        // Granted time stands still, and so does the device.
        if device.pace() == Pace::Granted || left.is_zero() {
            return Err(format!("no answer within {limit:?}"));
        }
        bell.wait(left);
        output.extend(device.step(Stimulus::Tick, now(began.elapsed())).map_err(|fault| fault.to_string())?);
    }
    Ok(output)
}

fn now(since: Duration) -> Now {
    let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    Now { mono: Monotonic::from_micros(micros), unix: T0 + since }
}

/// Whom the device believes to be.
fn config(board: &Board) -> Result<DeviceConfig, String> {
    let file =
        hilarm_scenario::parse("check", "check.yaml", SCENARIO).map_err(|errors| errors.to_string())?;
    let provisioned =
        provision(&file.scenario, board, file.scenario.seed).map_err(|error| error.to_string())?;
    let device = provisioned.devices.into_iter().next();
    device.map(|(_, config)| config).ok_or("no device to be".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sim() -> Board {
        Board::parse("sim", "schema: 1\nname: x\nbackend: sim\ncapabilities: [virtual-time]\n").unwrap()
    }

    #[test]
    fn the_simulated_device_boots_answers_and_boots_again() {
        let checkup = Checkup::of(&sim(), None, &LocalUnit::default());
        assert_eq!(checkup.fault, None);
        let names: Vec<_> = checkup.stages.iter().map(|stage| stage.name).collect();
        assert_eq!(names, ["boot", "link", "reset"]);
        assert_eq!(checkup.firmware.map(|(target, _)| target).as_deref(), Some("sim"));
    }

    #[test]
    fn a_board_whose_emulator_is_unknown_fails_where_it_fails() {
        let text = "schema: 1\nname: x\nbackend: qemu\ncapabilities: []\nlink: { via: uart1 }\n\
            firmware: { triple: thumbv7m-none-eabi, target: x }\n\
            qemu: { machine: toaster, min_version: \"1.0\", config_address: 0 }\n";
        let board = Board::parse("toaster", text).unwrap();
        let checkup = Checkup::of(&board, None, &LocalUnit::default());
        assert_eq!(checkup.fault.as_deref(), Some("the board needs a firmware"));
        assert_eq!(checkup.stages, []);
    }

    #[test]
    fn a_device_that_never_answers_is_not_waited_for_beyond_the_limit() {
        struct Mute(Pace);
        impl Device for Mute {
            fn step(&mut self, _: Stimulus, _: Now) -> Result<Vec<DeviceOutput>, hilarm_board::DeviceFault> {
                Ok(Vec::new())
            }
            fn deadline(&self) -> Option<Monotonic> {
                None
            }
            fn pace(&self) -> Pace {
                self.0
            }
        }
        for pace in [Pace::Granted, Pace::Real] {
            let limit = Duration::from_millis(50);
            let error = live_until(&mut Mute(pace), limit, Stimulus::Tick, |_| false).unwrap_err();
            assert_eq!(error, "no answer within 50ms");
        }
    }
}
