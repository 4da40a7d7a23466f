//! SMSC LAN9118 Ethernet controller (datasheet DS00002266), as QEMU emulates it, for `embassy_net`.
//!
//! Counts every frame in both directions: the harness grants time only while its counts agree with these.
//! It never filters: a frame that the controller sorted out would be missing from the count.

use alloc::vec::Vec;
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use hilarm_agent::Direction;
use hilarm_device::{FrameTap, Registers};

const RX_DATA_FIFO: usize = 0x00;
const TX_DATA_FIFO: usize = 0x20;
const RX_STATUS_FIFO: usize = 0x40;
const TX_STATUS_FIFO: usize = 0x48;
const ID_REV: usize = 0x50;
const IRQ_CFG: usize = 0x54;
const INT_STS: usize = 0x58;
const INT_EN: usize = 0x5C;
const BYTE_TEST: usize = 0x64;
const FIFO_INT: usize = 0x68;
const RX_CFG: usize = 0x6C;
const TX_CFG: usize = 0x70;
const HW_CFG: usize = 0x74;
const RX_FIFO_INF: usize = 0x7C;
const TX_FIFO_INF: usize = 0x80;
const PMT_CTRL: usize = 0x84;
const RX_DROP: usize = 0xA0;
const MAC_CSR_CMD: usize = 0xA4;
const MAC_CSR_DATA: usize = 0xA8;
const AFC_CFG: usize = 0xAC;

/// Registers of the MAC, reached through `MAC_CSR_CMD`.
const MAC_CR: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;
const MAC_MII_ACC: u32 = 6;
const MAC_MII_DATA: u32 = 7;

const BYTE_ORDER: u32 = 0x8765_4321;
const CHIP_LAN9118: u32 = 0x0118;
const SOFT_RESET: u32 = 1;
/// Must-be-one bit 20 and 5 KiB for the transmit FIFO.
const HW_CFG_TX_FIFO_5K: u32 = 1 << 20 | 5 << 16;
const AFC_DEFAULT: u32 = 0x006E_3740;
const IRQ_ENABLED_ACTIVE_HIGH_PUSH_PULL: u32 = 1 << 8 | 1 << 4 | 1;
/// "Receive status FIFO level": a frame is waiting.
const INT_RX_STATUS_LEVEL: u32 = 1 << 3;
const TX_ON: u32 = 2;
/// Full duplex, promiscuous, transmitter and receiver enabled.
const MAC_CR_RUN: u32 = 1 << 20 | 1 << 18 | 8 | 4;
const CSR_BUSY: u32 = 1 << 31;
const CSR_READ: u32 = 1 << 30;
const PHY_CONTROL: u32 = 0;
const PHY_ADVERTISE: u32 = 4;
const PHY_RESET: u32 = 0x8000;
const PHY_ALL_MODES: u32 = 0x01E1;
const PHY_NEGOTIATE: u32 = 0x1200;
const RX_STATUS_ERROR: u32 = 1 << 15;
const TX_FIRST_AND_LAST: u32 = 1 << 13 | 1 << 12;

const FCS_BYTES: usize = 4;
const MTU: usize = 1514;
/// Room in the transmit FIFO for one frame with its two command words.
const TX_ROOM: u32 = 1600;
/// A bit that never clears is a defect of the board; a hang would hide it.
const POLLS_MAX: u32 = 1_000_000;

static WAKER: AtomicWaker = AtomicWaker::new();

/// The controller with what watches it.
pub(crate) struct Lan9118 {
    mac: [u8; 6],
    received: Vec<u8>,
    port: Port,
}

/// The controller less the receive buffer, so that a received frame and a reply can be held at once.
struct Port {
    registers: Registers,
    transmit: Vec<u8>,
    tap: FrameTap,
}

