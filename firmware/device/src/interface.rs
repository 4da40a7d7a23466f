//! Ethernet frames over the link, for boards without an interface of their own: channel `network` in both
//! directions, as a driver of `embassy_net`. One cable then gives a board full IP in the virtual network.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::Context;

use embassy_executor::Spawner;
use embassy_net::{Runner, Stack};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::WakerRegistration;
use hilarm_agent::Direction;
use hilarm_link::FromDevice;

use crate::device::Device;
use crate::frames::FrameTap;
use crate::net;

const MTU: usize = 1514;
/// Frames that wait for the stack. The harness sends one at a time under granted time; in real time a burst
/// beyond this is lost, as on any wire, and TCP sends it again.
const WAITING_MAX: usize = 8;

/// Frames that came over the link and wait for the stack.
pub(crate) struct Inbox {
    frames: RefCell<VecDeque<Vec<u8>>>,
    reader: RefCell<WakerRegistration>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { frames: RefCell::new(VecDeque::new()), reader: RefCell::new(WakerRegistration::new()) }
    }

    /// Leaves a frame; tells whether there was room.
    pub(crate) fn push(&self, frame: Vec<u8>) -> bool {
        let mut frames = self.frames.borrow_mut();
        let has_room = frames.len() < WAITING_MAX;
        if has_room {
            frames.push_back(frame);
            self.reader.borrow_mut().wake();
        }
        has_room
    }

    fn pop(&self, context: &mut Context<'_>) -> Option<Vec<u8>> {
        let frame = self.frames.borrow_mut().pop_front();
        if frame.is_none() {
            self.reader.borrow_mut().register(context.waker());
        }
        frame
    }
}

/// Starts the IP stack over the link.
pub fn start_over_link(spawner: Spawner, device: &'static Device) -> Stack<'static> {
    device.link.carry_frames();
    let interface = LinkInterface { device, tap: device.tap() };
    let (stack, runner) = net::start(interface, device);
    spawner.spawn(run(runner).expect("the network task starts once"));
    stack
}

#[embassy_executor::task]
async fn run(mut runner: Runner<'static, LinkInterface>) -> ! {
    runner.run().await
}

struct LinkInterface {
    device: &'static Device,
    tap: FrameTap,
}

impl Driver for LinkInterface {
    type RxToken<'a> = Received;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received, Outgoing<'_>)> {
        let frame = self.device.link.inbox()?.pop(context)?;
        self.tap.show(Direction::Incoming, &frame);
        Some((Received(frame), Outgoing(self)))
    }

    /// There is always room: sending waits for the wire.
    fn transmit(&mut self, _context: &mut Context<'_>) -> Option<Outgoing<'_>> {
        Some(Outgoing(self))
    }

    /// The cable of a virtual network is never unplugged; lost frames are the network's to decide.
    fn link_state(&mut self, _context: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.device.mac())
    }
}

/// A frame that came in.
struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

/// Leave to send one frame.
struct Outgoing<'a>(&'a LinkInterface);

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.tap.show(Direction::Outgoing, &frame);
        self.0.device.link.send(&FromDevice::Network(frame));
        result
    }
}
