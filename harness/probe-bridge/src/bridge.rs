//! A running bridge: its threads, how they are ended, and why they ended.

use std::net::Shutdown;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::config::{BridgeConfig, Endpoint};
use crate::error::BridgeError;
use crate::stream::{Listener, Stream};

/// The Glasgow's USB ids, by which probe-rs chooses the driver that takes a socket for a serial number.
const GLASGOW: &str = "20b7:9db1";

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
    acceptor: Option<JoinHandle<()>>,
}

impl Bridge {
    /// Connects to QEMU's sockets, waiting for them within the limit, and opens the debugger's socket.
    pub fn start(config: BridgeConfig) -> Result<Self, BridgeError> {
        let gdb = connect("gdbstub", &config.gdb, &config)?;
        let qmp = connect("QMP", &config.qmp, &config)?;
        let listener = listen(&config)?;
        let endpoint = listener.endpoint()?;
        let acceptor = thread::Builder::new()
            .name("probe-bridge".into())
            .spawn(move || drop((listener.accept(), gdb, qmp, Arc::new(()))))?;
        Ok(Self { endpoint, acceptor: Some(acceptor) })
    }

    /// What probe-rs takes as the probe's selector: `20b7:9db1:unix:/path` or `20b7:9db1:tcp:127.0.0.1:PORT`.
    pub fn selector(&self) -> String {
        format!("{GLASGOW}:{}", self.endpoint)
    }

    /// Why the bridge serves no longer; `None` while it does.
    pub fn ended(&self) -> Option<Ended> {
        self.acceptor.as_ref().is_none_or(JoinHandle::is_finished).then_some(Ended::Stopped)
    }

    /// Ends it: what a debugger waits for fails at once, and so does everything after. The core stays as it is.
    pub fn stop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        if let Ok(stream) = Stream::connect(&self.endpoint, std::time::Duration::ZERO) {
            stream.shutdown(Shutdown::Both);
        }
        // A thread that panicked has said so already.
        let _ = acceptor.join();
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop();
    }
}

fn connect(what: &'static str, endpoint: &Endpoint, config: &BridgeConfig) -> Result<Stream, BridgeError> {
    let limit = config.reply_limit;
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
