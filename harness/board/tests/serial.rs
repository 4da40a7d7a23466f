//! Serial lines end to end: pseudo terminals stand for ports, a server of RFC 2217 written for these tests for
//! another machine. Nothing leaves this machine.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hilarm_board::{SerialAddress, SerialError, SerialWire, Wire, WireError};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use serialport::{SerialPort, TTYPort};

const LIMIT: Duration = Duration::from_secs(20);
const MEGABYTE: usize = 1 << 20;

/// Every byte value, in no order that a line could produce by itself.
fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(next).collect()
}

fn wait(wire: &SerialWire, flags: PollFlags, give_up: Instant) {
    let left = give_up.checked_duration_since(Instant::now()).expect("the line moves within the limit");
    let mut on = [PollFd::from_borrowed_fd(wire.readiness().expect("an open line"), flags)];
    poll(&mut on, Some(&Timespec::try_from(left).unwrap())).unwrap();
}

/// Sends it all and reads back as much; how long that took.
fn loop_back(wire: &mut SerialWire, sent: &[u8]) -> (Vec<u8>, Duration) {
    let began = Instant::now();
    let mut rest = sent;
    let mut received = Vec::with_capacity(sent.len());
    let mut buffer = [0; 16 * 1024];
    while received.len() < sent.len() {
        rest = &rest[wire.send(rest).unwrap()..];
        let flags = if rest.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        match wire.receive(&mut buffer).unwrap() {
            0 => wait(wire, flags, began + LIMIT),
            length => received.extend_from_slice(&buffer[..length]),
        }
    }
    (received, began.elapsed())
}

fn receive_exactly(wire: &mut SerialWire, length: usize) -> Result<Vec<u8>, WireError> {
    let give_up = Instant::now() + LIMIT;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while received.len() < length {
        match wire.receive(&mut buffer)? {
            0 => wait(wire, PollFlags::IN, give_up),
            more => received.extend_from_slice(&buffer[..more]),
        }
    }
    Ok(received)
}

/// A board that says back whatever it hears, until its line is closed.
fn echo(mut board: TTYPort) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            match board.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    if board.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                Err(_) => return,
            }
        }
    })
}

fn pty() -> (TTYPort, PathBuf) {
    let (mut board, port) = TTYPort::pair().unwrap();
    board.set_timeout(LIMIT).unwrap();
    let path = PathBuf::from(port.name().unwrap());
    (board, path)
}

#[test]
fn a_megabyte_comes_back_over_a_pty_without_loss() {
    let (board, path) = pty();
    let mut wire = SerialWire::open(SerialAddress::Path(path), 115_200).unwrap();
    let echo = echo(board);
    let sent = pattern(MEGABYTE);
    let (received, took) = loop_back(&mut wire, &sent);
    assert!(received == sent, "the first difference is at {:?}", first_difference(&received, &sent));
    println!("1 MiB both ways over a pty in {took:?}");
    drop(wire);
    echo.join().unwrap();
}

fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    a.iter().zip(b).position(|(a, b)| a != b)
}

#[test]
fn a_harness_that_is_busy_elsewhere_loses_nothing() {
    let (mut board, path) = pty();
    let mut wire = SerialWire::open(SerialAddress::Path(path), 115_200).unwrap();
    // More than any terminal buffers, written while nobody reads the wire.
    let sent = pattern(128 * 1024);
    board.write_all(&sent).unwrap();
    assert!(receive_exactly(&mut wire, sent.len()).unwrap() == sent);
}

#[test]
fn an_unplugged_line_is_told_by_name_after_its_last_words() {
    let (mut board, port) = pty();
    // By a name of its own, as udev gives: the next test's terminal may get this one's number.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usb-board-if02");
    std::os::unix::fs::symlink(port, &path).unwrap();
    let mut wire = SerialWire::open(SerialAddress::Path(path.clone()), 115_200).unwrap();
    board.write_all(b"last words").unwrap();
    assert_eq!(receive_exactly(&mut wire, 10).unwrap(), b"last words");
    drop(board);
    std::fs::remove_file(&path).unwrap();
    let error = receive_exactly(&mut wire, 1).unwrap_err();
    let WireError::Gone { what } = &error else { panic!("{error:?}") };
    assert!(what.contains("unplugged") && what.contains(path.to_str().unwrap()), "{what}");
    let error = wire.reopen(Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, SerialError::NotBack { .. }), "{error}");
}

#[test]
fn renewing_a_line_that_holds_throws_away_what_came_before() {
    let (mut board, path) = pty();
    let mut wire = SerialWire::open(SerialAddress::Path(path), 115_200).unwrap();
    board.write_all(b"stale").unwrap();
    wait(&wire, PollFlags::IN, Instant::now() + LIMIT);
    wire.renew(LIMIT).unwrap();
    board.write_all(b"fresh").unwrap();
    assert_eq!(receive_exactly(&mut wire, 5).unwrap(), b"fresh");
}

#[test]
fn a_terminal_without_lines_for_a_modem_is_a_line_all_the_same() {
    let (mut board, path) = pty();
    let mut bare = serialport::new(path.to_string_lossy(), 115_200).open_native().unwrap();
    bare.write_data_terminal_ready(true).expect_err("a pseudo terminal has no such line");
    drop(bare);
    let mut wire = SerialWire::open(SerialAddress::Path(path), 115_200).unwrap();
    board.write_all(b"hello").unwrap();
    assert_eq!(receive_exactly(&mut wire, 5).unwrap(), b"hello");
}

