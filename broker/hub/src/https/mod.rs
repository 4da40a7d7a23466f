//! Device HTTPS as an adapter on the core: requests of devices, each judged by itself. A request is answered
//! whole before the next one on its connection is looked at, so requests sent ahead of their answers are
//! answered in order. It keeps no session; a connection remembers only whom it let in, to record it.
//!
//! `head`, `body`, `response` bytes and values; `route` which operation; `authorize` who asks; `events`,
//! `messages`, `files` the operations; `refusal` the errors.

mod authorize;
mod body;
mod events;
mod files;
mod head;
mod messages;
mod refusal;
mod response;
mod route;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hilarm_model::{CloseReason, ConnectionId, HubEvent, Monotonic, Now, PeerFacts};

use self::body::{Body, Keeping};
use self::head::Head;
use self::refusal::{Malformed, Refusal};
use self::response::Response;
use self::route::{Operation, Route};
use crate::core::Core;
use crate::core::registry::ClientIdentity;
use crate::core::throttle::Throttled;
use crate::core::timers::Timers;
use crate::hub::Output;
use crate::service::BlobWrite;

/// Evidence of a violation: so many bytes of the request at most. Too few to reach a token.
const EVIDENCE_BYTES_MAX: usize = 32;
/// How long a connection may stay between two requests (undocumented).
const IDLE_MAX: Duration = Duration::from_secs(120);

/// All HTTPS connections.
#[derive(Debug)]
pub(crate) struct Https {
    connections: BTreeMap<ConnectionId, Connection>,
    /// When a connection has been silent for too long.
    timers: Timers<ConnectionId>,
    outputs: VecDeque<Output>,
    /// Numbers the errors.
    tracking: u64,
}

#[derive(Debug)]
struct Connection {
    facts: PeerFacts,
    /// Bytes that no request has taken yet.
    pending: Vec<u8>,
    request: Option<Request>,
    /// When the connection has been silent for too long.
    deadline: Monotonic,
    /// Where its timer stands. It is moved when it falls due, not at every request.
    timer: Monotonic,
    /// The identity last let in.
    identity: Option<ClientIdentity>,
}

/// A request whose body is under way.
#[derive(Debug)]
struct Request {
    head: Head,
    route: Route,
    body: Body,
}

/// What follows from an answer.
enum Next {
    KeepAlive,
    Close(CloseReason),
}

impl Https {
    pub(crate) fn new() -> Self {
        Self { connections: BTreeMap::new(), timers: Timers::new(), outputs: VecDeque::new(), tracking: 0 }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self, now: Now) -> Option<Monotonic> {
        self.timers.next(now)
    }

