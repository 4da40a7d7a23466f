//! QEMUs that stay open between runs. As many are started as are needed at once; one whose life went wrong is closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hilarm_link::DeviceConfig;

use super::machine::{Kind, Machine};
use super::{QemuDevice, QemuError};
use crate::{Board, Elf, Pace};

/// So many stay open unused; a suite of several boards leaves those of one board behind when it goes on to the next.
const IDLE_MAX: usize = 16;

/// QEMUs that are open and unused.
#[derive(Clone, Debug, Default)]
pub struct QemuPool {
    idle: Arc<Mutex<Vec<Machine>>>,
}

impl QemuPool {
    /// Boots a device in a QEMU that is open already, or in a new one.
    pub fn boot(&self, board: &Board, elf: &Elf, config: &DeviceConfig) -> Result<QemuDevice, QemuError> {
        if !can_live_again(board) {
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
        let mut idle = self.idle();
        idle.push(machine);
        let oldest = (idle.len() > IDLE_MAX).then(|| idle.remove(0));
        drop(idle);
        // Nobody else has to wait until it has ended.
        drop(oldest);
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

/// Firmware that is not ours may rely on memory that is zero when the power comes on. And of a device that lives in its
/// own time nobody knows what is still in its wires when its life ends.
fn can_live_again(board: &Board) -> bool {
    board.identity.is_none() && board.pace() == Pace::Granted
}
