//! A running bridge: its threads, how they are ended, and why they ended.
//!
//! One thread takes debuggers in, one serves them one after another, one reads QMP. What ends the bridge, be it QEMU or
//! its owner, is noted once, and every socket is shut down, so that no thread and no debugger waits any longer.

use std::io;
use std::net::Shutdown;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::config::{BridgeConfig, Endpoint};
use crate::debug::core::Core;
use crate::debug::machine::Qemu;
use crate::error::BridgeError;
use crate::gdb::client::Client;
use crate::glasgow::server::{SessionEnd, dismiss, serve};
use crate::link_error::LinkError;
use crate::qmp::monitor::{Events, Monitor};
use crate::stream::{Listener, Stream};

/// The Glasgow's USB ids, by which probe-rs chooses the driver that takes a socket for a serial number.
const GLASGOW: &str = "20b7:9db1";

/// For a connection to our own listener, which is there or not.
const WAKE_LIMIT: Duration = Duration::from_secs(1);

/// How long a debugger's end may take to be noticed when the next one, or the bridge's end, is at the door already.
const LEAVING_LIMIT: Duration = Duration::from_millis(500);

/// Why a bridge serves no debugger any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was stopped or dropped.
    Stopped,
    /// QEMU closed one of its sockets: it ended or was killed.
    QemuGone,
    /// QEMU did not answer within the limit; what was waited for.
    Silent(String),
    /// QEMU answered what no gdbstub answers.
    Garbled(String),
}

/// A debug probe for the core that QEMU emulates. Dropping it ends it.
#[derive(Debug)]
pub struct Bridge {
    endpoint: Endpoint,
    shared: Arc<Shared>,
    monitor: Monitor,
    threads: Vec<JoinHandle<()>>,
}

impl Bridge {
    /// Connects to QEMU's sockets, waiting for them within the limit, and opens the debugger's socket.
    ///
    /// A machine that ran goes on running; one that never ran (`-S`) shows as halted.
    pub fn start(config: BridgeConfig) -> Result<Self, BridgeError> {
        let limit = config.reply_limit;
        let listener = listen(&config)?;
        let endpoint = listener.endpoint()?;
        let shared = Arc::new(Shared::new(endpoint.clone()));
        let events = Arc::new(Events::default());
        // QMP first: once the stub has a client, a machine that ran stands still.
        let qmp = connect("QMP", &config.qmp, limit)?;
        let (monitor, was_running) = {
            let shared = shared.clone();
            let on_gone = move || {
                shared.end(Ended::QemuGone);
                shared.cut_gdb();
            };
            Monitor::start(qmp, limit, events.clone(), on_gone)?
        };
        let gdb = connect("gdbstub", &config.gdb, limit)?;
        shared.hold(gdb.try_clone()?);
        let machine = Qemu::new(Client::connect(gdb, limit)?, events, limit);
        let mut core = Core::new(machine, config.core, was_running);
        core.settle()?;
        let (admitted, to_serve) = mpsc::channel();
        let serving = shared.clone();
        let server = spawn("probe-bridge", move || serve_debuggers(&to_serve, &mut core, &serving))?;
        let admitting = shared.clone();
        let door = spawn("probe-bridge-door", move || {
            admit_debuggers(&listener, &admitted, &admitting, limit);
        })?;
        Ok(Self { endpoint, shared, monitor, threads: vec![server, door] })
    }

    /// What probe-rs takes as the probe's selector: `20b7:9db1:unix:/path` or `20b7:9db1:tcp:127.0.0.1:PORT`.
    pub fn selector(&self) -> String {
        format!("{GLASGOW}:{}", self.endpoint)
    }

    /// Why the bridge serves no longer; `None` while it does.
    pub fn ended(&self) -> Option<Ended> {
        self.shared.lock().ended.clone()
    }

