//! QEMUs that stay open between runs. As many are started as are needed at once; one whose life went wrong is closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hilarm_link::DeviceConfig;

use super::machine::{Kind, Machine};
use super::{QemuDevice, QemuError};
use crate::{Board, Elf};

/// QEMUs that are open and unused.
#[derive(Clone, Debug, Default)]
pub struct QemuPool {
    idle: Arc<Mutex<Vec<Machine>>>,
}

impl QemuPool {
    /// Boots a device in a QEMU that is open already, or in a new one.
    pub fn boot(&self, board: &Board, elf: &Elf, config: &DeviceConfig) -> Result<QemuDevice, QemuError> {
        // Firmware that is not ours may rely on memory that is zero when the power comes on.
        if board.identity.is_some() {
            return QemuDevice::launch(board, elf, config);
        }
        let machine = match self.take(&Kind::of(board, elf)) {
            Some(machine) => machine,
            None => Machine::start(board, elf, config.network.mac)?,
        };
        let mut device = QemuDevice::boot(machine, board, elf, config)?;
        device.return_to(self.clone());
        Ok(device)
    }

    pub(super) fn take_back(&self, machine: Machine) {
        self.idle().push(machine);
    }

    /// One of this kind that is still there.
    fn take(&self, kind: &Kind) -> Option<Machine> {
        loop {
            let mut idle = self.idle();
            let at = idle.iter().position(|machine| machine.is_of(kind))?;
            let mut machine = idle.swap_remove(at);
            drop(idle);
            if machine.answers() {
                return Some(machine);
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Machine>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
