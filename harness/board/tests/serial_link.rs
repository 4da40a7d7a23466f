//! A device at the end of one serial cable: commands, time, logs, events and Ethernet frames on one line, and what
//! the harness says when the line or the firmware misbehaves. The firmware is played by a thread that holds the
//! other end of a pseudo terminal and speaks by the link's own crate; the agent behind it is the real one.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hilarm_agent::{Agent, Input, Output};
use hilarm_board::{
    Device, DeviceFault, DeviceOutput, Doorbell, Frames, Host, LinkedDevice, Pace, Parts, SerialAddress,
    SerialWire, Stimulus, Timeouts,
};
use hilarm_link::{Command, Decoder, DeviceEvent, Encoder, FrameError, FromDevice, Idle, LogLevel, ToDevice};
use hilarm_network::{LinkInput, LinkOutput};
use serialport::{SerialPort, TTYPort};

use support::device::{config, now};

/// What tests of this folder share; not each of them needs all of it.
#[allow(dead_code)]
mod support {
    pub(crate) mod device;
}

/// From a stimulus to whatever ends the wait for it.
const LIMIT: Duration = Duration::from_secs(1);

/// Nobody but the cable knows anything about the board.
#[derive(Debug)]
struct Unattended;
impl Host for Unattended {}

/// A board's end of the cable.
struct Board {
    port: TTYPort,
    encoder: Encoder,
    decoder: Decoder,
    heard: VecDeque<u8>,
    idle: Idle,
    agent: Agent,
    now: hilarm_agent::Now,
}

impl Board {
    fn new(port: TTYPort) -> Self {
        let now = hilarm_agent::Now { mono_us: 0, unix_us: 1_767_225_600_000_000 };
        Self {
            port,
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            heard: VecDeque::new(),
            idle: Idle::default(),
            agent: Agent::new(config("pump-1", 9), "pty", 7),
            now,
        }
    }

    fn send(&mut self, message: &FromDevice) {
        if !matches!(message, FromDevice::Time(_)) {
            self.idle.link_tx += 1;
        }
        let bytes = self.encoder.encode(message);
        // The harness may have seen enough and pulled the cable.
        let _ = self.port.write_all(&bytes);
    }

    /// Lets the agent run, and says that it rests.
    fn rest(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            // A stack of its own is what this board lacks: of the agent's wishes only reports matter here.
            if let Output::ToHarness(report) = output {
                self.send(&report);
            }
        }
        self.idle.deadline_us = self.agent.poll_timeout(self.now);
        let idle = FromDevice::Time(self.idle);
        self.send(&idle);
    }

    fn boot(&mut self) {
        self.agent.handle_timeout(self.now);
        self.rest();
    }

    /// One message of the harness; nothing when the cable is gone.
    fn next(&mut self) -> Option<ToDevice> {
        let mut buffer = [0; 4096];
        loop {
            while let Some(byte) = self.heard.pop_front() {
                if let Some(message) = self.decoder.push::<ToDevice>(byte) {
                    self.idle.link_rx += 1;
                    return Some(message.unwrap());
                }
            }
            match self.port.read(&mut buffer) {
                Ok(length @ 1..) => self.heard.extend(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                _ => return None,
            }
        }
    }

    fn take(&mut self, message: ToDevice) {
        match message {
            ToDevice::Time(grant) => {
                self.idle.seq = grant.seq;
                self.now = hilarm_agent::Now { mono_us: grant.mono_us, unix_us: grant.unix_us };
                self.agent.handle_timeout(self.now);
            }
            ToDevice::Command { id, command } => {
                self.agent.handle_input(Input::Command { id, command }, self.now);
            }
            // Its network says everything backwards, and a word beside it.
            ToDevice::Network(frame) => {
                self.send(&FromDevice::Log { level: LogLevel::Debug, text: "a frame".to_owned() });
                self.send(&FromDevice::Network(frame.into_iter().rev().collect()));
            }
        }
        self.rest();
    }

    fn serve(mut self) {
        while let Some(message) = self.next() {
            self.take(message);
        }
    }
}