    /// Whether the connection is one of these.
    pub(crate) fn holds(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    pub(crate) fn opened(&mut self, core: &Core, id: ConnectionId, facts: PeerFacts, now: Now) {
        let deadline = now.mono + core.config.connect_timeout;
        self.timers.set(deadline, id);
        let connection = Connection {
            facts,
            pending: Vec::new(),
            request: None,
            deadline,
            timer: deadline,
            identity: None,
        };
        self.connections.insert(id, connection);
    }

    /// The transport ended by itself.
    pub(crate) fn closed(&mut self, core: &mut Core, id: ConnectionId, now: Now) {
        self.end(core, id, CloseReason::TransportClosed, now);
    }

    pub(crate) fn received(&mut self, core: &mut Core, id: ConnectionId, bytes: &[u8], now: Now) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut pending = std::mem::take(&mut connection.pending);
        // A head's time runs from its first byte, a body's from its last.
        if pending.is_empty() || connection.request.is_some() {
            connection.deadline = now.mono + core.config.connect_timeout;
            self.hasten(id);
        }
        pending.extend_from_slice(bytes);
        let taken = self.consume(core, id, &pending, now);
        pending.drain(..taken);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.pending = pending;
        }
    }

    pub(crate) fn handle_timeout(&mut self, core: &mut Core, now: Now) {
        while let Some(id) = self.timers.pop_due(now) {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            if connection.deadline > now.mono {
                connection.timer = connection.deadline;
                self.timers.set(connection.timer, id);
            } else if connection.request.is_some() || !connection.pending.is_empty() {
                let bytes = self.refuse(Refusal::TimedOut, now).encode(false);
                self.outputs.push_back(Output::Send { connection: id, bytes });
                self.close(core, id, CloseReason::ConnectTimeout, now);
            } else {
                self.close(core, id, CloseReason::KeepAliveExpired, now);
            }
        }
    }

    /// The deadline came nearer: the timer must not fall due after it.
    fn hasten(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.timer > connection.deadline {
            self.timers.clear(connection.timer, id);
            connection.timer = connection.deadline;
            self.timers.set(connection.timer, id);
        }
    }

    /// Handles every whole request; says how many bytes were taken. After an ending all of them were.
    fn consume(&mut self, core: &mut Core, id: ConnectionId, bytes: &[u8], now: Now) -> usize {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let step = self.begin_request(id, rest).and_then(|head| {
                let body = self.take_body(id, rest.get(head..).unwrap_or_default())?;
                Ok(head + body)
            });
            match step {
                Err(malformed) => {
                    self.violated(core, id, malformed, rest, now);
                    return bytes.len();
                }
                Ok(step) => taken += step,
            }
            let Some(request) = self.take_whole_request(id) else { return taken };
            if let Next::Close(reason) = self.handle(core, id, request, now) {
                self.close(core, id, reason, now);
                return bytes.len();
            }
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.deadline = now.mono + IDLE_MAX;
            }
        }
    }

    /// Reads the head of the next request, unless a request is under way; says how long it was.
    fn begin_request(&mut self, id: ConnectionId, bytes: &[u8]) -> Result<usize, Malformed> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(0) };
        if connection.request.is_some() || bytes.is_empty() {
            return Ok(0);
        }
        let Some((head, length)) = head::parse(bytes)? else { return Ok(0) };
        let route = route::route(&head);
        let body = Body::new(head.framing, keeping(&route))?;
        if head.expects_continue && !body.is_done() {
            self.outputs.push_back(Output::Send { connection: id, bytes: response::CONTINUE.to_vec() });
        }
        connection.request = Some(Request { head, route, body });
        Ok(length)
    }

    fn take_body(&mut self, id: ConnectionId, bytes: &[u8]) -> Result<usize, Malformed> {
        let request = self.connections.get_mut(&id).and_then(|connection| connection.request.as_mut());
        request.map_or(Ok(0), |request| request.body.take(bytes))
    }

    fn take_whole_request(&mut self, id: ConnectionId) -> Option<Request> {
        let connection = self.connections.get_mut(&id)?;
        connection.request.take_if(|request| request.body.is_done())
    }

    fn handle(&mut self, core: &mut Core, id: ConnectionId, request: Request, now: Now) -> Next {
        let asked = request.head.keep_alive;
        let answer = self.answer(core, id, request, now);
        // Whoever overdoes it has to connect anew, as on a live hub.
        let throttled = answer.as_ref().is_err_and(Refusal::is_throttle);
        let response = answer.unwrap_or_else(|refusal| self.refuse(refusal, now));
        let bytes = response.encode(asked && !throttled);
        self.outputs.push_back(Output::Send { connection: id, bytes });
        match (throttled, asked) {
            (true, _) => Next::Close(CloseReason::Throttled),
            (false, true) => Next::KeepAlive,
            (false, false) => Next::Close(CloseReason::Disconnected),
        }
    }

    fn answer(
        &mut self,
        core: &mut Core,
        id: ConnectionId,
        request: Request,
        now: Now,
    ) -> Result<Response, Refusal> {
        let Request { head, route, body } = request;
        let (identity, operation) = match route {
            Route::Of(identity, operation) => (identity, operation),
            Route::Blob { path, write } => return files::put(core, &head, &path, body.length(), write, now),
            Route::BlobBlocks { path } => return files::put(core, &head, &path, 0, BlobWrite::Block, now),
            Route::Unknown => return Err(Refusal::NoSuchResource),
        };
        self.authorize(core, id, &identity, &head, now)?;
        let answer = carry_out(core, &identity, operation, &head, &body.into_bytes(), now);
        if let Some(code) = answer.as_ref().err().and_then(Refusal::code) {
            core.request_refused(&identity, hilarm_model::Operation::Request { line: head.line }, code, now);
        }
        answer
    }

    fn refuse(&mut self, refusal: Refusal, now: Now) -> Response {
        self.tracking += 1;
        refusal.response(u128::from(self.tracking), now.unix)
    }

    fn violated(&mut self, core: &mut Core, id: ConnectionId, why: Malformed, bytes: &[u8], now: Now) {
        let Some(connection) = self.connections.get(&id) else { return };
        // A query may hold a blob's token.
        let shown = bytes.split(|byte| *byte == b'?').next().unwrap_or_default();
        let event = HubEvent::ProtocolViolated {
            connection: id,
            device: connection.identity.as_ref().map(|identity| identity.device.clone()),
            peer: connection.facts.address,
            violation: why.to_string(),
            bytes_hex: hex::encode(shown.get(..EVIDENCE_BYTES_MAX).unwrap_or(shown)),
        };
        core.record(event, now);
        let bytes = self.refuse(Refusal::Malformed(why), now).encode(false);
        self.outputs.push_back(Output::Send { connection: id, bytes });
        self.close(core, id, CloseReason::ProtocolViolated, now);
    }

    /// Ends a connection from the hub's side.
    fn close(&mut self, core: &mut Core, id: ConnectionId, reason: CloseReason, now: Now) {
        if self.end(core, id, reason, now) {
            self.outputs.push_back(Output::Close { connection: id });
        }
    }

    /// Forgets a connection and records its end; false when it was unknown.
    fn end(&mut self, core: &mut Core, id: ConnectionId, reason: CloseReason, now: Now) -> bool {
        let Some(connection) = self.connections.remove(&id) else { return false };
        self.timers.clear(connection.timer, id);
        let device = connection.identity.map(|identity| identity.device);
        core.record(HubEvent::ConnectionClosed { connection: id, device, reason }, now);
        true
    }
}

