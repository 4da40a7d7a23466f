//! The client against a stub that a test scripts.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::client::{Client, Stop};
use super::packet::{self, Deframer, Frame};
use crate::link_error::LinkError;
use crate::stream::Stream;

const LIMIT: Duration = Duration::from_secs(5);
const XML: &str = "<feature><reg name=\"r0\" bitsize=\"32\"/><reg name=\"sp\" regnum=\"13\"/><reg name=\"lr\"/>\
    <reg name=\"pc\"/><reg name=\"xpsr\" regnum=\"25\"/></feature>";

fn pair() -> (Stream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Stream::Unix(ours), theirs)
}

/// Answers each command by the function until the client goes; returns the commands. An interrupt is heard only by a
/// machine that runs.
fn stub(
    mut stream: UnixStream,
    answer: impl Fn(&str) -> Vec<u8> + Send + 'static,
) -> JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let (mut deframer, mut commands, mut buffer) = (Deframer::default(), Vec::new(), [0; 4096]);
        let mut runs = false;
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            let bytes: Vec<u8> = buffer[..length].iter().copied().filter(|byte| *byte != 0x03).collect();
            deframer.push(&bytes);
            while let Some(frame) = deframer.next().unwrap() {
                let Frame::Body(body) = frame else { continue };
                let command = String::from_utf8(body).unwrap();
                let answered = answer(&command);
                runs = command == "c" && !answered.contains(&b'T');
                stream.write_all(&answered).unwrap();
                commands.push(command);
            }
            if bytes.len() < length && runs {
                stream.write_all(&packet::encode(b"T02thread:01;")).unwrap();
            }
        }
        commands
    })
}

/// What QEMU answers to the greeting; other commands by the function.
fn like_qemu(command: &str, answer: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let target = "l<target><xi:include href=\"core.xml\"/></target>";
    let reply = |body: &str| [b"+".to_vec(), packet::encode(body.as_bytes())].concat();
    match command {
        // The stop that nobody asked for comes first.
        "qSupported:qXfer:features:read+" => {
            [packet::encode(b"T02thread:01;"), reply("PacketSize=1000;qXfer:features:read+")].concat()
        }
        "?" => reply("T05thread:01;"),
        "qXfer:features:read:target.xml:0,ffb" => reply(target),
        "qXfer:features:read:core.xml:0,ffb" => reply(&format!("m{}", &XML[..20])),
        "qXfer:features:read:core.xml:14,ffb" => reply(&format!("l{}", &XML[20..])),
        _ => answer(command),
    }
}

fn client(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (Client, JoinHandle<Vec<String>>) {
    let (ours, theirs) = pair();
    let stub = stub(theirs, move |command| like_qemu(command, &answer));
    (Client::connect(ours, LIMIT).unwrap(), stub)
}

fn ok(_command: &str) -> Vec<u8> {
    packet::encode(b"OK")
}

#[test]
fn the_greeting_reads_the_registers_in_pieces_past_a_stop() {
    let (client, _stub) = client(ok);
    assert_eq!(client.registers().number("r0"), Some(0));
    assert_eq!(client.registers().number("xpsr"), Some(25));
}

#[test]
fn a_core_that_is_no_cortex_m_is_refused_by_name() {
    let (ours, theirs) = pair();
    let _stub = stub(theirs, |command| match command {
        "qXfer:features:read:target.xml:0,ffb" => packet::encode(b"l<target></target>"),
        other => like_qemu(other, ok),
    });
    let error = Client::connect(ours, LIMIT).unwrap_err().to_string();
    assert!(error.contains("r0") && error.contains("no Cortex-M"), "{error}");
}

#[test]
fn a_long_write_goes_in_pieces_of_a_kilobyte() {
    let (mut client, stub) = client(ok);
    client.write_memory(0x100, &[0xAB; 1500]).unwrap();
    drop(client);
    let commands = stub.join().unwrap();
    let writes: Vec<&str> =
        commands.iter().filter(|command| command.starts_with('M')).map(|command| &command[..9]).collect();
    assert_eq!(writes, ["M100,400:", "M500,1dc:"]);
}

#[test]
fn physical_mode_is_left_though_the_write_is_refused() {
    let refuse = |command: &str| packet::encode(if command.starts_with('M') { b"E14" } else { b"OK" });
    let (mut client, stub) = client(refuse);
    assert!(matches!(client.write_physical(0x4000_0000, &[1]), Err(LinkError::Refused(_))));
    drop(client);
    assert_eq!(stub.join().unwrap().last().map(String::as_str), Some("Qqemu.PhyMemMode:0"));
}

#[test]
fn an_answer_of_the_wrong_length_is_garbled() {
    let (mut client, _stub) = client(|_| packet::encode(b"0102"));
    assert!(matches!(client.read_memory(0, 4), Err(LinkError::Garbled(_))));
}

#[test]
fn an_interrupt_is_told_from_a_breakpoint_that_came_first() {
    let trap = |command: &str| if command == "c" { packet::encode(b"T05thread:01;") } else { ok(command) };
    let (mut client, _stub) = client(trap);
    client.resume().unwrap();
    let stop = client.interrupt().unwrap();
    assert_eq!((stop, stop.is_interrupt()), (Stop { signal: 5 }, false));
}

#[test]
fn a_running_machine_hears_nothing_but_the_interrupt() {
    let (mut client, stub) = client(|command| if command == "c" { b"+".to_vec() } else { ok(command) });
    client.resume().unwrap();
    assert_eq!(client.poll_stop().unwrap(), None);
    assert!(client.interrupt().unwrap().is_interrupt());
    drop(client);
    assert_eq!(stub.join().unwrap().last().map(String::as_str), Some("c"));
}

#[test]
fn silence_is_bounded_and_names_the_command() {
    let (ours, _theirs) = pair();
    let since = Instant::now();
    let error = Client::connect(ours, Duration::from_millis(30)).unwrap_err();
    assert!(error.to_string().contains("qSupported"), "{error}");
    assert!(since.elapsed() < LIMIT);
}

#[test]
fn a_closed_stub_is_gone() {
    let (ours, theirs) = pair();
    drop(theirs);
    assert!(matches!(Client::connect(ours, LIMIT), Err(LinkError::Gone)));
}

proptest! {
    #[test]
    fn whatever_a_stub_sends_the_client_ends_with_an_error_or_an_answer(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        bodies in prop::collection::vec("[-+TSEOml0-9a-f:;,]{0,12}", 0..6),
    ) {
        let (ours, mut theirs) = pair();
        theirs.write_all(&bodies.iter().flat_map(|body| packet::encode(body.as_bytes())).collect::<Vec<_>>()).unwrap();
        theirs.write_all(&bytes).unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        // It never greets as QEMU does, so it cannot succeed; that it returns is what counts.
        prop_assert!(Client::connect(ours, LIMIT).is_err());
    }
}