#[test]
fn a_port_that_is_busy_is_had_as_soon_as_it_is_free() {
    let (mut board, path) = pty();
    let address = SerialAddress::Path(path);
    let first = SerialWire::open(address.clone(), 115_200).unwrap();
    let error = SerialWire::open(address.clone(), 115_200).unwrap_err();
    assert!(matches!(&error, SerialError::Busy { holder, .. } if holder.contains("itself")), "{error}");
    drop(first);
    let mut second = SerialWire::open(address, 115_200).expect("no lock is left behind");
    board.write_all(b"free").unwrap();
    assert_eq!(receive_exactly(&mut second, 4).unwrap(), b"free");
}

#[test]
fn a_usb_device_that_is_not_plugged_in_is_told_with_what_is() {
    let address: SerialAddress = "usb:ffff:fffe,serial=none".parse().unwrap();
    let error = SerialWire::open(address, 115_200).unwrap_err();
    assert!(matches!(error, SerialError::NoMatch { .. }), "{error}");
    assert!(error.to_string().contains("no serial port is usb:ffff:fffe,serial=none"), "{error}");
}

#[test]
fn a_raw_tcp_server_is_a_line_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut copy = stream.try_clone().unwrap();
        std::io::copy(&mut stream, &mut copy)
    });
    let mut wire = SerialWire::open(SerialAddress::Tcp { server }, 115_200).unwrap();
    let sent = pattern(MEGABYTE);
    assert!(loop_back(&mut wire, &sent).0 == sent);
    drop(wire);
    echo.join().unwrap().unwrap();
}

#[test]
fn nobody_at_the_port_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = SerialWire::open(SerialAddress::Tcp { server: server.clone() }, 115_200).unwrap_err();
    assert!(error.to_string().contains(&server), "{error}");
}

// RFC 2217, as a server sees it.
const IAC: u8 = 255;
const SE: u8 = 240;

/// Reads until the client has sent `end`.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut byte = [0];
    while !heard.ends_with(end) {
        stream.read_exact(&mut byte).unwrap();
        heard.push(byte[0]);
    }
    heard
}

/// A server whose line is set to `baud`, whatever was asked, and says back what it hears.
fn rfc2217_server(baud: u32) -> (SerialAddress, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = SerialAddress::Rfc2217 { server: listener.local_addr().unwrap().to_string() };
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // WILL COM-PORT-OPTION is the last offer.
        let mut heard = read_until(&mut stream, &[IAC, 251, 44]);
        stream.write_all(&[IAC, 253, 0, IAC, 251, 0, IAC, 253, 44]).unwrap();
        // SET-CONTROL with RTS on is the last setting.
        heard.extend(read_until(&mut stream, &[IAC, 250, 44, 5, 11, IAC, SE]));
        let mut answer = vec![IAC, 250, 44, 101];
        answer.extend(baud.to_be_bytes());
        // In two pieces, and with news of the modem's lines behind it.
        answer.extend([IAC, SE, IAC, 250, 44, 107, 0xB0, IAC, SE]);
        let (first, second) = answer.split_at(6);
        stream.write_all(first).unwrap();
        stream.write_all(second).unwrap();
        // Escaped bytes stay escaped on their way back.
        let mut copy = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut stream, &mut copy);
        heard
    });
    (address, server)
}

#[test]
fn a_megabyte_comes_back_over_rfc_2217_with_the_speed_set() {
    let (address, server) = rfc2217_server(115_200);
    let mut wire = SerialWire::open(address, 115_200).unwrap();
    let sent = pattern(MEGABYTE);
    assert!(loop_back(&mut wire, &sent).0 == sent, "255 is among the bytes, so escaping works");
    drop(wire);
    let heard = server.join().unwrap();
    let set_baud = [IAC, 250, 44, 1, 0, 1, 0xC2, 0, IAC, SE];
    assert!(heard.windows(set_baud.len()).any(|window| window == set_baud), "115200 was asked for");
}

#[test]
fn a_server_that_cannot_do_the_speed_is_refused() {
    let (address, server) = rfc2217_server(9600);
    let error = SerialWire::open(address, 115_200).unwrap_err();
    assert!(error.to_string().contains("set the speed 9600 in place of 115200"), "{error}");
    server.join().unwrap();
}

/// The widely used server, where it is installed; it speaks the protocol as others wrote it.
#[test]
fn ser2net_serves_a_pty_by_rfc_2217() {
    let (board, path) = pty();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    drop(listener);
    let Some(_ser2net) = ser2net(&server, &path) else {
        println!("skipped: ser2net is not installed");
        return;
    };
    let mut wire = None;
    let give_up = Instant::now() + LIMIT;
    while wire.is_none() && Instant::now() < give_up {
        let address = SerialAddress::Rfc2217 { server: server.clone() };
        wire = SerialWire::open(address, 115_200).ok();
    }
    let mut wire = wire.expect("ser2net answers within the limit");
    let _echo = echo(board);
    let sent = pattern(64 * 1024);
    assert!(loop_back(&mut wire, &sent).0 == sent);
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ser2net(server: &str, port: &std::path::Path) -> Option<Killed> {
    let (host, tcp) = server.split_once(':').unwrap();
    let accepter = format!("telnet(rfc2217),tcp,{host},{tcp}");
    let connector = format!("serialdev,{},115200n81,local", port.display());
    let line = format!("connection: &line\n  accepter: {accepter}\n  connector: {connector}\n");
    let mut command = Command::new("ser2net");
    command.args(["-n", "-d", "-Y", &line]).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok().map(Killed)
}
