//! What an IoT Hub is told about itself: its name and its limits. The defaults are IoT Hub's documented
//! values (limits of a standard tier); where Microsoft documents none, the doc comment says so.

use std::time::Duration;

/// Configuration of one hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// Host name, as devices write it into user names and tokens; compared without regard to case.
    pub host: String,
    /// How long a session outlives its SAS token (10 minutes in the .NET and Java documentation).
    pub sas_grace: Duration,
    /// How long a new connection may take to send a complete CONNECT (undocumented).
    pub connect_timeout: Duration,
    /// The longest silence that any keep-alive may ask for; also rules when a client asks for none.
    pub keep_alive_cap: Duration,
    /// Greatest length of an MQTT packet, fixed header included.
    pub packet_bytes_max: usize,
    /// Greatest number of messages waiting for one device.
    pub queue_depth_max: usize,
    /// Greatest payload of a cloud-to-device message.
    pub cloud_to_device_bytes_max: usize,
    /// Lifetime of a cloud-to-device message whose sender states none.
    pub cloud_to_device_ttl: Duration,
    /// How often a device may abandon a cloud-to-device message before it is dead-lettered.
    pub delivery_count_max: u32,
    /// Whether a regenerated key ends the sessions of its identity, as other credentials do.
    pub key_rotation_ends_sessions: bool,
    /// How long a delivered message stays locked for its device.
    pub lock_timeout: Duration,
    /// Greatest payload of a direct method, either way.
    pub method_bytes_max: usize,
    /// How feedback on cloud-to-device messages is told.
    pub feedback: Telling,
    /// How completed file uploads are told; they are not when absent.
    pub file_notifications: Option<Telling>,
    /// Operation throttles; none when absent.
    pub throttling: Option<Throttling>,
    /// How many messages of 4 KiB the hub takes and hands out a day by UTC (an S1 unit: 400,000); they are not
    /// counted when absent.
    pub daily_messages_max: Option<u64>,
}

/// How the hub tells the service what it has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// How long it is kept.
    pub ttl: Duration,
    /// How long it stays locked for whoever received it.
    pub lock: Duration,
    /// How often it may be given back before it is dropped.
    pub delivery_count_max: u32,
}

impl Telling {
    /// IoT Hub's documented values.
    pub const DEFAULT: Self =
        Self { ttl: Duration::from_secs(3600), lock: Duration::from_secs(60), delivery_count_max: 10 };
}

/// IoT Hub's operation throttles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttling {
    /// S1 units of the hub; the throttles of an S1 hub follow from it.
    pub units: u32,
    /// So much of its rate an operation may be ahead at once: "the first minute or two".
    pub burst: Duration,
    /// How far behind its rate the queue of an operation may be before the hub refuses (undocumented).
    pub queue: Duration,
}

impl Throttling {
    /// The throttles of a hub of so many S1 units.
    pub const fn s1(units: u32) -> Self {
        Self { units, burst: Duration::from_secs(60), queue: Duration::from_secs(60) }
    }
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            host: "hub.hilarm.test".into(),
            sas_grace: Duration::from_secs(600),
            connect_timeout: Duration::from_secs(30),
            keep_alive_cap: Duration::from_secs(1767),
            packet_bytes_max: 256 * 1024,
            queue_depth_max: 50,
            cloud_to_device_bytes_max: 64 * 1024,
            cloud_to_device_ttl: Duration::from_secs(3600),
            delivery_count_max: 10,
            key_rotation_ends_sessions: true,
            lock_timeout: Duration::from_secs(60),
            method_bytes_max: 128 * 1024,
            feedback: Telling::DEFAULT,
            file_notifications: Some(Telling::DEFAULT),
            throttling: None,
            daily_messages_max: None,
        }
    }
}
