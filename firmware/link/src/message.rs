//! The messages of each channel, in both directions.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::frame::{self, Decoder, FrameError};

/// The harness lets the device live until `mono_us`. On boards with a clock of their own it only tells the
/// calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Number of the grant; the next [`Idle`] repeats it.
    pub seq: u32,
    /// Microseconds since the world began.
    pub mono_us: u64,
    /// Calendar time, microseconds since the Unix epoch.
    pub unix_us: i64,
}

/// The device has nothing to do before `deadline_us`. The counters let the harness see that nothing is
/// under way between the two: it grants time only when they agree with its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idle {
    /// The last grant seen; 0 before the first.
    pub seq: u32,
    /// When the device next wants to run; nothing = only on input.
    pub deadline_us: Option<u64>,
    /// Ethernet frames taken from the interface.
    pub frames_rx: u32,
    /// Ethernet frames given to the interface.
    pub frames_tx: u32,
    /// Frames the interface lost; a lost frame would stop granted time.
    pub frames_dropped: u32,
    /// Messages received over the link's byte stream.
    pub link_rx: u32,
    /// Messages sent over the link's byte stream, other than this one.
    pub link_tx: u32,
}

/// What the harness asks of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Connect to the hub. `attempts` bounds the tries, none = until it succeeds; `gap_ms` replaces the
    /// agent's own back-off between tries.
    Connect {
        /// Bound on the tries.
        attempts: Option<u16>,
        /// Fixed pause between tries.
        gap_ms: Option<u32>,
    },
    /// Disconnect from the hub in order, and stay away.
    Disconnect,
    /// Send `count` telemetry messages, the first at once, then one every `interval_ms`.
    SendTelemetry {
        /// How many.
        count: u32,
        /// Pause between two.
        interval_ms: u32,
        /// Length of each payload.
        payload_bytes: u16,
    },
    /// Change the reported properties of the device twin.
    ReportProperties {
        /// The patch, a JSON object.
        json: String,
    },
    /// Read the device twin.
    ReadTwin,
    /// Start a behaviour by its name.
    RunBehaviour {
        /// Kebab-case name, e.g. `never-renew-token`.
        name: String,
        /// Its parameters.
        args: Vec<(String, Value)>,
    },
    /// Stop a behaviour, and undo its change of state where it can be undone.
    StopBehaviour {
        /// Kebab-case name.
        name: String,
    },
    /// Send `count` telemetry messages over HTTPS, the first at once, then one every `interval_ms`. It needs
    /// no connection, and each message proves the device anew.
    SendTelemetryHttps {
        /// How many.
        count: u32,
        /// Pause between two.
        interval_ms: u32,
        /// Length of each payload.
        payload_bytes: u16,
    },
    /// Receive `count` cloud-to-device messages over HTTPS, looking once a second while none waits.
    ReceiveHttps {
        /// What becomes of each.
        disposition: Disposition,
        /// How many.
        count: u32,
    },
    /// Upload a file: ask the hub, put the blob, tell the hub.
    UploadFile {
        /// Its name, without the device's folder.
        name: String,
        /// Its length.
        size_bytes: u32,
    },
}

/// What a device does with a cloud-to-device message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disposition {
    /// It is done with it.
    Complete,
    /// It does not want it.
    Reject,
    /// It gives it back to the queue.
    Abandon,
}

/// An argument of a behaviour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// A count, a port, or a time in milliseconds.
    Int(i64),
    /// Text; addresses in dotted form.
    Text(String),
    /// A certificate chain with its key.
    Certificate(crate::X509Credential),
}

/// Why a device did not take a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandError {
    /// The firmware holds no such behaviour.
    UnknownBehaviour,
    /// A parameter is missing, unknown or of the wrong kind.
    Argument {
        /// Its name.
        name: String,
        /// What was expected.
        expected: String,
    },
    /// The device is in no state to do it.
    NotNow {
        /// Why.
        reason: String,
    },
}

