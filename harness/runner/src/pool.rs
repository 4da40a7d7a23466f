//! Boards that stay open between runs, because a run needs no more than a reset: behind a debug probe opening one takes
//! an attach and perhaps a flash, and an emulator that is started anew has to translate its firmware again.

#[cfg(feature = "probe")]
use hilarm_board::probe::ProbeError;
use hilarm_board::{Board, Device, Elf, LocalBoards, QemuError, QemuPool};
use hilarm_link::DeviceConfig;

/// Boards that stay open between runs; each is closed with the last handle.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    emulators: QemuPool,
    #[cfg(feature = "probe")]
    boards: hilarm_board::probe::Pool,
}

/// As many boards as a run has devices.
pub(crate) struct Lease<'a> {
    #[cfg(feature = "probe")]
    boards: hilarm_board::probe::Lease<'a>,
    #[cfg(not(feature = "probe"))]
    absent: std::convert::Infallible,
    #[cfg(not(feature = "probe"))]
    board: std::marker::PhantomData<&'a Board>,
}

impl Pool {
    /// Boots a device in an emulator.
    pub(crate) fn emulate(
        &self,
        board: &Board,
        elf: &Elf,
        config: &DeviceConfig,
    ) -> Result<Box<dyn Device>, QemuError> {
        Ok(Box::new(self.emulators.boot(board, elf, config)?))
    }
}

#[cfg(feature = "probe")]
impl Pool {
    /// Of what is plugged into this desk, and of emulated boards.
    pub fn new(local: LocalBoards) -> Self {
        Self { boards: hilarm_board::probe::Pool::new(local), ..Self::default() }
    }

    /// How many emulated boards are open, in a run or not.
    pub fn open(&self) -> usize {
        self.boards.open()
    }

    /// Pulls the probe out of every emulated board that is open; tells how many that were.
    pub fn unplug(&self) -> usize {
        self.boards.unplug()
    }

    /// Waits for its turn; an error is what keeps the run from beginning.
    pub(crate) fn lease<'a>(
        &'a self,
        board: &'a Board,
        elf: &'a Elf,
        devices: usize,
    ) -> Result<Lease<'a>, String> {
        let boards = self.boards.lease(board, elf, devices).map_err(|error| probe_error(&error))?;
        Ok(Lease { boards })
    }
}

#[cfg(feature = "probe")]
impl Lease<'_> {
    pub(crate) fn boot(&mut self, config: &DeviceConfig) -> Result<Box<dyn Device>, String> {
        Ok(Box::new(self.boards.boot(config).map_err(|error| probe_error(&error))?))
    }
}

/// As a fault in the middle of a run reads; a firmware that did not come up with what was found out about it.
#[cfg(feature = "probe")]
fn probe_error(error: &ProbeError) -> String {
    match error {
        ProbeError::Boot { .. } => error.to_string(),
        other => other.clone().into_fault().to_string(),
    }
}

#[cfg(not(feature = "probe"))]
impl Pool {
    /// An empty one: this build drives no debug probe.
    pub fn new(_local: LocalBoards) -> Self {
        Self::default()
    }

    pub(crate) fn lease<'a>(
        &'a self,
        board: &'a Board,
        _elf: &'a Elf,
        _devices: usize,
    ) -> Result<Lease<'a>, String> {
        Err(format!("board {} needs a build with the feature `probe`", board.id))
    }
}

#[cfg(not(feature = "probe"))]
impl Lease<'_> {
    pub(crate) fn boot(&mut self, _config: &DeviceConfig) -> Result<Box<dyn Device>, String> {
        let _board = self.board;
        match self.absent {}
    }
}