    /// Ends it: what a debugger waits for fails at once, and so does everything after. The core stays as it is.
    pub fn stop(&mut self) {
        self.shared.end(Ended::Stopped);
        self.shared.await_nobody();
        self.shared.cut_gdb();
        self.monitor.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the threads have in common.
#[derive(Debug)]
struct Shared {
    /// Where the debugger's socket is: a connection wakes the thread that waits there.
    endpoint: Endpoint,
    sockets: Mutex<Sockets>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Sockets {
    ended: Option<Ended>,
    /// Handles by which waits are ended: the stub's and the debugger's.
    gdb: Option<Stream>,
    debugger: Option<Stream>,
}

impl Shared {
    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, sockets: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, gdb: Stream) {
        self.lock().gdb = Some(gdb);
    }

    /// Notes who is served; false if somebody is and stays, or if the bridge has ended.
    fn admit(&self, debugger: Stream) -> bool {
        let occupied = |sockets: &mut Sockets| sockets.debugger.is_some() && sockets.ended.is_none();
        let (mut sockets, _) = self
            .changed
            .wait_timeout_while(self.lock(), LEAVING_LIMIT, occupied)
            .unwrap_or_else(PoisonError::into_inner);
        let free = sockets.debugger.is_none() && sockets.ended.is_none();
        if free {
            sockets.debugger = Some(debugger);
        }
        free
    }

    /// Nobody is served any more.
    fn release(&self) {
        self.lock().debugger = None;
        self.changed.notify_all();
    }

    /// The first reason stands. The debugger's stream stays open for writing, so that it can be told.
    fn end(&self, reason: Ended) {
        let mut sockets = self.lock();
        if sockets.ended.is_some() {
            return;
        }
        sockets.ended = Some(reason);
        if let Some(debugger) = &sockets.debugger {
            debugger.shutdown(Shutdown::Read);
        }
        drop(sockets);
        self.changed.notify_all();
        // Wakes `accept`; if nobody accepts any more, there is nobody to wake.
        let _ = Stream::connect_once(&self.endpoint, WAKE_LIMIT);
    }

    /// Lets what is under way for a debugger finish, within a moment, so that a machine paused for it goes on.
    fn await_nobody(&self) {
        let served = |sockets: &mut Sockets| sockets.debugger.is_some();
        // What is not done in time is cut off.
        let _ = self.changed.wait_timeout_while(self.lock(), LEAVING_LIMIT, served);
    }

    /// Ends every wait for the stub.
    fn cut_gdb(&self) {
        if let Some(gdb) = &self.lock().gdb {
            gdb.shutdown(Shutdown::Both);
        }
    }
}

/// Takes debuggers in. One at a time is served; another is told at once rather than left to wait.
fn admit_debuggers(listener: &Listener, admitted: &Sender<Stream>, shared: &Shared, limit: Duration) {
    loop {
        let debugger = listener.accept();
        if shared.lock().ended.is_some() {
            return;
        }
        let Ok(mut debugger) = debugger else { continue };
        let prepared = debugger.set_write_timeout(Some(limit)).and_then(|()| debugger.try_clone());
        if !prepared.is_ok_and(|handle| shared.admit(handle)) {
            dismiss(&mut debugger);
        } else if admitted.send(debugger).is_err() {
            return;
        }
    }
}

/// Serves those who were let in, until nobody more can be.
fn serve_debuggers(admitted: &Receiver<Stream>, core: &mut Core<Qemu>, shared: &Shared) {
    while let Ok(mut debugger) = admitted.recv() {
        if let SessionEnd::Link(error) = serve(&mut debugger, core) {
            shared.end(error.into_ended());
        }
        // Last: who meets the failure may ask for its reason.
        dismiss(&mut debugger);
        debugger.shutdown(Shutdown::Both);
        shared.release();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(work)
}

fn connect(what: &'static str, endpoint: &Endpoint, limit: Duration) -> Result<Stream, BridgeError> {
    Stream::connect(endpoint, limit).map_err(|source| BridgeError::Connect {
        what,
        endpoint: endpoint.clone(),
        limit,
        source,
    })
}

fn listen(config: &BridgeConfig) -> Result<Listener, BridgeError> {
    Listener::bind(&config.listen)
        .map_err(|source| BridgeError::Listen { at: format!("{:?}", config.listen), source })
}

impl From<LinkError> for BridgeError {
    fn from(error: LinkError) -> Self {
        Self::Greeting(error.to_string())
    }
}