fn limits() -> Timeouts {
    let mut limits = Timeouts::default();
    (limits.boot, limits.step) = (LIMIT, LIMIT);
    limits
}

/// Plugs in a board that lives as `life` says; the harness's device, and the board's thread.
fn plug_in(life: impl FnOnce(Board) + Send + 'static) -> (Result<LinkedDevice, DeviceFault>, JoinHandle<()>) {
    let (parts, board) = cable(life);
    (LinkedDevice::boot(parts, limits()), board)
}

/// The harness's end of a board's cable, and the board's thread.
fn cable(life: impl FnOnce(Board) + Send + 'static) -> (Parts, JoinHandle<()>) {
    let (mut port, ours) = TTYPort::pair().unwrap();
    port.set_timeout(Duration::from_secs(20)).unwrap();
    let path = PathBuf::from(ours.name().unwrap());
    drop(ours);
    let wire = SerialWire::open(SerialAddress::Path(path), 115_200).unwrap();
    let board = std::thread::spawn(move || life(Board::new(port)));
    let parts = Parts { host: Box::new(Unattended), wire: Box::new(wire), frames: Frames::OverLink };
    (parts, board)
}

/// The fault of a board that never came up. The cable stays plugged in until the harness has given up.
fn fault_of_boot(life: impl FnOnce(&mut Board) + Send + 'static) -> DeviceFault {
    let (device, board) = plug_in(move |mut board| {
        life(&mut board);
        board.serve();
    });
    let fault = device.unwrap_err();
    board.join().unwrap();
    fault
}

#[test]
fn one_line_carries_time_commands_logs_events_and_frames() {
    let (device, board) = plug_in(|mut board| {
        board.boot();
        board.serve();
    });
    let mut device = device.unwrap();
    let booted = device.step(Stimulus::Tick, now(1)).unwrap();
    assert!(
        matches!(&booted[..], [DeviceOutput::Report(FromDevice::Event(DeviceEvent::Booted { target, .. })), ..] if target == "pty"),
        "{booted:?}"
    );
    let frame: Vec<u8> = (0..1514_u32).map(|at| at as u8).collect();
    let back = device.step(Stimulus::Link(LinkOutput::Frame(frame.clone())), now(1)).unwrap();
    let mut backwards = frame;
    backwards.reverse();
    let log = FromDevice::Log { level: LogLevel::Debug, text: "a frame".to_owned() };
    let expected = [DeviceOutput::Link(LinkInput::Frame(backwards)), DeviceOutput::Report(log)];
    assert_eq!(back, expected, "frames first, reports second");
    let command = Command::RunBehaviour { name: "no-such-behaviour".to_owned(), args: Vec::new() };
    let answer = device.step(Stimulus::Command { id: 5, command }, now(2)).unwrap();
    assert!(
        matches!(&answer[..], [DeviceOutput::Report(FromDevice::Response { id: 5, result: Err(_) }), ..]),
        "{answer:?}"
    );
    drop(device);
    board.join().unwrap();
}

#[test]
fn thousands_of_frames_cross_in_both_directions_and_each_is_accounted_for() {
    let (device, board) = plug_in(|mut board| {
        board.boot();
        board.serve();
    });
    let mut device = device.unwrap();
    let began = Instant::now();
    let mut back = 0;
    for number in 0..2000_u64 {
        let frame = vec![number as u8; 60 + (number as usize * 7) % 1400];
        let length = frame.len();
        let output = device.step(Stimulus::Link(LinkOutput::Frame(frame)), now(number)).unwrap();
        let frames = output.iter().filter(
            |one| matches!(one, DeviceOutput::Link(LinkInput::Frame(frame)) if frame.len() == length),
        );
        back += frames.count();
    }
    assert_eq!(back, 2000);
    println!("2000 frames and 2000 grants there and back over a pty in {:?}", began.elapsed());
    drop(device);
    board.join().unwrap();
}

