//! The capture of a QEMU run against the hub's own count: each frame is taken apart again by hand (IPv4, TCP,
//! TLS 1.3 with the secrets that the capture carries), and every byte that the hub consumed must be there.
//! Implements RFC 8446, 5.2, 5.3 and 7.1, for TLS_AES_128_GCM_SHA256.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hilarm_runner::{Entry, HarnessRecord, Pool, Trial, Verdict, read_journal};
use hilarm_scenario::ScenarioFile;
use hilarm_tests::{qemu, scenario};
use pcap_file::pcapng::{Block, PcapNgReader};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};

const HUB: [u8; 4] = [10, 77, 0, 10];
const HUB_PORT: u16 = 8883;
const TLS_KEY_LOG: &[u8] = b"KSLT";
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// One connection's bytes from device to hub, by their place in the stream.
#[derive(Default)]
struct Stream {
    first_sequence: u32,
    segments: BTreeMap<u32, Vec<u8>>,
}

impl Stream {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, segment) in &self.segments {
            let at = *at as usize;
            assert!(at <= bytes.len(), "bytes {} to {at} were never captured", bytes.len());
            let known = (bytes.len() - at).min(segment.len());
            bytes.extend_from_slice(&segment[known..]);
        }
        bytes
    }
}

/// What a capture holds.
#[derive(Default)]
struct Captured {
    secrets: String,
    streams: Vec<Stream>,
    /// Index of the present connection of each device port.
    open: BTreeMap<([u8; 4], u16), usize>,
}

impl Captured {
    fn read(path: &Path) -> Self {
        let mut captured = Self::default();
        let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
        while let Some(block) = reader.next_block() {
            match block.unwrap() {
                Block::EnhancedPacket(packet) => captured.take_frame(&packet.data),
                Block::Unknown(block) if block.value.starts_with(TLS_KEY_LOG) => {
                    captured.secrets = String::from_utf8_lossy(&block.value[8..]).into_owned();
                }
                _ => {}
            }
        }
        captured
    }

    fn take_frame(&mut self, frame: &[u8]) {
        const IPV4: [u8; 2] = [8, 0];
        const TCP: u8 = 6;
        let packet = &frame[14..];
        if frame[12..14] != IPV4 || packet[9] != TCP || packet[16..20] != HUB {
            return;
        }
        let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let segment = &packet[usize::from(packet[0] & 0xF) * 4..length];
        let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
        if port(2) == HUB_PORT {
            let source = [packet[12], packet[13], packet[14], packet[15]];
            self.take_segment((source, port(0)), segment);
        }
    }

    fn take_segment(&mut self, from: ([u8; 4], u16), segment: &[u8]) {
        const SYN: u8 = 2;
        let sequence = u32::from_be_bytes([segment[4], segment[5], segment[6], segment[7]]);
        if segment[13] & SYN != 0 {
            let repeated = self.open.get(&from).is_some_and(|at| {
                let stream = &self.streams[*at];
                stream.first_sequence == sequence.wrapping_add(1) && stream.segments.is_empty()
            });
            if !repeated {
                self.open.insert(from, self.streams.len());
                let first_sequence = sequence.wrapping_add(1);
                self.streams.push(Stream { first_sequence, ..Stream::default() });
            }
            return;
        }
        let payload = &segment[usize::from(segment[12] >> 4) * 4..];
        // An acknowledgement alone; behind a FIN its place is past the end.
        if payload.is_empty() {
            return;
        }
        let stream = &mut self.streams[self.open[&from]];
        let at = sequence.wrapping_sub(stream.first_sequence);
        let kept = stream.segments.entry(at).or_default();
        if payload.len() > kept.len() {
            payload.clone_into(kept);
        }
    }

    /// Application data from devices to the hub, decrypted, of all connections.
    fn plaintext_bytes(&self) -> u64 {
        self.streams.iter().map(|stream| self.plaintext_of(&stream.bytes())).sum()
    }

    fn plaintext_of(&self, bytes: &[u8]) -> u64 {
        let records = records(bytes);
        let Some(hello) = records.first().filter(|record| record[0] == HANDSHAKE) else { return 0 };
        // Behind the headers of record and message, and the version.
        let random: String = hello[11..43].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut opener =
            Opener::new(["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0"].map(|label| {
                let start = format!("{label} {random} ");
                let line = self.secrets.lines().find(|line| line.starts_with(&start));
                line.map(|line| from_hex(&line[start.len()..]))
            }));
        let sealed = records.iter().filter(|record| record[0] == APPLICATION_DATA);
        let contents = sealed.map(|record| opener.open(record));
        contents.filter(|(kind, _)| *kind == APPLICATION_DATA).map(|(_, length)| length as u64).sum()
    }
}

/// TLS records, headers included; one that the connection's end cut off is left out.
fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while bytes.len() >= 5 {
        let length = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        let Some((record, rest)) = bytes.split_at_checked(length) else { break };
        records.push(record);
        bytes = rest;
    }
    records
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// The device's two traffic keys, one after the other.
struct Opener {
    keys: std::vec::IntoIter<(LessSafeKey, [u8; 12])>,
    present: Option<(LessSafeKey, [u8; 12])>,
    sequence: u64,
}

