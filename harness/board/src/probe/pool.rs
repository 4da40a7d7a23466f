//! Boards that stay open between runs. A board on a desk is opened and flashed once a suite, and reset between
//! runs; one unit serves one run at a time. Emulated boards are opened as many as are needed at once, and kept.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hilarm_link::DeviceConfig;

use super::emulator::Plug;
use super::{ProbeDevice, ProbeError, Station};
use crate::{Board, Elf, LocalBoards, LocalUnit};

/// The longest wait for a board that other runs use.
const TURN_LIMIT: Duration = Duration::from_secs(3600);

/// Boards that are open, and who has them.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    local: LocalBoards,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<(Place, Station)>,
    /// Units on the desk that a run has.
    taken: BTreeSet<(String, usize)>,
    /// Of every emulated board that is open, whoever has it.
    plugs: Vec<Plug>,
}

/// Which board of those with one id. Emulated boards have no number: they are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    board: String,
    number: Option<usize>,
}

/// The right of one run to use so many boards.
pub struct Lease<'a> {
    pool: &'a Pool,
    board: &'a Board,
    image: &'a Elf,
    turns: Vec<Turn>,
}

/// The right to one board; over when it is dropped.
struct Turn {
    shared: Arc<Shared>,
    place: Place,
    unit: LocalUnit,
}

impl Pool {
    /// A pool of what is plugged into this desk, and of emulated boards.
    pub fn new(local: LocalBoards) -> Self {
        Self { shared: Arc::new(Shared { local, ..Shared::default() }) }
    }

    /// Waits until as many boards are free as a run has devices. All at once: two runs that each held one and waited
    /// for another would wait for ever.
    pub fn lease<'a>(
        &'a self,
        board: &'a Board,
        image: &'a Elf,
        devices: usize,
    ) -> Result<Lease<'a>, ProbeError> {
        let lease = |turns| Lease { pool: self, board, image, turns };
        if board.emulator.is_some() {
            let turn = || self.turn(Place { board: board.id.clone(), number: None }, LocalUnit::default());
            return Ok(lease((0..devices).map(|_| turn()).collect()));
        }
        let units = self.shared.local.units(&board.id);
        if units.len() < devices {
            return Err(ProbeError::TooFew { board: board.id.clone(), needed: devices, there: units.len() });
        }
        let give_up = Instant::now() + TURN_LIMIT;
        let mut state = self.shared.state();
        loop {
            let free = |number: &usize| !state.taken.contains(&(board.id.clone(), *number));
            let numbers: Vec<usize> = (0..units.len()).filter(free).take(devices).collect();
            if numbers.len() == devices {
                state.taken.extend(numbers.iter().map(|number| (board.id.clone(), *number)));
                let place = |number| Place { board: board.id.clone(), number: Some(number) };
                return Ok(lease(
                    numbers.iter().map(|&at| self.turn(place(at), units[at].clone())).collect(),
                ));
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ProbeError::Silent { doing: "other runs use the board", limit: TURN_LIMIT });
            }
            let waited = self.shared.freed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many boards are open and unused.
    pub fn idle(&self) -> usize {
        self.shared.state().idle.len()
    }

    /// How many emulated boards are open, in a run or not.
    pub fn open(&self) -> usize {
        self.shared.state().plugs.iter().filter(|plug| plug.is_held()).count()
    }

    /// Pulls the probe out of every emulated board that is open, in a run or not, as somebody may do to a desk; tells
    /// how many that were.
    pub fn unplug(&self) -> usize {
        let plugs = self.shared.state().plugs.clone();
        // A run that holds the lock of its board must not be held up by the pool's.
        plugs.iter().filter(|plug| plug.pull()).count()
    }

    fn turn(&self, place: Place, unit: LocalUnit) -> Turn {
        Turn { shared: Arc::clone(&self.shared), place, unit }
    }
}

impl Lease<'_> {
    /// Boots one device on one of the leased boards: open already, or opened now.
    pub fn boot(&mut self, config: &DeviceConfig) -> Result<ProbeDevice, ProbeError> {
        let Some(turn) = self.turns.pop() else {
            let (board, there) = (self.board.id.clone(), 0);
            return Err(ProbeError::TooFew { board, needed: 1, there });
        };
        let station = match self.pool.shared.take(&turn.place, self.image) {
            Some(station) => station,
            None => {
                let station = Station::open(self.board, self.image, &turn.unit)?;
                self.pool.shared.note(&station);
                station
            }
        };
        let mut device = station.boot(config)?;
        device.return_to(Box::new(move |station| turn.give_back(station)));
        Ok(device)
    }
}

impl Turn {
    fn give_back(self, station: Station) {
        self.shared.state().idle.push((self.place.clone(), station));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(number) = self.place.number {
            self.shared.state().taken.remove(&(self.place.board.clone(), number));
            self.shared.freed.notify_all();
        }
    }
}

impl Shared {
    /// An open board with this image. One on the desk with another image is closed: its probe serves one owner.
    fn take(&self, place: &Place, image: &Elf) -> Option<Station> {
        let mut state = self.state();
        let mut closed = Vec::new();
        let mut found = None;
        for (at, station) in std::mem::take(&mut state.idle) {
            let same = at == *place;
            let fits = same && station.image().sha256() == image.sha256() && station.gone().is_none();
            if fits && found.is_none() {
                found = Some(station);
            } else if same && (place.number.is_some() || station.gone().is_some()) {
                closed.push(station);
            } else {
                state.idle.push((at, station));
            }
        }
        drop(state);
        // Letting go of a chip takes a moment; nobody else has to wait for it.
        drop(closed);
        found
    }

    fn note(&self, station: &Station) {
        let mut state = self.state();
        state.plugs.retain(Plug::is_held);
        state.plugs.extend(station.plug());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
