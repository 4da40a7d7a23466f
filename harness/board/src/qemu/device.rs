//! A device in QEMU: one life of a [`Machine`].

use hilarm_link::DeviceConfig;
use hilarm_model::{Monotonic, Now};

use super::machine::{Machine, Stay};
use super::pool::QemuPool;
use super::version::QemuVersion;
use crate::autopsy::{LastGiven, by_words};
use crate::foreign::IdentityError;
use crate::linked::LinkedDevice;
use crate::{Autopsy, Board, Device, DeviceFault, DeviceOutput, Doorbell, Elf, ElfError, Pace, Stimulus};

/// Why a device in QEMU could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QemuError {
    /// No QEMU.
    #[error("`{binary}` does not run or tells no version; `cargo xtask setup` installs QEMU")]
    Absent {
        /// The name looked for.
        binary: String,
    },
    /// QEMU is too old.
    #[error("QEMU {found} is too old: board {board} needs {needed} or newer")]
    TooOld {
        /// Its version.
        found: QemuVersion,
        /// What the board's file asks for.
        needed: String,
        /// The board.
        board: String,
    },
    /// The board is no QEMU board.
    #[error("board {board} has no section `{section}`")]
    Incomplete {
        /// The board.
        board: String,
        /// What is missing.
        section: &'static str,
    },
    /// The operating system refused something.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's words.
        error: String,
    },
    /// The image was changed or removed since it was opened.
    #[error(transparent)]
    Image(#[from] ElfError),
    /// The firmware cannot be told who it is.
    #[error("the identity cannot be written: {0}")]
    Identity(#[from] IdentityError),
    /// The firmware did not come up.
    #[error("the firmware did not come up: {0}")]
    Boot(DeviceFault),
}

/// Real firmware in QEMU.
#[derive(Debug)]
pub struct QemuDevice {
    /// Nothing when it is over.
    life: Option<(LinkedDevice, Stay)>,
    home: Option<QemuPool>,
    process_id: u32,
    board: String,
    given: LastGiven,
    fault: Option<DeviceFault>,
}

impl QemuDevice {
    /// Boots the firmware in a QEMU of its own and waits until it is idle for the first time.
    pub fn launch(board: &Board, elf: &Elf, config: &DeviceConfig) -> Result<Self, QemuError> {
        Self::boot(Machine::start(board, elf, config.network.mac)?, board, elf, config)
    }

    pub(super) fn boot(
        machine: Machine,
        board: &Board,
        elf: &Elf,
        config: &DeviceConfig,
    ) -> Result<Self, QemuError> {
        let (device, stay) = machine.boot(board, elf, config)?;
        let process_id = stay.process_id();
        let (board, given) = (board.id.clone(), LastGiven::default());
        Ok(Self { life: Some((device, stay)), home: None, process_id, board, given, fault: None })
    }

    /// Where its QEMU goes when the device is dropped after a life without a fault.
    pub(super) fn return_to(&mut self, home: QemuPool) {
        self.home = Some(home);
    }

    /// Process id of QEMU, for tests that kill it.
    pub fn process_id(&self) -> u32 {
        self.process_id
    }
}

impl Drop for QemuDevice {
    fn drop(&mut self) {
        if let (Some((device, stay)), Some(home), None) = (self.life.take(), self.home.take(), &self.fault)
            && let Some(machine) = stay.rest(device)
        {
            home.take_back(machine);
        }
    }
}

impl Device for QemuDevice {
    fn step(&mut self, stimulus: Stimulus, now: Now) -> Result<Vec<DeviceOutput>, DeviceFault> {
        self.given.note(&stimulus, now);
        let over =
            || DeviceFault::LinkLost { doing: "stepping", error: "the device's life is over".to_owned() };
        let life = self.life.as_mut().ok_or_else(over);
        let stepped = life.and_then(|(device, _)| device.step(stimulus, now));
        self.fault = stepped.as_ref().err().cloned().or(self.fault.take());
        stepped
    }

    fn autopsy(&mut self) -> Option<Autopsy> {
        let said = self.life.as_ref()?.0.last_words();
        by_words(&self.board, self.fault.as_ref()?, &said, &self.given)
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.life.as_ref().and_then(|(device, _)| device.deadline())
    }

    fn pace(&self) -> Pace {
        self.life.as_ref().map_or(Pace::Granted, |(device, _)| device.pace())
    }

    fn listen(&mut self, bell: &Doorbell) {
        self.life.iter_mut().for_each(|(device, _)| device.listen(bell));
    }
}
