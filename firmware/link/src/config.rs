//! What a device is told about itself: identity, credentials, network and seed. One ELF serves every
//! scenario; this arrives as a blob in memory (written by a debugger) before boot.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};
use serde::{Deserialize, Serialize};

/// Everything that makes one device of the one firmware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceConfig {
    /// Seed of this device's random streams; simulation only, physical boards use their hardware generator.
    pub seed: u64,
    /// Identity in the hub's registry.
    pub device_id: String,
    /// Host name of the hub: looked up by DNS, checked against its certificate, part of user name and tokens.
    pub hub_host: String,
    /// TCP port of the hub's MQTT listener.
    pub hub_port: u16,
    /// How the device proves itself.
    pub credential: Credential,
    /// The device's modules, each with an identity of its own.
    pub modules: Vec<ModuleCredential>,
    /// The one certificate authority the device trusts, DER.
    pub ca_certificate: Vec<u8>,
    /// Addresses.
    pub network: NetworkConfig,
    /// MQTT keep-alive in seconds.
    pub keep_alive_s: u16,
    /// The Defender micro agent.
    pub agent: AgentConfig,
}

/// How a device proves itself to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// Symmetric key.
    Sas(SasCredential),
    /// Client certificates in the order of their validity; the agent presents the first that is still valid.
    X509(Vec<X509Credential>),
}

/// A symmetric key and what the agent does with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SasCredential {
    /// The key as bytes (base64-decoded).
    pub key: Vec<u8>,
    /// Lifetime of each token in seconds.
    pub ttl_s: u32,
}

impl fmt::Debug for SasCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasCredential").field("key", &"<redacted>").field("ttl_s", &self.ttl_s).finish()
    }
}

/// The identity of a module of the device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleCredential {
    /// Identity in the hub's registry, below the device's.
    pub id: String,
    /// The key as bytes (base64-decoded).
    pub key: Vec<u8>,
}

impl fmt::Debug for ModuleCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleCredential").field("id", &self.id).field("key", &"<redacted>").finish()
    }
}

/// A client certificate with its key (P-256).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct X509Credential {
    /// The leaf, DER.
    pub certificate: Vec<u8>,
    /// Its private key, SEC1 DER.
    pub key: Vec<u8>,
    /// The leaf's `notAfter`, Unix seconds.
    pub not_after_s: i64,
}

impl fmt::Debug for X509Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Credential")
            .field("certificate_bytes", &self.certificate.len())
            .field("key", &"<redacted>")
            .field("not_after_s", &self.not_after_s)
            .finish()
    }
}

/// Static addresses of a device on the virtual network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// MAC address, locally administered.
    pub mac: [u8; 6],
    /// IPv4 address.
    pub address: [u8; 4],
    /// Prefix length.
    pub prefix_len: u8,
    /// The gateway, the only other host on the link.
    pub gateway: [u8; 4],
    /// The resolver, off the link.
    pub dns: [u8; 4],
}

/// The Defender micro agent's settings; zero turns a collector off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfig {
    /// The first collection happens this long after boot plus a seeded part of up to 59 s.
    pub first_collection_s: u16,
    /// Interval of the network-activity collector.
    pub network_activity_s: u16,
    /// Interval of system information and heartbeat.
    pub low_priority_s: u16,
    /// How many flows the network-activity collector holds between two collections; more are lost, as are
    /// bytes of those it holds.
    pub flow_cache: u16,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self { first_collection_s: 30, network_activity_s: 10, low_priority_s: 60, flow_cache: 64 }
    }
}

const MAGIC: [u8; 4] = *b"HILM";
const HEADER_BYTES: usize = 12;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Why memory holds no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobError {
    /// The magic is missing: nothing was loaded.
    Missing,
    /// The stated length goes past the memory set aside.
    Length,
    /// The checksum does not match.
    Crc,
    /// The contents do not decode: the harness speaks another version of the link.
    Body,
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no configuration blob in memory",
            Self::Length => "configuration blob longer than its memory",
            Self::Crc => "configuration blob damaged",
            Self::Body => "configuration blob of another link version",
        })
    }
}

impl core::error::Error for BlobError {}

/// The configuration as a blob: magic, length, CRC-32 (little endian), postcard.
pub fn config_blob(config: &DeviceConfig) -> Vec<u8> {
    // Serialising into memory has no way to fail.
    let body = postcard::to_allocvec(config).unwrap_or_default();
    let mut blob = Vec::with_capacity(HEADER_BYTES + body.len());
    blob.extend_from_slice(&MAGIC);
    blob.extend_from_slice(&(body.len() as u32).to_le_bytes());
    blob.extend_from_slice(&CRC.checksum(&body).to_le_bytes());
    blob.extend_from_slice(&body);
    blob
}

/// Reads the configuration from the start of `memory`.
pub fn read_config_blob(memory: &[u8]) -> Result<DeviceConfig, BlobError> {
    let (header, rest) = memory.split_at_checked(HEADER_BYTES).ok_or(BlobError::Missing)?;
    if header[..4] != MAGIC {
        return Err(BlobError::Missing);
    }
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = usize::try_from(word(4)).map_err(|_| BlobError::Length)?;
    let body = rest.get(..length).ok_or(BlobError::Length)?;
    if CRC.checksum(body) != word(8) {
        return Err(BlobError::Crc);
    }
    postcard::from_bytes(body).map_err(|_| BlobError::Body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::{format, vec};

    fn config() -> DeviceConfig {
        DeviceConfig {
            seed: 42,
            device_id: "pump-1".to_string(),
            hub_host: "hub.hilarm.test".to_string(),
            hub_port: 8883,
            credential: Credential::Sas(SasCredential { key: vec![7; 32], ttl_s: 3600 }),
            modules: vec![ModuleCredential { id: "maintenance".to_string(), key: vec![7; 32] }],
            ca_certificate: vec![0x30, 0x82],
            network: NetworkConfig {
                mac: [2, 0, 0, 0, 0, 1],
                address: [10, 42, 0, 2],
                prefix_len: 24,
                gateway: [10, 42, 0, 1],
                dns: [10, 77, 0, 53],
            },
            keep_alive_s: 240,
            agent: AgentConfig::default(),
        }
    }

    #[test]
    fn a_blob_comes_back_also_with_memory_behind_it() {
        let mut memory = config_blob(&config());
        memory.extend([0xFF; 100]);
        assert_eq!(read_config_blob(&memory), Ok(config()));
    }

    #[test]
    fn a_damaged_blob_is_told_from_a_missing_one() {
        let mut memory = config_blob(&config());
        assert_eq!(read_config_blob(&[0; 64]), Err(BlobError::Missing));
        assert_eq!(read_config_blob(&memory[..20]), Err(BlobError::Length));
        memory[30] ^= 1;
        assert_eq!(read_config_blob(&memory), Err(BlobError::Crc));
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}", config());
        assert!(text.contains("<redacted>") && !text.contains("7, 7, 7"), "{text}");
    }
}
