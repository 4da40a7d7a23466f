//! One thread owns probe-rs's session with a chip. Everybody else sends it requests; each is bounded, and each
//! error says what it waited for. Between requests the thread carries RTT and looks whether the program still runs.
//!
//! A probe that vanishes must not take anybody with it: the driver of probe-rs may wait for ever for an answer that
//! no longer comes, so nobody waits for the thread longer than a request's limit, and an owner that finds it stuck
//! leaves it behind.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use probe_rs::{MemoryInterface, Session};

use super::ProbeError;
use super::error::words;
use super::rtt::Rtt;
use super::vitals::Vitals;

/// How often a waiting request looks whether the probe is still there.
const WATCH: Duration = Duration::from_millis(20);
/// For reading one word.
const WORD_LIMIT: Duration = Duration::from_secs(5);
/// How long the thread may take to let go of the chip.
const FAREWELL: Duration = Duration::from_secs(2);

type Request = Box<dyn FnOnce(&mut Held) + Send>;

/// Tells why the probe is gone, if it is.
pub(super) type Watch = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What the thread holds.
pub(super) struct Held {
    pub(super) session: Session,
    pub(super) rtt: Rtt,
    pub(super) vitals: Vitals,
}

/// A handle of the session; the last one that is dropped ends it.
#[derive(Clone)]
pub struct ProbeSession {
    owner: Arc<Owner>,
}

struct Owner {
    requests: Mutex<Option<Sender<Request>>>,
    ended: Mutex<Receiver<()>>,
    watch: Watch,
    probe: String,
}

impl fmt::Debug for ProbeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeSession").field("probe", &self.owner.probe).finish_non_exhaustive()
    }
}

impl ProbeSession {
    /// Starts the thread and waits until `open` has attached to the chip.
    pub(super) fn start(
        probe: String,
        watch: Watch,
        limit: Duration,
        open: impl FnOnce() -> Result<Session, ProbeError> + Send + 'static,
    ) -> Result<Self, ProbeError> {
        let (requests, inbox) = channel::<Request>();
        let (opened, outcome) = sync_channel(1);
        let (end, ended) = channel::<()>();
        let body = move || {
            // Its drop tells that the thread is through.
            let _end = end;
            match open() {
                Ok(session) => {
                    let mut held = Held { session, rtt: Rtt::default(), vitals: Vitals::default() };
                    if opened.send(Ok(())).is_ok() {
                        serve(&inbox, &mut held);
                    }
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        };
        let thread = thread::Builder::new().name("probe".to_owned());
        let _detached = thread.spawn(body).map_err(|error| ProbeError::Failed {
            doing: "starting the probe's thread",
            error: error.to_string(),
        })?;
        let owner = Owner { requests: Mutex::new(Some(requests)), ended: Mutex::new(ended), watch, probe };
        let session = Self { owner: Arc::new(owner) };
        session.wait(&outcome, "attaching to the chip", limit)??;
        Ok(session)
    }

    /// The probe, as its owner called it.
    pub fn probe(&self) -> &str {
        &self.owner.probe
    }

    /// Why the probe is gone, if it is.
    pub fn gone(&self) -> Option<String> {
        (self.owner.watch)()
    }

    /// Lets go of the chip and its probe, for every handle.
    pub(super) fn end(&self) {
        self.owner.end();
    }

    /// Reads a word of the chip's memory.
    pub fn read_word(&self, address: u64) -> Result<u32, ProbeError> {
        const DOING: &str = "reading memory";
        self.ask(DOING, WORD_LIMIT, move |held| {
            let failed = |error: probe_rs::Error| ProbeError::Failed { doing: DOING, error: words(&error) };
            held.session.core(0).and_then(|mut core| core.read_word_32(address)).map_err(failed)
        })
    }

    /// Has the thread do something with the chip, and waits for the result.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        doing: &'static str,
        limit: Duration,
        work: impl FnOnce(&mut Held) -> Result<T, ProbeError> + Send + 'static,
    ) -> Result<T, ProbeError> {
        let (answer, outcome) = sync_channel(1);
        let request: Request = Box::new(move |held| drop(answer.send(work(held))));
        let requests = self.owner.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = requests.as_ref().is_some_and(|requests| requests.send(request).is_ok());
        drop(requests);
        if !sent {
            return Err(self.vanished(doing));
        }
        match self.wait(&outcome, doing, limit)? {
            // A request that failed because the probe went should say so.
            Err(error) => Err(match self.gone() {
                Some(reason) => ProbeError::Gone { doing, error: reason },
                None => error,
            }),
            done => done,
        }
    }

    fn wait<T>(&self, outcome: &Receiver<T>, doing: &'static str, limit: Duration) -> Result<T, ProbeError> {
        let give_up = Instant::now() + limit;
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            match outcome.recv_timeout(left.min(WATCH)) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(self.vanished(doing)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(error) = self.gone() {
                return Err(ProbeError::Gone { doing, error });
            }
            if left.is_zero() {
                return Err(ProbeError::Silent { doing, limit });
            }
        }
    }

    fn vanished(&self, doing: &'static str) -> ProbeError {
        let error = self.gone().unwrap_or_else(|| "its session has ended".to_owned());
        ProbeError::Gone { doing, error }
    }
}

impl Owner {
    fn end(&self) {
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        // Letting go of the chip takes the probe a moment. A thread that is stuck in its driver is left behind.
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let give_up = Instant::now() + FAREWELL;
        while matches!(ended.recv_timeout(WATCH), Err(RecvTimeoutError::Timeout)) {
            if (self.watch)().is_some() || Instant::now() >= give_up {
                return;
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(inbox: &Receiver<Request>, held: &mut Held) {
    loop {
        let pause = held.rtt.pause().into_iter().chain(held.vitals.pause()).min();
        let request = match pause {
            Some(pause) => inbox.recv_timeout(pause),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match request {
            Ok(request) => request(held),
            Err(RecvTimeoutError::Timeout) => {
                held.rtt.carry(&mut held.session);
                held.vitals.look(&mut held.session);
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