/// What the device noticed. Proof and verdicts rest on the hub's and the network's records; these explain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceEvent {
    /// The firmware came up.
    Booted {
        /// The target, e.g. `mps2-an385` or `sim`.
        target: String,
        /// Version of the firmware.
        version: String,
        /// New for every boot: a second one within a run means the device rebooted.
        nonce: u64,
    },
    /// The hub let the device in.
    Connected {
        /// The hub resumed a stored session.
        session_present: bool,
    },
    /// One try to connect came to nothing.
    ConnectFailed {
        /// `connack 5`, `tls: ...`, `refused`, `timed out`.
        reason: String,
    },
    /// The bounded tries are used up.
    GaveUp,
    /// The connection ended without the device's doing.
    Disconnected {
        /// Why, as far as the device can tell.
        reason: String,
    },
    /// A direct method arrived.
    MethodCalled {
        /// Its name.
        name: String,
    },
    /// A cloud-to-device message arrived.
    CloudToDeviceReceived {
        /// Payload length.
        payload_bytes: u32,
    },
    /// Desired properties arrived.
    DesiredProperties {
        /// Their version.
        version: u64,
    },
    /// A behaviour has done all it had to do.
    BehaviourFinished {
        /// Its name.
        name: String,
    },
    /// Every message of a burst of telemetry has come to its end.
    TelemetrySettled {
        /// How many the hub acknowledged.
        acknowledged: u32,
        /// How many the device gave up, because its queue was full.
        dropped: u32,
    },
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something is odd.
    Warn,
    /// Something happened.
    Info,
    /// Detail.
    Debug,
}

/// A message to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToDevice {
    /// Channel time.
    Time(Grant),
    /// Channel command; `id` comes back in the response.
    Command {
        /// Number of the command.
        id: u32,
        /// The command.
        command: Command,
    },
    /// Channel network: an Ethernet frame, for boards without a network interface.
    Network(Vec<u8>),
}

/// A message from a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromDevice {
    /// Channel time.
    Time(Idle),
    /// Channel command: the response.
    Response {
        /// Number of the command.
        id: u32,
        /// Whether the device took it.
        result: Result<(), CommandError>,
    },
    /// Channel log.
    Log {
        /// Severity.
        level: LogLevel,
        /// One line.
        text: String,
    },
    /// Channel event.
    Event(DeviceEvent),
    /// Channel network: an Ethernet frame.
    Network(Vec<u8>),
}

const TIME: u8 = 0;
const COMMAND: u8 = 1;
const LOG: u8 = 2;
const EVENT: u8 = 3;
const NETWORK: u8 = 4;

/// A message of one direction: its channel and its body.
pub trait Message: Sized {
    /// Channel number and postcard body.
    fn to_body(&self) -> (u8, Vec<u8>);
    /// The reverse; a body with bytes left over is refused.
    fn from_body(channel: u8, body: &[u8]) -> Result<Self, FrameError>;
    /// Whether a sender says this first of all, so that a sequence that begins anew with it lost nothing.
    fn begins_anew(&self) -> bool {
        false
    }
}

fn pack(body: &impl Serialize) -> Vec<u8> {
    // Serialising these types into memory has no way to fail.
    postcard::to_allocvec(body).unwrap_or_default()
}

fn unpack<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        _ => Err(FrameError::Body),
    }
}

impl Message for ToDevice {
    fn to_body(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Time(grant) => (TIME, pack(grant)),
            Self::Command { id, command } => (COMMAND, pack(&(id, command))),
            Self::Network(frame) => (NETWORK, frame.clone()),
        }
    }

    fn from_body(channel: u8, body: &[u8]) -> Result<Self, FrameError> {
        match channel {
            TIME => unpack(body).map(Self::Time),
            COMMAND => unpack(body).map(|(id, command)| Self::Command { id, command }),
            NETWORK => Ok(Self::Network(body.to_vec())),
            other => Err(FrameError::Channel(other)),
        }
    }
}

impl Message for FromDevice {
    fn to_body(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Time(idle) => (TIME, pack(idle)),
            Self::Response { id, result } => (COMMAND, pack(&(id, result))),
            Self::Log { level, text } => (LOG, pack(&(level, text))),
            Self::Event(event) => (EVENT, pack(event)),
            Self::Network(frame) => (NETWORK, frame.clone()),
        }
    }

    fn from_body(channel: u8, body: &[u8]) -> Result<Self, FrameError> {
        match channel {
            TIME => unpack(body).map(Self::Time),
            COMMAND => unpack(body).map(|(id, result)| Self::Response { id, result }),
            LOG => unpack(body).map(|(level, text)| Self::Log { level, text }),
            EVENT => unpack(body).map(Self::Event),
            NETWORK => Ok(Self::Network(body.to_vec())),
            other => Err(FrameError::Channel(other)),
        }
    }

    fn begins_anew(&self) -> bool {
        matches!(self, Self::Event(DeviceEvent::Booted { .. }))
    }
}

/// Numbers and encodes messages of one direction.
#[derive(Debug, Default)]
pub struct Encoder {
    sequence: u8,
}

