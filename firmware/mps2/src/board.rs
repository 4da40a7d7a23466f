//! An MPS2 board under granted time: Ethernet for frames and time, UART1 for the rest of the link, UART0 for
//! people. One ELF serves every scenario; identity and seed come from the configuration blob, behaviours from
//! commands over the link.

use alloc::boxed::Box;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;
use embassy_executor::Spawner;
use embassy_net::Runner;
use hilarm_device::{Buffers, Device, GrantedTime, IdlePath, Memory, Pace, Parts, ReceiveRing, Seeds};

use crate::lan9118::Lan9118;
use crate::uart::{Console, LinkUart};

/// Where an FPGA image puts what.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// The target's name.
    pub target: &'static str,
    /// RAM.
    pub memory: Memory,
    /// Address of UART0.
    pub uart0: usize,
    /// Address of UART1.
    pub uart1: usize,
    /// UART1's receive interrupt.
    pub uart1_receive: u16,
    /// Address of the LAN9118.
    pub ethernet: usize,
    /// Its interrupt.
    pub ethernet_interrupt: u16,
    /// Address of the CMSDK watchdog.
    pub watchdog: usize,
}

const BUFFERS: Buffers =
    Buffers { tcp_bytes: 8 * 1024, outgoing_record_bytes: 16 * 1024, queued_bytes_max: 256 * 1024 };

embassy_time_driver::time_driver_impl!(static TIME: GrantedTime = GrantedTime::new());

/// Holds the longest frame and the beginning of the next.
static RECEIVED: ReceiveRing<{ 32 * 1024 }> = ReceiveRing::new();

unsafe extern "Rust" {
    /// The board, which [`board!`](crate::board) defines.
    static HILARM_MPS2: Map;
}

/// Names the board of a program; once.
#[macro_export]
macro_rules! board {
    ($map:expr) => {
        #[unsafe(no_mangle)]
        static HILARM_MPS2: $crate::Map = $map;
    };
}

fn map() -> &'static Map {
    // SAFETY: whoever links this crate says `board!`, or nothing is linked.
    unsafe { &HILARM_MPS2 }
}

/// Runs the device forever.
///
/// # Safety
/// To be called first of all, once; the program's [`board!`](crate::board) must describe the board it runs on.
pub unsafe fn run() -> ! {
    let map = map();
    hilarm_device::print_failures_by(print);
    hilarm_device::start_watchdog_by(start_watchdog);
    // SAFETY: first of all, and once.
    unsafe { map.memory.prepare() };
    let config = map.memory.read_config();
    print(&hilarm_device::banner(map.target, &config));
    let device = Device::new(Parts {
        target: map.target,
        randomness: Box::new(Seeds::new(config.seed, hilarm_device::count_boot())),
        config,
        // SAFETY: UART1 of this board, which nobody else opens.
        wire: Box::new(unsafe { LinkUart::open(map.uart1) }),
        pace: Pace::Granted(&TIME),
        buffers: BUFFERS,
    });
    hilarm_device::run(device, IdlePath::Ethernet(send_beside), |spawner| {
        spawn(spawner, device);
        enable_interrupts();
    })
}

/// Starts the watchdog, which resets the board unless somebody feeds it (Arm DDI 0479, 4.6).
fn start_watchdog() {
    const LOAD: usize = 0x00;
    const CONTROL: usize = 0x08;
    const LOCK: usize = 0xC00;
    const UNLOCK: u32 = 0x1ACC_E551;
    const COUNT_AND_RESET: u32 = 0b11;
    /// 40 ms at 25 MHz; it counts down twice.
    const TICKS: u32 = 1_000_000;
    // SAFETY: this board's watchdog, which nothing else touches.
    let watchdog = unsafe { hilarm_device::Registers::at(map().watchdog) };
    watchdog.write(LOCK, UNLOCK);
    watchdog.write(LOAD, TICKS);
    watchdog.write(CONTROL, COUNT_AND_RESET);
}

/// Writes to the console.
fn print(text: &str) {
    // SAFETY: UART0 of this board; a panic in the middle of a line opens it again, which is harmless.
    unsafe { Console::open(map().uart0) }.print(text);
}

fn send_beside(frame: &[u8]) {
    // SAFETY: this board's controller, which has been started before anything is idle.
    unsafe { Lan9118::send_beside(map().ethernet, frame) }
}

fn spawn(spawner: Spawner, device: &'static Device) {
    // SAFETY: this board's controller, started here alone.
    let controller = unsafe { Lan9118::start(map().ethernet, device.mac(), device.tap()) };
    let (stack, runner) = hilarm_device::start(controller, device);
    spawner.spawn(network(runner).expect("the network task starts once"));
    device.spawn(spawner, stack);
    spawner.spawn(link(device).expect("the link's task starts once"));
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Lan9118>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn link(device: &'static Device) -> ! {
    hilarm_device::receive(device, &RECEIVED).await
}

#[derive(Clone, Copy)]
struct Interrupt(u16);

// SAFETY: made of the map's numbers alone, which exist on the board.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self.0
    }
}

/// Lets the two interrupts through; their drivers must be set up.
fn enable_interrupts() {
    for number in [map().uart1_receive, map().ethernet_interrupt] {
        // SAFETY: the handlers touch only what their drivers guard by critical sections.
        unsafe { NVIC::unmask(Interrupt(number)) };
    }
}

#[exception]
unsafe fn DefaultHandler(irqn: i16) {
    const NON_MASKABLE: i16 = -14;
    let map = map();
    match u16::try_from(irqn) {
        // The watchdog's warning before it bites. Nobody here would know what to do about it.
        _ if irqn == NON_MASKABLE => {}
        // SAFETY: UART1 of this board; the interrupt is enabled only after it was opened.
        Ok(number) if number == map.uart1_receive => unsafe { LinkUart::on_receive(map.uart1, &RECEIVED) },
        // SAFETY: this board's controller.
        Ok(number) if number == map.ethernet_interrupt => unsafe { Lan9118::on_interrupt(map.ethernet) },
        _ => panic!("interrupt {irqn} has no handler"),
    }
}
