//! The one HTTPS connection: opened when a request is due, kept while there is more to do, closed after. A
//! request that got no answer is sent again after a pause, a few times.

use alloc::format;
use alloc::string::{String, ToString};

use hilarm_link::{LogLevel, X509Credential};

use super::job::JobId;
use super::request::FILE_BYTE;
use super::response::Incoming;
use crate::device::Device;
use crate::io::{Input, Now, Socket};

/// From the first SYN to the end of the TLS handshake, and from a request to its answer.
const TIMEOUT_US: u64 = 30_000_000;
/// Between a failure and the next try.
const PAUSE_US: u64 = 1_000_000;
/// Failures in a row after which everything that is to be done is given up.
const FAILURES_MAX: u32 = 5;
/// IoT Hub's port for device HTTPS.
const PORT: u16 = 443;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    /// The last try failed.
    Waiting {
        until_us: u64,
    },
    Opening {
        socket: Socket,
        deadline_us: u64,
    },
    /// Up, no request under way.
    Idle {
        socket: Socket,
    },
    /// A request is out.
    Asking {
        socket: Socket,
        job: JobId,
        deadline_us: u64,
    },
}

/// The HTTPS connection.
pub(crate) struct HttpsConnection {
    phase: Phase,
    incoming: Incoming,
    /// What the connection presented in its handshake.
    certificate: Option<X509Credential>,
    failures: u32,
}

impl HttpsConnection {
    /// Not connected.
    pub(crate) fn new() -> Self {
        Self { phase: Phase::Closed, incoming: Incoming::default(), certificate: None, failures: 0 }
    }

    /// Takes an input of its socket; false when it is not about that.
    pub(crate) fn handle_input(&mut self, device: &mut Device, input: &Input, now: Now) -> bool {
        match input {
            Input::Opened { socket, .. } if self.socket() == Some(*socket) => {
                self.phase = Phase::Idle { socket: *socket };
            }
            Input::Received { socket, bytes } if self.socket() == Some(*socket) => {
                self.received(device, bytes, now);
            }
            Input::Closed { socket, reason } if self.socket() == Some(*socket) => {
                device.release(*socket);
                self.closed(device, reason.clone(), now);
            }
            _ => return false,
        }
        true
    }

    /// Does what is due: opens, asks, gives up, closes.
    pub(crate) fn settle(&mut self, device: &mut Device, now: Now) {
        match self.phase {
            Phase::Waiting { until_us } if until_us > now.mono_us => return,
            Phase::Opening { deadline_us, .. } | Phase::Asking { deadline_us, .. } => {
                if deadline_us <= now.mono_us {
                    self.fail(device, "timed out".to_string(), now);
                }
                return;
            }
            Phase::Closed | Phase::Waiting { .. } | Phase::Idle { .. } => {}
        }
        if device.https.is_empty() {
            return self.close(device);
        }
        if device.https.due_us().is_some_and(|due_us| due_us <= now.mono_us) {
            self.advance(device, now);
        }
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self, device: &Device) -> Option<u64> {
        match self.phase {
            Phase::Closed | Phase::Idle { .. } => device.https.due_us(),
            Phase::Waiting { until_us } => Some(until_us),
            Phase::Opening { deadline_us, .. } | Phase::Asking { deadline_us, .. } => Some(deadline_us),
        }
    }

    fn socket(&self) -> Option<Socket> {
        match self.phase {
            Phase::Closed | Phase::Waiting { .. } => None,
            Phase::Opening { socket, .. } | Phase::Idle { socket } | Phase::Asking { socket, .. } => {
                Some(socket)
            }
        }
    }

    /// A request is due: sends it, or opens the connection that it needs.
    fn advance(&mut self, device: &mut Device, now: Now) {
        let certificate = device.identity.request_certificate(now);
        if certificate != self.certificate {
            self.close(device);
        }
        let Phase::Idle { socket } = self.phase else { return self.open(device, certificate, now) };
        let id = device.id.clone();
        let Some((job, request)) = device.https.next(&id, now.mono_us) else { return };
        let token = device.identity.request_token(now);
        let bytes = request.encode(&device.hub_host, token.as_deref());
        device.send(socket, bytes);
        device.send_repeated(socket, FILE_BYTE, request.file_bytes());
        let deadline_us = now.mono_us.saturating_add(TIMEOUT_US);
        self.phase = Phase::Asking { socket, job, deadline_us };
    }

    fn open(&mut self, device: &mut Device, certificate: Option<X509Credential>, now: Now) {
        self.incoming = Incoming::default();
        self.certificate = certificate.clone();
        match device.open_https(PORT, certificate) {
            Some(socket) => {
                let deadline_us = now.mono_us.saturating_add(TIMEOUT_US);
                self.phase = Phase::Opening { socket, deadline_us };
            }
            None => self.fail(device, "no socket is free".to_string(), now),
        }
    }

    fn received(&mut self, device: &mut Device, bytes: &[u8], now: Now) {
        self.incoming.push(bytes);
        let Phase::Asking { socket, job, .. } = self.phase else {
            return self.fail(device, "http: an answer that nobody asked for".to_string(), now);
        };
        match self.incoming.next() {
            Ok(None) => {}
            Ok(Some(response)) => {
                self.failures = 0;
                self.phase = Phase::Idle { socket };
                if let Some(event) = device.https.answered(job, &response, now.mono_us) {
                    device.event(event);
                }
                if response.closes || !self.incoming.is_empty() {
                    self.close(device);
                }
            }
            Err(reason) => self.fail(device, reason.to_string(), now),
        }
    }

    /// The platform reported the end of the socket; between two requests that is the hub's right.
    fn closed(&mut self, device: &mut Device, reason: String, now: Now) {
        if matches!(self.phase, Phase::Idle { .. }) {
            self.phase = Phase::Closed;
        } else {
            self.phase = Phase::Closed;
            self.fail(device, reason, now);
        }
    }

    fn close(&mut self, device: &mut Device) {
        if let Some(socket) = self.socket() {
            device.close(socket);
        }
        self.phase = Phase::Closed;
    }

    fn fail(&mut self, device: &mut Device, reason: String, now: Now) {
        self.close(device);
        self.failures += 1;
        if self.failures < FAILURES_MAX {
            device.log(LogLevel::Warn, format!("https: {reason}; trying again"));
        } else {
            let jobs = device.https.cancel_all();
            device.log(LogLevel::Warn, format!("https: {reason}; giving up {jobs} jobs"));
            self.failures = 0;
        }
        self.phase = Phase::Waiting { until_us: now.mono_us.saturating_add(PAUSE_US) };
    }
}