impl Lan9118 {
    /// Resets the controller and starts it.
    ///
    /// # Safety
    /// `address` must be the controller's of this board, used by this driver alone.
    pub(crate) unsafe fn start(address: usize, mac: [u8; 6], tap: FrameTap) -> Self {
        // SAFETY: as the caller promises; the interrupt handler shares INT_EN and INT_STS alone.
        let registers = unsafe { Registers::at(address) };
        reset(registers);
        start_phy(registers);
        set_address(registers, mac);
        registers.write(FIFO_INT, 0);
        registers.write(RX_CFG, 0);
        registers.write(TX_CFG, TX_ON);
        write_mac(registers, MAC_CR, MAC_CR_RUN);
        let port = Port { registers, transmit: Vec::with_capacity(MTU), tap };
        Self { mac, received: Vec::with_capacity(MTU), port }
    }

    /// The interrupt: quiet until the driver has looked and asks again.
    ///
    /// # Safety
    /// `address` must be the controller's of this board.
    pub(crate) unsafe fn on_interrupt(address: usize) {
        // SAFETY: as the caller promises; the handler touches the interrupt registers only.
        let registers = unsafe { Registers::at(address) };
        registers.write(INT_EN, 0);
        registers.write(INT_STS, u32::MAX);
        WAKER.wake();
    }

    /// Sends a frame of the harness's own beside the stack's traffic, uncounted. In thread mode only, between
    /// two runs of the network's task.
    ///
    /// # Safety
    /// `address` must be the controller's of this board, where [`Lan9118::start`] has set it up.
    pub(crate) unsafe fn send_beside(address: usize, frame: &[u8]) {
        // SAFETY: the transmit registers, which nobody else touches between two runs of the network's task.
        let registers = unsafe { Registers::at(address) };
        wait_until("room to send", || has_room(registers));
        write_frame(registers, frame);
    }

    /// Takes the next frame out of the FIFO into `received`.
    fn take_frame(&mut self) -> bool {
        while self.read_frame() {
            if !self.port.tap.take(&self.received) {
                self.port.tap.observe(Direction::Incoming, &self.received);
                return true;
            }
        }
        false
    }

    /// Reads one frame of any kind. One that arrived damaged comes empty.
    fn read_frame(&mut self) -> bool {
        let Port { registers, tap, .. } = &self.port;
        tap.lost(registers.read(RX_DROP));
        if registers.read(RX_FIFO_INF) >> 16 & 0xFF == 0 {
            return false;
        }
        let status = registers.read(RX_STATUS_FIFO);
        let with_fcs = (status >> 16 & 0x3FFF) as usize;
        self.received.clear();
        for _ in 0..with_fcs.div_ceil(4) {
            self.received.extend_from_slice(&registers.read(RX_DATA_FIFO).to_le_bytes());
        }
        self.received.truncate(with_fcs.saturating_sub(FCS_BYTES));
        if status & RX_STATUS_ERROR != 0 {
            tap.lost(1);
            self.received.clear();
        }
        true
    }
}

fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    if !(0..POLLS_MAX).any(|_| ready()) {
        panic!("lan9118: {what} does not come");
    }
}

fn reset(registers: Registers) {
    wait_until("power", || registers.read(PMT_CTRL) & 1 != 0);
    let (order, chip) = (registers.read(BYTE_TEST), registers.read(ID_REV) >> 16);
    if order != BYTE_ORDER || chip & 0x0FFF != CHIP_LAN9118 {
        // ID_REV names the chip in its upper half, with the family in the top digit on some revisions.
        panic!("no lan9118 here: byte test {order:#010x}, id {chip:#06x}");
    }
    registers.write(HW_CFG, SOFT_RESET);
    wait_until("end of reset", || registers.read(HW_CFG) & SOFT_RESET == 0);
    registers.write(HW_CFG, HW_CFG_TX_FIFO_5K);
    registers.write(AFC_CFG, AFC_DEFAULT);
    registers.write(INT_EN, 0);
    registers.write(INT_STS, u32::MAX);
    registers.write(IRQ_CFG, IRQ_ENABLED_ACTIVE_HIGH_PUSH_PULL);
}

