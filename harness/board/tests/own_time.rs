//! Real firmware in QEMU that lives in its own time, as boards on a desk do: at the end of one serial cable, and behind
//! a debug probe with nothing else plugged in. Both carry commands, events, the calendar and Ethernet frames. In CI a
//! missing QEMU or image fails these tests; elsewhere they say what is missing and pass over.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use hilarm_board::{Device, DeviceFault, DeviceOutput, Doorbell, Pace, QemuDevice, Stimulus};
use hilarm_link::{Command, DeviceEvent, FromDevice};
use hilarm_model::{Monotonic, Now, Timestamp};
use hilarm_network::{LinkInput, LinkOutput};

use support::device::config;
use support::image::{bench, shipped};

/// What tests of this folder share; not each of them needs all of it.
#[allow(dead_code)]
mod support {
    pub(crate) mod device;
    pub(crate) mod image;
}

const LIMIT: Duration = Duration::from_secs(20);
const DEVICE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const DEVICE_IP: [u8; 4] = [10, 42, 0, 9];
const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OUR_IP: [u8; 4] = [10, 42, 0, 1];

/// A device that has booted, with what it has said and when that began.
struct Bench {
    device: Box<dyn Device>,
    bell: Doorbell,
    began: Instant,
    said: Vec<DeviceOutput>,
}

impl Bench {
    fn new(mut device: Box<dyn Device>) -> Self {
        let bell = Doorbell::default();
        assert_eq!((device.pace(), device.deadline()), (Pace::Real, None));
        device.listen(&bell);
        Self { device, bell, began: Instant::now(), said: Vec::new() }
    }

    fn give(&mut self, stimulus: Stimulus) -> Result<(), DeviceFault> {
        let mono = Monotonic::from_micros(self.began.elapsed().as_micros() as u64);
        let unix = Timestamp::from_secs(1_767_225_600 + self.began.elapsed().as_secs() as i64);
        self.said.extend(self.device.step(stimulus, Now { mono, unix })?);
        Ok(())
    }

    /// Looks whenever the bell rings until the device has said something that is wanted; takes it.
    fn hear(&mut self, wanted: impl Fn(&DeviceOutput) -> bool, what: &str) -> DeviceOutput {
        let give_up = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.said.iter().position(&wanted) {
                return self.said.remove(at);
            }
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && self.bell.wait(left), "waited {LIMIT:?} for {what}: {:?}", self.said);
            self.give(Stimulus::Tick).unwrap();
        }
    }
}

