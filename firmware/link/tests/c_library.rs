//! The C library held against this crate, which is the definition: the same bytes must mean the same to both,
//! sound and damaged, and what C writes must be read here. Compiled by the system's C compiler, with its
//! sanitizers where it has them. Without a compiler the tests pass over, aloud; in CI they fail.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::OnceLock;

use hilarm_link::{
    Command, CommandError, Decoder, DeviceEvent, Disposition, Encoder, FrameError, FromDevice, Grant, Idle,
    LogLevel, ToDevice, Value, X509Credential, from_ethernet, to_ethernet,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Descriptions are cut here by both sides, so that any fits into a frame.
const DESCRIPTION_BYTES_MAX: usize = 3000;

fn reflector() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reflect");
    let compile = |sanitizers: &[&str]| {
        let mut compiler = Process::new("cc");
        compiler.args(["-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]);
        compiler.args(sanitizers).arg("-I").arg(here.join("c")).arg("-o").arg(&program);
        compiler.arg(here.join("c/hilarm_link.c")).arg(here.join("tests/c_library/reflect.c"));
        compiler.output()
    };
    let Ok(plain) = compile(&[]) else {
        assert!(std::env::var_os("CI").is_none(), "CI must have a C compiler");
        eprintln!("passed over: no C compiler `cc`");
        return None;
    };
    assert!(plain.status.success(), "{}", String::from_utf8_lossy(&plain.stderr));
    let checked = compile(&["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    if !checked.is_ok_and(|output| output.status.success()) {
        eprintln!("without sanitizers: this compiler has none");
        assert!(compile(&[]).is_ok_and(|output| output.status.success()), "it compiled a moment ago");
    }
    Some(program)
}

fn reflect(program: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Process::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What C answers to these bytes, and what this crate makes of them.
fn both(program: &Path, input: &[u8]) -> (Vec<FromDevice>, Vec<FromDevice>) {
    let answer = reflect(program, &[], input);
    let mut decoder = Decoder::new();
    let answered = answer.iter().filter_map(|&byte| decoder.push::<FromDevice>(byte));
    let answered = answered.map(|message| message.expect("what C writes is sound")).collect();
    let mut decoder = Decoder::new();
    let meant = input.iter().filter_map(|&byte| decoder.push::<ToDevice>(byte)).flat_map(expected).collect();
    (answered, meant)
}

fn expected(taken: Result<ToDevice, FrameError>) -> Vec<FromDevice> {
    match taken {
        Ok(ToDevice::Time(grant)) => vec![FromDevice::Time(Idle {
            seq: grant.seq,
            deadline_us: (grant.mono_us != 0).then_some(grant.mono_us),
            frames_rx: grant.unix_us as u32,
            frames_tx: (grant.unix_us >> 32) as u32,
            frames_dropped: 3,
            link_rx: 4,
            link_tx: 5,
        })],
        Ok(ToDevice::Network(frame)) => vec![FromDevice::Network(frame)],
        Ok(ToDevice::Command { id, command }) => vec![
            FromDevice::Log { level: LogLevel::Debug, text: description(&command) },
            FromDevice::Response { id, result: result(id) },
            FromDevice::Event(event(id, &command)),
        ],
        Err(error) => vec![FromDevice::Log { level: LogLevel::Error, text: name(error).to_owned() }],
    }
}

fn name(error: FrameError) -> &'static str {
    match error {
        FrameError::Cobs => "cobs",
        FrameError::Short => "short",
        FrameError::Crc => "crc",
        FrameError::TooLong => "too long",
        FrameError::Channel(_) => "channel",
        FrameError::Body => "body",
        FrameError::Gap { .. } => "gap",
    }
}

fn result(id: u32) -> Result<(), CommandError> {
    match id % 4 {
        0 => Ok(()),
        1 => Err(CommandError::UnknownBehaviour),
        2 => Err(CommandError::Argument { name: "n\u{e4}me".to_owned(), expected: "why".to_owned() }),
        _ => Err(CommandError::NotNow { reason: "why".to_owned() }),
    }
}

fn event(id: u32, command: &Command) -> DeviceEvent {
    let number = u64::from(id) << 8;
    let text = "text".to_owned();
    match id % 10 {
        0 => DeviceEvent::Booted { target: text, version: "1.0".to_owned(), nonce: number },
        1 => DeviceEvent::Connected {
            session_present: matches!(command, Command::Connect { attempts: Some(_), .. }),
        },
        2 => DeviceEvent::ConnectFailed { reason: text },
        3 => DeviceEvent::GaveUp,
        4 => DeviceEvent::Disconnected { reason: text },
        5 => DeviceEvent::MethodCalled { name: text },
        6 => DeviceEvent::CloudToDeviceReceived { payload_bytes: number as u32 },
        7 => DeviceEvent::DesiredProperties { version: number },
        8 => DeviceEvent::BehaviourFinished { name: text },
        _ => DeviceEvent::TelemetrySettled { acknowledged: number as u32, dropped: count(command) },
    }
}

fn count(command: &Command) -> u32 {
    match command {
        Command::SendTelemetry { count, .. }
        | Command::SendTelemetryHttps { count, .. }
        | Command::ReceiveHttps { count, .. } => *count,
        _ => 0,
    }
}

/// The fields in the order of the C structure, numbers in decimal, bytes in hexadecimal.
fn description(command: &Command) -> String {
    let mut kind = 0;
    let (mut attempts, mut gap, mut interval, mut payload, mut disposition, mut size) = (-1, -1, 0, 0, 0, 0);
    let (mut text, mut arguments): (&[u8], &[(String, Value)]) = (&[], &[]);
    match command {
        Command::Connect { attempts: tries, gap_ms } => {
            attempts = tries.map_or(-1, i64::from);
            gap = gap_ms.map_or(-1, i64::from);
        }
        Command::Disconnect => kind = 1,
        Command::SendTelemetry { interval_ms, payload_bytes, .. } => {
            (kind, interval, payload) = (2, *interval_ms, *payload_bytes);
        }
        Command::ReportProperties { json } => (kind, text) = (3, json.as_bytes()),
        Command::ReadTwin => kind = 4,
        Command::RunBehaviour { name, args } => (kind, text, arguments) = (5, name.as_bytes(), args),
        Command::StopBehaviour { name } => (kind, text) = (6, name.as_bytes()),
        Command::SendTelemetryHttps { interval_ms, payload_bytes, .. } => {
            (kind, interval, payload) = (7, *interval_ms, *payload_bytes);
        }
        Command::ReceiveHttps { disposition: what, .. } => (kind, disposition) = (8, *what as u32),
        Command::UploadFile { name, size_bytes } => (kind, text, size) = (9, name.as_bytes(), *size_bytes),
    }
    let mut all = format!(
        " {kind} {attempts} {gap} {} {interval} {payload} {disposition} {size} {}. {}",
        count(command),
        hex(text),
        arguments.len()
    );
    for (name, value) in arguments {
        let none: &[u8] = &[];
        let (kind, number, text, certificate, key, until) = match value {
            Value::Int(number) => (0, *number, none, none, none, 0),
            Value::Text(text) => (1, 0, text.as_bytes(), none, none, 0),
            Value::Certificate(held) => (2, 0, none, &held.certificate[..], &held.key[..], held.not_after_s),
        };
        let (name, text, certificate, key) = (hex(name.as_bytes()), hex(text), hex(certificate), hex(key));
        write!(all, " {name}. {kind} {number} {text}. {certificate}. {key}. {until}").unwrap();
    }
    all.truncate(DESCRIPTION_BYTES_MAX);
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text() -> impl Strategy<Value = String> {
    // A zero byte is text too.
    "[a-z\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}]{0,40}"
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        text().prop_map(Value::Text),
        (vec(any::<u8>(), 0..200), vec(any::<u8>(), 0..200), any::<i64>()).prop_map(
            |(certificate, key, not_after_s)| {
                Value::Certificate(X509Credential { certificate, key, not_after_s })
            }
        ),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let disposition =
        prop::sample::select(vec![Disposition::Complete, Disposition::Reject, Disposition::Abandon]);
    prop_oneof![
        (option::of(any::<u16>()), option::of(any::<u32>()))
            .prop_map(|(attempts, gap_ms)| Command::Connect { attempts, gap_ms }),
        Just(Command::Disconnect),
        any::<(u32, u32, u16)>().prop_map(|(count, interval_ms, payload_bytes)| {
            Command::SendTelemetry { count, interval_ms, payload_bytes }
        }),
        text().prop_map(|json| Command::ReportProperties { json }),
        Just(Command::ReadTwin),
        (text(), vec((text(), value()), 0..5)).prop_map(|(name, args)| Command::RunBehaviour { name, args }),
        text().prop_map(|name| Command::StopBehaviour { name }),
        any::<(u32, u32, u16)>().prop_map(|(count, interval_ms, payload_bytes)| {
            Command::SendTelemetryHttps { count, interval_ms, payload_bytes }
        }),
        (disposition, any::<u32>())
            .prop_map(|(disposition, count)| Command::ReceiveHttps { disposition, count }),
        (text(), any::<u32>()).prop_map(|(name, size_bytes)| Command::UploadFile { name, size_bytes }),
    ]
}

fn message() -> impl Strategy<Value = ToDevice> {
    prop_oneof![
        1 => any::<(u32, u64, i64)>()
            .prop_map(|(seq, mono_us, unix_us)| ToDevice::Time(Grant { seq, mono_us, unix_us })),
        3 => (any::<u32>(), command()).prop_map(|(id, command)| ToDevice::Command { id, command }),
        // Long runs without a zero, and nothing but zeros, are COBS's corners.
        1 => vec(any::<u8>(), 0..1600).prop_map(ToDevice::Network),
        1 => (1u8.., 250usize..800).prop_map(|(byte, length)| ToDevice::Network(vec![byte; length])),
        1 => (0usize..600).prop_map(|length| ToDevice::Network(vec![0; length])),
    ]
}

fn utf8_corner() -> impl Strategy<Value = u8> {
    let corners = b"a\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xED\xEE\xEF\xF0\xF1\xF4\xF5\xFF";
    prop::sample::select(corners.to_vec())
}

fn encode(messages: &[ToDevice]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    messages.iter().flat_map(|message| encoder.encode(message)).collect()
}

/// A frame with any channel and body, soundly framed.
fn framed(sequence: u8, channel: u8, body: &[u8]) -> Vec<u8> {
    let mut raw = vec![channel, sequence];
    raw.extend_from_slice(body);
    let crc = raw.iter().fold(0u16, |crc, &byte| {
        (0..8)
            .fold(crc ^ u16::from(byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 })
    });
    raw.extend_from_slice(&crc.to_le_bytes());
    let runs: Vec<&[u8]> = raw.split(|byte| *byte == 0).collect();
    let mut out = Vec::new();
    for run in &runs {
        let mut rest = *run;
        while rest.len() >= 254 {
            out.push(0xFF);
            out.extend_from_slice(&rest[..254]);
            rest = &rest[254..];
        }
        out.push(rest.len() as u8 + 1);
        out.extend_from_slice(rest);
    }
    out.push(0);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_message_means_the_same_in_c_and_comes_back(messages in vec(message(), 1..20)) {
        let Some(program) = reflector() else { return Ok(()) };
        let (answered, meant) = both(program, &encode(&messages));
        prop_assert!(meant.len() >= messages.len());
        prop_assert_eq!(answered, meant);
    }

    #[test]
    fn damage_means_the_same_in_c(
        messages in vec(message(), 1..8),
        damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let Some(program) = reflector() else { return Ok(()) };
        let mut bytes = encode(&messages);
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        bytes.push(0);
        let (answered, meant) = both(program, &bytes);
        prop_assert_eq!(answered, meant);
    }

    /// Bodies that no sender makes, in frames that are sound.
    #[test]
    fn wrong_bodies_mean_the_same_in_c(bodies in vec((0u8..7, vec(prop_oneof![any::<u8>(), 0u8..4], 0..40)), 1..60)) {
        let Some(program) = reflector() else { return Ok(()) };
        let frames = bodies.iter().zip(0u8..).flat_map(|((channel, body), at)| framed(at, *channel, body));
        let (answered, meant) = both(program, &frames.collect::<Vec<_>>());
        prop_assert_eq!(answered, meant);
    }

    /// RFC 3629, 4: overlong forms, surrogates and what lies beyond the last character are no text.
    #[test]
    fn text_that_is_none_means_the_same_in_c(names in vec(vec(utf8_corner(), 1..5), 200)) {
        let Some(program) = reflector() else { return Ok(()) };
        let frames = names.iter().zip(0u8..).flat_map(|(name, at)| {
            let mut body = vec![4, 6, name.len() as u8];
            body.extend_from_slice(name);
            framed(at, 1, &body)
        });
        let (answered, meant) = both(program, &frames.collect::<Vec<_>>());
        prop_assert_eq!(answered, meant);
    }

    #[test]
    fn noise_means_the_same_in_c(noise in vec(prop_oneof![any::<u8>(), Just(0), Just(1)], 0..4000)) {
        let Some(program) = reflector() else { return Ok(()) };
        let (answered, meant) = both(program, &noise);
        prop_assert_eq!(answered, meant);
    }

    #[test]
    fn no_ethernet_frame_is_read_past_its_end(frame in vec(any::<u8>(), 0..80), ours: bool) {
        let Some(program) = reflector() else { return Ok(()) };
        let mut frame = frame;
        if ours && let Some(ethertype) = frame.get_mut(12..14) {
            ethertype.copy_from_slice(&[0x88, 0xB5]);
        }
        let answer = reflect(program, &["ethernet"], &frame);
        let sound = match from_ethernet::<ToDevice>(&frame) {
            None => &b"traffic\n"[..],
            Some(Err(_)) => b"damaged\n",
            Some(Ok(ToDevice::Time(_))) => return Ok(()),
            Some(Ok(_)) => b"other\n",
        };
        prop_assert_eq!(answer, sound);
    }
}

#[test]
fn an_endless_frame_is_too_long_in_c_and_the_next_one_survives() {
    let Some(program) = reflector() else { return };
    let mut bytes = vec![1; hilarm_link::MAX_FRAME_BYTES * 2];
    bytes.push(0);
    bytes.extend(encode(&[ToDevice::Network(vec![1, 0, 2])]));
    let (answered, meant) = both(program, &bytes);
    assert_eq!(answered, meant);
    assert_eq!(answered.len(), 2);
}

#[test]
fn a_grant_in_an_ethernet_frame_is_answered_by_idle() {
    let Some(program) = reflector() else { return };
    let grant = Grant { seq: 7, mono_us: u64::MAX - 9, unix_us: 1_767_225_600_000_000 };
    let frame = to_ethernet(&ToDevice::Time(grant), [2; 6], [3; 6]);
    let answer = reflect(program, &["ethernet"], &frame);
    let idle = Idle { seq: 7, deadline_us: Some(u64::MAX - 8), ..Idle::default() };
    assert_eq!(from_ethernet(&answer), Some(Ok(FromDevice::Time(idle))));
    assert_eq!((answer.len(), &answer[..12]), (60, &[255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 7][..]));
}