/// What an identity asks for, once it is known.
fn carry_out(
    core: &mut Core,
    identity: &ClientIdentity,
    operation: Operation,
    head: &Head,
    body: &[u8],
    now: Now,
) -> Result<Response, Refusal> {
    if let Some(throttle) = throttle(&operation) {
        core.admit(throttle, 0, now)?;
    }
    match operation {
        Operation::SendEvent => {
            events::send(core, identity, head, body, now)?;
            Ok(Response::no_content())
        }
        Operation::Receive => Ok(messages::receive(core, identity, now)),
        Operation::Settle { lock, settlement } => messages::settle(core, identity, &lock, settlement, now),
        Operation::BeginUpload => files::begin(core, identity, body, now),
        Operation::EndUpload { correlation } => files::end(core, identity, correlation.as_deref(), body, now),
        Operation::WrongMethod => Err(Refusal::Method),
        Operation::NotForDevices => {
            let operation = hilarm_model::Operation::Request { line: head.line.clone() };
            core.record(HubEvent::OperationRefused { device: identity.device.clone(), operation }, now);
            Err(Refusal::Forbidden)
        }
    }
}

/// The throttle that an operation is subject to whatever its body says. Events are admitted once their lengths are
/// known.
fn throttle(operation: &Operation) -> Option<Throttled> {
    match operation {
        Operation::Receive => Some(Throttled::CloudToDeviceReceive),
        Operation::BeginUpload => Some(Throttled::FileUpload),
        _ => None,
    }
}

/// How much of a request's body is kept.
fn keeping(route: &Route) -> Keeping {
    match route {
        Route::Of(_, Operation::SendEvent) => Keeping::All { bytes_max: events::MESSAGE_BYTES_MAX },
        Route::Of(_, Operation::BeginUpload | Operation::EndUpload { .. }) => {
            Keeping::All { bytes_max: files::BODY_BYTES_MAX }
        }
        Route::Blob { .. } | Route::BlobBlocks { .. } => Keeping::Count { bytes_max: files::BLOB_BYTES_MAX },
        // Read only to find the next request.
        _ => Keeping::Count { bytes_max: events::MESSAGE_BYTES_MAX as u64 },
    }
}