fn start_phy(registers: Registers) {
    write_phy(registers, PHY_CONTROL, PHY_RESET);
    wait_until("the phy", || read_phy(registers, PHY_CONTROL) & PHY_RESET == 0);
    write_phy(registers, PHY_ADVERTISE, PHY_ALL_MODES);
    write_phy(registers, PHY_CONTROL, PHY_NEGOTIATE);
}

fn set_address(registers: Registers, mac: [u8; 6]) {
    let [a, b, c, d, e, f] = mac;
    write_mac(registers, MAC_ADDRESS_LOW, u32::from_le_bytes([a, b, c, d]));
    write_mac(registers, MAC_ADDRESS_HIGH, u32::from_le_bytes([e, f, 0, 0]));
}

fn write_mac(registers: Registers, register: u32, value: u32) {
    registers.write(MAC_CSR_DATA, value);
    registers.write(MAC_CSR_CMD, CSR_BUSY | register);
    wait_until("the mac", || registers.read(MAC_CSR_CMD) & CSR_BUSY == 0);
}

fn read_mac(registers: Registers, register: u32) -> u32 {
    registers.write(MAC_CSR_CMD, CSR_BUSY | CSR_READ | register);
    wait_until("the mac", || registers.read(MAC_CSR_CMD) & CSR_BUSY == 0);
    registers.read(MAC_CSR_DATA)
}

fn access_phy(registers: Registers, register: u32, write: u32) {
    write_mac(registers, MAC_MII_ACC, 1 << 11 | register << 6 | write << 1 | 1);
    wait_until("the phy", || read_mac(registers, MAC_MII_ACC) & 1 == 0);
}

fn write_phy(registers: Registers, register: u32, value: u32) {
    write_mac(registers, MAC_MII_DATA, value);
    access_phy(registers, register, 1);
}

fn read_phy(registers: Registers, register: u32) -> u32 {
    access_phy(registers, register, 0);
    read_mac(registers, MAC_MII_DATA)
}

fn has_room(registers: Registers) -> bool {
    while registers.read(TX_FIFO_INF) >> 16 & 0xFF != 0 {
        registers.read(TX_STATUS_FIFO);
    }
    registers.read(TX_FIFO_INF) & 0xFFFF >= TX_ROOM
}

fn write_frame(registers: Registers, frame: &[u8]) {
    let length = frame.len() as u32;
    registers.write(TX_DATA_FIFO, TX_FIRST_AND_LAST | length);
    registers.write(TX_DATA_FIFO, length << 16 | length);
    for chunk in frame.chunks(4) {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        registers.write(TX_DATA_FIFO, u32::from_le_bytes(word));
    }
}

impl Port {
    fn has_room(&self) -> bool {
        has_room(self.registers)
    }

    /// Puts `transmit` into the FIFO.
    fn send(&mut self) {
        write_frame(self.registers, &self.transmit);
        self.tap.observe(Direction::Outgoing, &self.transmit);
    }
}

impl Driver for Lan9118 {
    type RxToken<'a>
        = Received<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Transmit<'a>
    where
        Self: 'a;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        if !self.port.has_room() {
            context.waker().wake_by_ref();
            return None;
        }
        if !self.take_frame() {
            WAKER.register(context.waker());
            self.port.registers.write(INT_STS, INT_RX_STATUS_LEVEL);
            self.port.registers.write(INT_EN, INT_RX_STATUS_LEVEL);
            // A frame may have come between the look and the request.
            if !self.take_frame() {
                return None;
            }
        }
        Some((Received { frame: &mut self.received }, Transmit { port: &mut self.port }))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        if !self.port.has_room() {
            context.waker().wake_by_ref();
            return None;
        }
        Some(Transmit { port: &mut self.port })
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
        HardwareAddress::Ethernet(self.mac)
    }
}

/// A frame that came in.
pub(crate) struct Received<'a> {
    frame: &'a mut [u8],
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.frame)
    }
}

/// Room for one frame to go out.
pub(crate) struct Transmit<'a> {
    port: &'a mut Port,
}

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        self.port.transmit.clear();
        self.port.transmit.resize(length, 0);
        let result = f(&mut self.port.transmit);
        self.port.send();
        result
    }
}