/// Who has the device's address? (RFC 826)
fn question() -> Vec<u8> {
    let mut frame = [&[0xFF; 6][..], &OUR_MAC, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
    frame.extend([&OUR_MAC[..], &OUR_IP, &[0; 6], &DEVICE_IP].concat());
    frame.resize(60, 0);
    frame
}

fn is_answer(output: &DeviceOutput) -> bool {
    let DeviceOutput::Link(LinkInput::Frame(frame)) = output else { return false };
    frame.get(12..14) == Some(&[8, 6])
        && frame.get(20..32) == Some(&[&[0, 2], &DEVICE_MAC[..], &DEVICE_IP].concat())
}

/// Everything that the link carries, in both directions, while nobody grants any time.
fn everything_crosses(device: Box<dyn Device>, target: &str) {
    let mut bench = Bench::new(device);
    bench.give(Stimulus::Tick).unwrap();
    let booted = |one: &DeviceOutput| matches!(one, DeviceOutput::Report(FromDevice::Event(DeviceEvent::Booted { target: said, .. })) if said == target);
    bench.hear(booted, "the boot");
    let frames = 100;
    let began = Instant::now();
    for _ in 0..frames {
        bench.give(Stimulus::Link(LinkOutput::Frame(question()))).unwrap();
        bench.hear(is_answer, "an answer to ARP");
    }
    println!("{target}: {:?} from a frame to its answer", began.elapsed() / frames);
    let command = Command::Connect { attempts: Some(1), gap_ms: Some(10) };
    bench.give(Stimulus::Command { id: 7, command }).unwrap();
    let taken = |one: &DeviceOutput| {
        matches!(one, DeviceOutput::Report(FromDevice::Response { id: 7, result: Ok(()) }))
    };
    bench.hear(taken, "the response to a command");
    let looks_up = |one: &DeviceOutput| matches!(one, DeviceOutput::Link(LinkInput::Frame(frame)) if frame.windows(6).any(|part| part == b"hilarm"));
    bench.hear(looks_up, "a look-up of the hub");
    // Nobody answers: its own clock tells it to ask again after a second, which passes more slowly in an emulator.
    let began = Instant::now();
    bench.hear(looks_up, "the same look-up again");
    assert!(began.elapsed() > Duration::from_millis(500), "after a while, {:?}", began.elapsed());
}

#[test]
fn one_serial_cable_carries_everything_of_a_board_in_its_own_time() {
    let Some((board, elf)) = bench(shipped("qemu-netduinoplus2-live")) else { return };
    let device = QemuDevice::launch(&board, &elf, &config("pump-1", 9)).unwrap();
    everything_crosses(Box::new(device), "netduinoplus2-live");
}

#[test]
fn a_board_at_a_serial_cable_that_dies_is_told_though_nobody_waits_for_it() {
    let Some((board, elf)) = bench(shipped("qemu-netduinoplus2-live")) else { return };
    let device = QemuDevice::launch(&board, &elf, &config("pump-1", 9)).unwrap();
    let id = device.process_id().to_string();
    let mut bench = Bench::new(Box::new(device));
    bench.give(Stimulus::Tick).unwrap();
    assert!(std::process::Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
    let fault = loop {
        assert!(bench.bell.wait(LIMIT), "a cable without its other end rings");
        if let Err(fault) = bench.give(Stimulus::Tick) {
            break fault;
        }
    };
    assert!(matches!(fault, DeviceFault::Exited { what: "QEMU", .. }), "{fault}");
}

#[cfg(feature = "probe")]
mod behind_a_probe {
    use super::*;
    use hilarm_board::probe::Station;
    use hilarm_board::{Board, Elf, LocalUnit};

    fn boot(board: &Board, elf: &Elf) -> hilarm_board::probe::ProbeDevice {
        Station::open(board, elf, &LocalUnit::default()).unwrap().boot(&config("pump-1", 9)).unwrap()
    }

    #[test]
    fn a_debug_probe_alone_carries_everything() {
        let Some((board, elf)) = bench(shipped("qemu-netduinoplus2-rtt")) else { return };
        everything_crosses(Box::new(boot(&board, &elf)), "netduinoplus2-rtt");
    }

    #[test]
    fn the_next_run_on_the_same_board_hears_nothing_of_the_one_before() {
        let Some((board, elf)) = bench(shipped("qemu-netduinoplus2-rtt")) else { return };
        let mut device = boot(&board, &elf);
        for _ in 0..3 {
            // Questions that nobody waits to hear the answers of.
            for number in 0..20 {
                let now =
                    Now { mono: Monotonic::from_micros(number), unix: Timestamp::from_secs(1_767_225_600) };
                device.step(Stimulus::Link(LinkOutput::Frame(question())), now).unwrap();
            }
            device = device.into_station().unwrap().boot(&config("pump-1", 9)).unwrap();
            let now = Now { mono: Monotonic::from_micros(30), unix: Timestamp::from_secs(1_767_225_600) };
            let said = device.step(Stimulus::Tick, now).unwrap();
            assert!(!said.iter().any(is_answer), "{said:?}");
        }
    }

    #[test]
    fn a_probe_that_is_pulled_out_takes_the_link_along() {
        let Some((board, elf)) = bench(shipped("qemu-netduinoplus2-rtt")) else { return };
        let device = boot(&board, &elf);
        device.station().unwrap().unplug();
        let mut bench = Bench::new(Box::new(device));
        let fault = bench.give(Stimulus::Tick).unwrap_err();
        assert!(matches!(fault, DeviceFault::Probe { .. }), "{fault}");
    }
}