#[test]
fn what_a_boot_loader_says_first_is_passed_over() {
    let (device, board) = plug_in(|mut board| {
        board.port.write_all(b"\r\nBOOT 1.02\xFF\x00\xFE garbage without an end").unwrap();
        // An earlier boot's last words, whole and in the middle of their numbers.
        let mut before = Encoder::new();
        let stale = FromDevice::Log { level: LogLevel::Info, text: "before".to_owned() };
        let bytes: Vec<u8> = (0..9).flat_map(|_| before.encode(&stale)).collect();
        board.port.write_all(&bytes[bytes.len() / 2..]).unwrap();
        board.boot();
        board.serve();
    });
    let output = device.unwrap().step(Stimulus::Tick, now(1)).unwrap();
    let stale = |one: &DeviceOutput| matches!(one, DeviceOutput::Report(FromDevice::Log { .. }));
    assert!(!output.iter().any(stale), "{output:?}");
    board.join().unwrap();
}

#[test]
fn a_line_that_only_babbles_is_told_with_how_it_began() {
    let fault = fault_of_boot(|board| board.port.write_all(b"login: \xF0\xF0").unwrap());
    let DeviceFault::Garbage { bytes: 9, sample, .. } = &fault else { panic!("{fault}") };
    assert_eq!(sample, "login: \\xf0\\xf0");
    assert!(fault.to_string().contains("another speed"), "{fault}");
}

#[test]
fn a_line_without_a_word_is_silence() {
    let fault = fault_of_boot(|_| {});
    assert!(fault.to_string().contains("waited 1s for the firmware's first idle"), "{fault}");
}

#[test]
fn a_firmware_with_another_version_of_the_link_is_named_at_once() {
    let began = Instant::now();
    let fault = fault_of_boot(|board| {
        // A frame that is sound, on a channel that this version does not know.
        let mut raw = vec![99, 0, 1];
        raw.extend(crc16(&raw).to_le_bytes());
        let mut encoded = Vec::new();
        cobs(&raw, &mut encoded);
        board.port.write_all(&encoded).unwrap();
    });
    assert_eq!(fault, DeviceFault::Link(FrameError::Channel(99)));
    assert!(fault.to_string().contains("another version of the link?"), "{fault}");
    assert!(began.elapsed() < LIMIT, "nobody waited for more");
}

/// CRC-16/XMODEM, bit by bit.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

fn cobs(raw: &[u8], out: &mut Vec<u8>) {
    for run in raw.split(|&byte| byte == 0) {
        out.push(run.len() as u8 + 1);
        out.extend_from_slice(run);
    }
    out.push(0);
}

/// A board that has come up answers the first grant as `misbehave` says.
fn fault_of_step(misbehave: impl FnOnce(&mut Board) + Send + 'static) -> DeviceFault {
    let (device, board) = plug_in(move |mut board| {
        board.boot();
        let _grant = board.next();
        misbehave(&mut board);
        let _until_unplugged = board.next();
    });
    let mut device = device.unwrap();
    let fault = device.step(Stimulus::Tick, now(1)).unwrap_err();
    drop(device);
    board.join().unwrap();
    fault
}

#[test]
fn garbage_in_the_middle_is_a_damaged_link() {
    let fault = fault_of_step(|board| board.port.write_all(b"\x20what is this\x00").unwrap());
    assert!(matches!(fault, DeviceFault::Link(_)), "{fault}");
}

#[test]
fn a_frame_that_never_ends_is_silence_that_says_so() {
    let fault = fault_of_step(|board| {
        let whole = board.encoder.encode(&FromDevice::Event(DeviceEvent::GaveUp));
        board.port.write_all(&whole[..4]).unwrap();
    });
    let text = fault.to_string();
    assert!(
        text.contains("idle after a grant") && text.contains("middle of a frame, after 4 bytes"),
        "{text}"
    );
}

#[test]
fn an_endless_frame_is_bounded() {
    let fault = fault_of_step(|board| {
        for _ in 0..64 {
            board.port.write_all(&[1; 1024]).unwrap();
        }
        board.port.write_all(&[0]).unwrap();
    });
    assert_eq!(fault, DeviceFault::Link(FrameError::TooLong));
}

