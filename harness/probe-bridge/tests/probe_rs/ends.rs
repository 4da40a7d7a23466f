//! The end of the bridge or of QEMU, before, between and during a debugger's operations: errors at once, no hang.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hilarm_probe_bridge::{Bridge, BridgeConfig, BridgeError, CoreKind, Ended, Listen};
use probe_rs::probe::DebugProbeSelector;
use probe_rs::probe::list::Lister;
use probe_rs::{MemoryInterface, Session};

use crate::emulator::{Board, Emulator, LIMIT, MPS2_AN385, attach, flashed};

/// Long for a failure that should come at once, short against every limit inside.
const AT_ONCE: Duration = Duration::from_millis(900);

/// The machine's answers are bounded, so this is never waited for in full.
fn in_time<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(act()));
    result.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{what} hangs"))
}

fn assert_every_operation_fails(mut session: Session, board: Board) {
    let ram = u64::from(board.image.ram);
    in_time("an operation", move || {
        let since = Instant::now();
        for _ in 0..3 {
            session.core(0).and_then(|mut core| core.read_word_32(ram)).unwrap_err();
            session.core(0).and_then(|mut core| core.status()).unwrap_err();
            session.core(0).and_then(|mut core| core.reset()).unwrap_err();
        }
        drop(session);
        assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    });
}

#[test]
fn operations_fail_at_once_when_the_bridge_was_stopped() {
    let emulator = Emulator::start(MPS2_AN385);
    let mut bridge = emulator.bridge();
    let session = attach(&bridge, MPS2_AN385);
    bridge.stop();
    assert_eq!(bridge.ended(), Some(Ended::Stopped));
    assert_every_operation_fails(session, MPS2_AN385);
}

#[test]
fn operations_fail_at_once_when_qemu_was_killed() {
    let mut emulator = Emulator::start(MPS2_AN385);
    let bridge = emulator.bridge();
    let session = flashed(&bridge, MPS2_AN385);
    emulator.kill();
    assert_every_operation_fails(session, MPS2_AN385);
    assert_eq!(bridge.ended(), Some(Ended::QemuGone));
}

#[test]
fn an_operation_under_way_fails_when_the_bridge_stops() {
    for _ in 0..20 {
        let emulator = Emulator::start(MPS2_AN385);
        let mut bridge = emulator.bridge();
        let mut session = attach(&bridge, MPS2_AN385);
        let (reading, reads) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut core = session.core(0).unwrap();
            while core.read_word_32(0x2000_0000).is_ok() {
                // The other side may have seen enough.
                let _ = reading.send(());
            }
        });
        for _ in 0..5 {
            reads.recv_timeout(LIMIT).unwrap();
        }
        bridge.stop();
        in_time("a read under way", move || reader.join().unwrap());
        // Nothing was cut off in the middle: the next bridge meets a stub that is in order.
        assert_eq!(attach(&emulator.bridge(), MPS2_AN385).core(0).unwrap().read_word_32(0).unwrap(), 0);
    }
}

#[test]
fn an_operation_under_way_fails_when_qemu_dies() {
    for _ in 0..20 {
        let mut emulator = Emulator::start(MPS2_AN385);
        let bridge = emulator.bridge();
        let mut session = attach(&bridge, MPS2_AN385);
        let (reading, reads) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut core = session.core(0).unwrap();
            while core.read_word_32(0x2000_0000).is_ok() {
                // The other side may have seen enough.
                let _ = reading.send(());
            }
        });
        for _ in 0..5 {
            reads.recv_timeout(LIMIT).unwrap();
        }
        emulator.kill();
        in_time("a read under way", move || reader.join().unwrap());
        assert_eq!(bridge.ended(), Some(Ended::QemuGone));
    }
}

#[test]
fn a_probe_of_a_bridge_that_ended_does_not_open() {
    let mut emulator = Emulator::start(MPS2_AN385);
    let bridge = emulator.bridge();
    let selector = bridge.selector();
    emulator.kill();
    in_time("an attach", move || {
        let selector: DebugProbeSelector = selector.parse().unwrap();
        Lister::new().open(selector).unwrap_err();
    });
}

#[test]
fn a_second_debugger_is_sent_away_and_the_first_is_undisturbed() {
    let emulator = Emulator::start(MPS2_AN385);
    let bridge = emulator.bridge();
    let mut first = attach(&bridge, MPS2_AN385);
    let selector: DebugProbeSelector = bridge.selector().parse().unwrap();
    in_time("a second attach", move || Lister::new().open(selector).unwrap_err());
    first.core(0).unwrap().read_word_32(0).unwrap();
    drop(first);
    attach(&bridge, MPS2_AN385);
}

#[test]
fn debuggers_come_one_after_another_a_hundred_times() {
    let emulator = Emulator::start(MPS2_AN385);
    let bridge = emulator.bridge();
    drop(flashed(&bridge, MPS2_AN385));
    let since = Instant::now();
    for _ in 0..100 {
        attach(&bridge, MPS2_AN385).core(0).unwrap().read_word_32(0).unwrap();
    }
    println!("attach, read and detach in {:?}", since.elapsed() / 100);
}

#[test]
fn a_qemu_that_is_not_there_is_named_with_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut config =
        BridgeConfig::new(path("gdb"), path("qmp"), Listen::Unix(path("probe")), CoreKind::Armv7m);
    config.reply_limit = Duration::from_millis(50);
    let error = Bridge::start(config).unwrap_err();
    assert!(matches!(error, BridgeError::Connect { what: "QMP", .. }), "{error}");
    assert!(error.to_string().contains("qmp") && error.to_string().contains("50ms"), "{error}");
    assert!(!path("probe").exists(), "the debugger's socket stays behind");
}

#[test]
fn a_socket_in_use_is_an_error() {
    let emulator = Emulator::start(MPS2_AN385);
    let bridge = emulator.bridge();
    let selector = bridge.selector();
    let path = selector.strip_prefix("20b7:9db1:unix:").unwrap();
    let error = Bridge::start(emulator.config(Listen::Unix(path.into()))).unwrap_err();
    assert!(matches!(error, BridgeError::Listen { .. }), "{error}");
    attach(&bridge, MPS2_AN385);
}
