//! Requests of the agent to one socket, in order and bounded in bytes. The agent never waits here.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::Poll;

use embassy_futures::select::{Either, select};
use embassy_sync::waitqueue::WakerRegistration;
use embassy_time::{Duration, Timer};
use hilarm_agent::{Remote, Tls};

/// A connection to be made.
pub(crate) struct Opening {
    pub(crate) generation: u32,
    pub(crate) remote: Remote,
    pub(crate) tls: Option<Tls>,
}

/// What the agent asked of a socket.
pub(crate) enum Request {
    Open(Opening),
    Send(Vec<u8>),
    SendRepeated { byte: u8, count: u32 },
    Close,
}

/// Why a connection ends although its reader and its writer would go on.
pub(crate) enum Interruption {
    /// The agent closed it a while ago, and the peer still does not take the bytes before that.
    CloseOverdue,
    /// The agent sends faster than the peer takes it, by more than this device can hold.
    Overflow,
}

/// The mailbox of one socket, read by that socket's task only.
pub(crate) struct Port {
    number: u8,
    /// More than this waiting for the network ends the connection: the heap is finite.
    queued_bytes_max: usize,
    requests: RefCell<VecDeque<Request>>,
    queued_bytes: Cell<usize>,
    overflow: Cell<bool>,
    reader: RefCell<WakerRegistration>,
}

impl Port {
    pub(crate) fn new(number: u8, queued_bytes_max: usize) -> Self {
        Self {
            number,
            queued_bytes_max,
            requests: RefCell::new(VecDeque::new()),
            queued_bytes: Cell::new(0),
            overflow: Cell::new(false),
            reader: RefCell::new(WakerRegistration::new()),
        }
    }

    /// Which of the agent's sockets this is.
    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    /// Leaves a request.
    pub(crate) fn push(&self, request: Request) {
        match &request {
            Request::Send(bytes) => {
                let queued = self.queued_bytes.get() + bytes.len();
                if queued > self.queued_bytes_max {
                    self.overflow.set(true);
                    self.reader.borrow_mut().wake();
                    return;
                }
                self.queued_bytes.set(queued);
            }
            Request::Open(_) | Request::SendRepeated { .. } | Request::Close => {}
        }
        self.requests.borrow_mut().push_back(request);
        self.reader.borrow_mut().wake();
    }

    fn pop(&self) -> Option<Request> {
        let request = self.requests.borrow_mut().pop_front();
        if let Some(Request::Send(bytes)) = &request {
            self.queued_bytes.set(self.queued_bytes.get() - bytes.len());
        }
        request
    }

    /// Looks again after every request. Futures of one task may wait here side by side: nothing is consumed.
    async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        poll_fn(|context| {
            self.reader.borrow_mut().register(context.waker());
            look().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The next request.
    pub(crate) async fn next(&self) -> Request {
        self.until(|| self.pop()).await
    }

    /// The next connection to make. Whatever waits before it was meant for one that has ended.
    pub(crate) async fn next_opening(&self) -> Opening {
        loop {
            if let Request::Open(opening) = self.next().await {
                self.overflow.set(false);
                return opening;
            }
        }
    }

    /// Whether another send waits right behind the last one.
    pub(crate) fn has_more_to_send(&self) -> bool {
        matches!(self.requests.borrow().front(), Some(Request::Send(_) | Request::SendRepeated { .. }))
    }

    /// Waits until the agent closes the connection; the request stays.
    pub(crate) async fn close_requested(&self) {
        let asked = || self.requests.borrow().iter().any(|request| matches!(request, Request::Close));
        self.until(|| asked().then_some(())).await;
    }

    /// Waits until the connection has to be cut off.
    pub(crate) async fn interrupted(&self, patience: Duration) -> Interruption {
        let overflow = self.until(|| self.overflow.get().then_some(()));
        let close_overdue = async {
            self.close_requested().await;
            Timer::after(patience).await;
        };
        match select(overflow, close_overdue).await {
            Either::First(()) => Interruption::Overflow,
            Either::Second(()) => Interruption::CloseOverdue,
        }
    }
}