#[test]
fn a_lost_message_is_a_gap_and_not_a_wrong_count() {
    let fault = fault_of_step(|board| {
        let _lost = board.encoder.encode(&FromDevice::Event(DeviceEvent::GaveUp));
        board.rest();
    });
    assert!(matches!(fault, DeviceFault::Link(FrameError::Gap { .. })), "{fault}");
}

#[test]
fn a_board_that_boots_again_is_told() {
    let fault = fault_of_step(|board| {
        board.encoder = Encoder::new();
        board.agent = Agent::new(config("pump-1", 9), "pty", 8);
        board.boot();
    });
    assert_eq!(fault, DeviceFault::Rebooted { first: 7, second: 8 });
}

#[test]
fn a_cable_pulled_in_the_middle_of_a_frame_is_told_at_once() {
    let began = Instant::now();
    let (device, board) = plug_in(|mut board| {
        board.boot();
        let _grant = board.next();
        let whole = board.encoder.encode(&FromDevice::Event(DeviceEvent::GaveUp));
        board.port.write_all(&whole[..3]).unwrap();
    });
    let fault = device.unwrap().step(Stimulus::Tick, now(1)).unwrap_err();
    board.join().unwrap();
    let DeviceFault::LinkLost { error, .. } = &fault else { panic!("{fault}") };
    assert!(error.contains("unplugged") && error.contains("/dev/pts/"), "{error}");
    assert!(began.elapsed() < LIMIT, "nobody waited for the limit");
}

/// Lives by a clock of its own: says something every few milliseconds, whether anybody grants it time or not.
fn live_in_own_time(mut board: Board) {
    board.boot();
    board.port.set_timeout(Duration::from_millis(5)).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match board.port.read(&mut buffer) {
            Ok(length @ 1..) => {
                for &byte in &buffer[..length] {
                    if let Some(message) = board.decoder.push::<ToDevice>(byte) {
                        board.take(message.unwrap());
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                board.send(&FromDevice::Log { level: LogLevel::Info, text: "tick".to_owned() });
            }
            _ => return,
        }
    }
}

/// Steps whenever the bell rings, until an output is as wanted.
fn await_output(
    device: &mut LinkedDevice,
    bell: &Doorbell,
    wanted: impl Fn(&DeviceOutput) -> bool,
) -> Result<(), DeviceFault> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        let now = now(began.elapsed().as_micros() as u64);
        if device.step(Stimulus::Tick, now)?.iter().any(&wanted) {
            return Ok(());
        }
        bell.wait(Duration::from_secs(1));
    }
    panic!("nothing of that kind came");
}

#[test]
fn a_board_with_a_clock_of_its_own_rings_when_it_has_done_something() {
    let (parts, board) = cable(live_in_own_time);
    let mut device = LinkedDevice::boot_in_own_time(parts, limits()).unwrap();
    let bell = Doorbell::default();
    device.listen(&bell);
    assert_eq!((device.pace(), device.deadline()), (Pace::Real, None));
    let log = |text: &'static str| move |one: &DeviceOutput| matches!(one, DeviceOutput::Report(FromDevice::Log { text: said, .. }) if said == text);
    await_output(&mut device, &bell, log("tick")).unwrap();
    let frame = Stimulus::Link(LinkOutput::Frame(vec![1, 2, 3]));
    let at_once = device.step(frame, now(5)).unwrap();
    let backwards = DeviceOutput::Link(LinkInput::Frame(vec![3, 2, 1]));
    if !at_once.contains(&backwards) {
        await_output(&mut device, &bell, |one| *one == backwards).unwrap();
    }
    assert!(bell.wait(Duration::from_secs(5)), "it goes on ringing");
    drop(device);
    board.join().unwrap();
}

#[test]
fn a_cable_pulled_from_a_board_in_its_own_time_rings_too() {
    let (parts, board) = cable(|mut board| {
        board.boot();
        let _calendar = board.next();
    });
    let mut device = LinkedDevice::boot_in_own_time(parts, limits()).unwrap();
    let bell = Doorbell::default();
    device.listen(&bell);
    let fault = await_output(&mut device, &bell, |_| false).unwrap_err();
    assert!(matches!(fault, DeviceFault::LinkLost { .. }), "{fault}");
    board.join().unwrap();
}