impl Encoder {
    /// An encoder whose first frame has sequence number 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The message as bytes for the wire, delimiter included.
    pub fn encode(&mut self, message: &impl Message) -> Vec<u8> {
        let (channel, body) = message.to_body();
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        frame::encode(channel, sequence, &body)
    }
}

impl Decoder {
    /// Takes one byte; answers when it completes a message or reveals damage. A gap in the sequence is
    /// answered in place of the message after it: with granted time, a lost message is fatal, not a nuisance.
    /// A sender that booted again is no gap: its message comes through and tells.
    pub fn push<M: Message>(&mut self, byte: u8) -> Option<Result<M, FrameError>> {
        let frame = match self.push_raw(byte)? {
            Ok(frame) => frame,
            Err(error) => return Some(Err(error)),
        };
        let message = M::from_body(frame.channel, &frame.body);
        Some(match (self.check_sequence(frame.sequence), message) {
            (Err(FrameError::Gap { got: 0, .. }), Ok(message)) if message.begins_anew() => Ok(message),
            (Err(gap), _) => Err(gap),
            (Ok(()), message) => message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn round_trip<M: Message>(messages: &[M]) -> Vec<Result<M, FrameError>> {
        let mut encoder = Encoder::new();
        let bytes: Vec<u8> = messages.iter().flat_map(|message| encoder.encode(message)).collect();
        let mut decoder = Decoder::new();
        bytes.iter().filter_map(|&byte| decoder.push(byte)).collect()
    }

    #[test]
    fn every_channel_round_trips_to_the_device() {
        let messages = [
            ToDevice::Time(Grant { seq: 1, mono_us: 5_000_000, unix_us: 1_767_225_600_000_000 }),
            ToDevice::Command { id: 1, command: Command::Connect { attempts: Some(5), gap_ms: Some(2000) } },
            ToDevice::Command {
                id: 2,
                command: Command::RunBehaviour {
                    name: "flood-telemetry".to_string(),
                    args: vec![("count".to_string(), Value::Int(40))],
                },
            },
            ToDevice::Network(vec![0; 60]),
        ];
        let expected: Vec<_> = messages.iter().cloned().map(Ok).collect();
        assert_eq!(round_trip(&messages), expected);
    }

    #[test]
    fn every_channel_round_trips_from_the_device() {
        let messages = [
            FromDevice::Time(Idle { seq: 1, deadline_us: Some(7), ..Idle::default() }),
            FromDevice::Response { id: 1, result: Err(CommandError::UnknownBehaviour) },
            FromDevice::Log { level: LogLevel::Info, text: "link up".to_string() },
            FromDevice::Event(DeviceEvent::GaveUp),
            FromDevice::Network(vec![1, 0, 2]),
        ];
        let expected: Vec<_> = messages.iter().cloned().map(Ok).collect();
        assert_eq!(round_trip(&messages), expected);
    }

    #[test]
    fn a_lost_frame_is_noticed_at_the_next_one() {
        let mut encoder = Encoder::new();
        let event = FromDevice::Event(DeviceEvent::GaveUp);
        let first = encoder.encode(&event);
        let _lost = encoder.encode(&event);
        let third = encoder.encode(&event);
        let mut decoder = Decoder::new();
        let answers: Vec<Result<FromDevice, _>> =
            first.iter().chain(&third).filter_map(|&byte| decoder.push(byte)).collect();
        assert_eq!(answers, [Ok(event), Err(FrameError::Gap { expected: 1, got: 2 })]);
    }

    #[test]
    fn a_sender_that_boots_again_is_heard() {
        let booted = FromDevice::Event(DeviceEvent::Booted {
            target: "mps2-an385".to_string(),
            version: "0.1.0".to_string(),
            nonce: 7,
        });
        let mut before = Encoder::new();
        let mut bytes: Vec<u8> = (0..3).flat_map(|_| before.encode(&FromDevice::Network(vec![1]))).collect();
        bytes.extend(Encoder::new().encode(&booted));
        let mut decoder = Decoder::new();
        let answers: Vec<Result<FromDevice, _>> =
            bytes.iter().filter_map(|&byte| decoder.push(byte)).collect();
        assert_eq!(answers.last(), Some(&Ok(booted)));
    }

    #[test]
    fn a_body_with_bytes_left_over_is_refused() {
        let (channel, mut body) = FromDevice::Event(DeviceEvent::GaveUp).to_body();
        body.push(0);
        assert_eq!(FromDevice::from_body(channel, &body), Err(FrameError::Body));
        assert_eq!(FromDevice::from_body(99, &body), Err(FrameError::Channel(99)));
    }
}