impl Opener {
    fn new(secrets: [Option<Vec<u8>>; 2]) -> Self {
        let keys: Vec<_> = secrets.into_iter().flatten().map(|secret| traffic_key(&secret)).collect();
        let mut keys = keys.into_iter();
        Self { present: keys.next(), keys, sequence: 0 }
    }

    /// Content type and length of a record's content.
    fn open(&mut self, record: &[u8]) -> (u8, usize) {
        loop {
            let (key, iv) = self.present.as_ref().expect("no key of the capture opens this record");
            if let Some(content) = open(key, iv, self.sequence, record) {
                self.sequence += 1;
                let end = content.iter().rposition(|byte| *byte != 0).expect("a content type");
                return (content[end], end);
            }
            self.present = self.keys.next();
            self.sequence = 0;
        }
    }
}

fn open(key: &LessSafeKey, iv: &[u8; 12], sequence: u64, record: &[u8]) -> Option<Vec<u8>> {
    let mut nonce = *iv;
    for (byte, counter) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= counter;
    }
    let (header, body) = record.split_at(5);
    let mut body = body.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.open_in_place(nonce, Aad::from(header), &mut body).ok().map(|content| content.to_vec())
}

fn traffic_key(secret: &[u8]) -> (LessSafeKey, [u8; 12]) {
    let (mut key, mut iv) = ([0; 16], [0; 12]);
    expand_label(secret, b"tls13 key", &mut key);
    expand_label(secret, b"tls13 iv", &mut iv);
    (LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap()), iv)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand_label(secret: &[u8], label: &[u8], out: &mut [u8]) {
    let length = (out.len() as u16).to_be_bytes();
    let info: [&[u8]; 4] = [&length, &[label.len() as u8], label, &[0]];
    let secret = Prk::new_less_safe(HKDF_SHA256, secret);
    secret.expand(&info, Length(out.len())).unwrap().fill(out).unwrap();
}

/// A scenario without its controls, which have captures of their own.
fn without_controls(id: &str) -> ScenarioFile {
    let mut file = scenario(id);
    let reason = Some("only the main run is looked at".to_owned());
    file.scenario.controls.skip_benign_twin.clone_from(&reason);
    file.scenario.controls.skip_boundary = reason;
    file
}

/// Runs a scenario on QEMU and takes its main run's capture apart.
fn accounts_for_every_byte(id: &str, connections_min: usize) {
    let Some((board, elf)) = qemu() else { return };
    let file = without_controls(id);
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial {
        file: &file,
        board: &board,
        elf: Some(&elf),
        seed: None,
        folder: Some(folder.path().to_owned()),
        snapshots: None,
        pool: &Pool::default(),
    };
    let main = trial.run().swap_remove(0);
    assert_eq!(main.verdict, Verdict::Pass, "{:?}", main.findings);
    let folder = main.folder.unwrap();
    let journal = File::open(folder.join("journal.jsonl")).unwrap();
    let consumed: u64 = read_journal(BufReader::new(journal)).unwrap().lines.iter().map(consumed).sum();
    let captured = Captured::read(&folder.join("capture.pcapng"));
    assert!(captured.streams.len() >= connections_min, "{} connections", captured.streams.len());
    assert!(consumed > 0, "the hub consumed nothing");
    assert_eq!(captured.plaintext_bytes(), consumed, "capture and hub count differently");
}

fn consumed(line: &hilarm_runner::Line) -> u64 {
    match &line.entry {
        Entry::Harness(HarnessRecord::BytesAccounted { hub_bytes, .. }) => *hub_bytes,
        _ => 0,
    }
}

#[test]
fn a_capture_accounts_for_every_byte_of_several_connections() {
    accounts_for_every_byte("device/sas-expired", 6);
}

#[test]
fn a_capture_accounts_for_every_byte_of_a_client_certificate() {
    accounts_for_every_byte("device/x509-thumbprint-mismatch", 4);
}

#[test]
fn a_capture_accounts_for_every_byte_on_a_lossy_network() {
    accounts_for_every_byte("benign/latency-and-loss", 1);
}

/// Where Wireshark is installed, it is asked too: it knows nothing of us.
#[test]
fn wireshark_opens_a_capture_decrypted() {
    use std::process::Command;
    let Some((board, elf)) = qemu() else { return };
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("passed over: tshark is not installed");
        return;
    }
    let file = without_controls("device/sas-invalid-signature");
    let folder = tempfile::tempdir().unwrap();
    let folder_of_runs = Some(folder.path().to_owned());
    let trial = Trial {
        file: &file,
        board: &board,
        elf: Some(&elf),
        seed: None,
        folder: folder_of_runs,
        snapshots: None,
        pool: &Pool::default(),
    };
    let capture = trial.run()[0].folder.clone().unwrap().join("capture.pcapng");
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(capture).args(["-Y", "mqtt.msgtype == 1", "-T", "fields", "-e", "mqtt.clientid"]);
    let output = tshark.output().unwrap();
    let clients = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(clients.lines().collect::<Vec<_>>(), ["pump-1"; 4], "{output:?}");
}
