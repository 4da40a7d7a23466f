//! An identity as it is written into memory before the firmware's first instruction.

use std::fmt::Write;
use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_link::{Credential, DeviceConfig, config_blob};
use hilarm_network::TIME_SERVER;
use object::{Object, ObjectSegment, ObjectSymbol};

use super::{IdentityFormat, IdentitySpec};
use crate::Elf;

/// Why an identity cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The image cannot be read again, or is none.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The image.
        path: std::path::PathBuf,
        /// Why.
        error: String,
    },
    /// The image names no such symbol.
    #[error("{path} defines no symbol `{symbol}`; was it stripped, or the symbol collected as unused?")]
    NoSymbol {
        /// The image.
        path: std::path::PathBuf,
        /// The symbol.
        symbol: String,
    },
    /// The symbol is too small.
    #[error("`{symbol}` has room for {room} bytes, and the identity takes {needed}")]
    NoRoom {
        /// The symbol.
        symbol: String,
        /// Its size.
        room: u64,
        /// What would be written.
        needed: usize,
    },
    /// What is written would be overwritten at once, or overwrite code.
    #[error(
        "`{symbol}` lies in what the image itself loads; put it into memory that start-up neither loads nor \
         clears, such as a section `.noinit`"
    )]
    Loaded {
        /// The symbol.
        symbol: String,
    },
}

/// Bytes for a place in memory.
pub(crate) struct Written {
    pub(crate) address: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What to write where, for this board's image; nothing for firmware that was provisioned otherwise.
pub(crate) fn written(
    spec: &IdentitySpec,
    elf: &Elf,
    config: &DeviceConfig,
) -> Result<Option<Written>, IdentityError> {
    let bytes = match spec.format {
        IdentityFormat::Text => identity_text(config).into_bytes(),
        IdentityFormat::Blob => config_blob(config),
    };
    match (&spec.symbol, spec.address) {
        (Some(symbol), _) => Ok(Some(Written { address: place(elf, symbol, bytes.len())?, bytes })),
        (None, Some(address)) => Ok(Some(Written { address, bytes })),
        (None, None) => Ok(None),
    }
}

/// Where the symbol is, if so many bytes may be written there.
fn place(elf: &Elf, name: &str, needed: usize) -> Result<u64, IdentityError> {
    let unreadable = |error: String| IdentityError::Unreadable { path: elf.path().to_owned(), error };
    let bytes = std::fs::read(elf.path()).map_err(|error| unreadable(error.to_string()))?;
    let image = object::File::parse(&*bytes).map_err(|error| unreadable(error.to_string()))?;
    let symbol = image.symbol_by_name(name).filter(ObjectSymbol::is_definition);
    let symbol = symbol
        .ok_or_else(|| IdentityError::NoSymbol { path: elf.path().to_owned(), symbol: name.to_owned() })?;
    let (address, room) = (symbol.address(), symbol.size());
    if room < needed as u64 {
        return Err(IdentityError::NoRoom { symbol: name.to_owned(), room, needed });
    }
    let loaded = |segment: object::Segment<'_, '_>| {
        let (_, in_file) = segment.file_range();
        address < segment.address().saturating_add(in_file)
            && segment.address() < address.saturating_add(room)
    };
    if image.segments().any(loaded) {
        return Err(IdentityError::Loaded { symbol: name.to_owned() });
    }
    Ok(address)
}

/// The identity as lines `name=value` and a zero byte. Keys and certificates are base64: a symmetric key of its
/// bytes, certificates of DER, a private key of PKCS #8.
pub fn identity_text(config: &DeviceConfig) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        // Writing into memory has no way to fail.
        let _ = writeln!(text, "{name}={value}");
    };
    line("device_id", &config.device_id);
    line("hub_host", &config.hub_host);
    line("hub_port", &config.hub_port);
    line("keep_alive_s", &config.keep_alive_s);
    line("seed", &config.seed);
    line("ca_certificate", &STANDARD.encode(&config.ca_certificate));
    match &config.credential {
        Credential::Sas(sas) => {
            line("key", &STANDARD.encode(&sas.key));
            line("token_ttl_s", &sas.ttl_s);
        }
        // Firmware of somebody else's holds one certificate; which of several is today's, the first says.
        Credential::X509(held) => {
            if let Some(credential) = held.first() {
                line("certificate", &STANDARD.encode(&credential.certificate));
                line("private_key", &STANDARD.encode(pkcs8(&credential.key)));
            }
        }
    }
    let network = &config.network;
    let mask = u32::MAX.checked_shl(32 - u32::from(network.prefix_len)).unwrap_or(0);
    line("mac", &network.mac.map(|byte| format!("{byte:02x}")).join(":"));
    line("address", &Ipv4Addr::from(network.address));
    line("netmask", &Ipv4Addr::from_bits(mask));
    line("gateway", &Ipv4Addr::from(network.gateway));
    line("dns", &Ipv4Addr::from(network.dns));
    line("time_server", &TIME_SERVER);
    text.push('\0');
    text
}

/// A P-256 key as PKCS #8 (RFC 5958), which names the curve: not every library reads a bare SEC1 key.
fn pkcs8(sec1: &[u8]) -> Vec<u8> {
    /// Version 0, `id-ecPublicKey` with `prime256v1`.
    const HEAD: [u8; 24] = [
        2, 1, 0, 0x30, 0x13, 6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3,
        1, 7,
    ];
    let mut body = HEAD.to_vec();
    body.extend(element(0x04, sec1));
    element(0x30, &body)
}

/// One element of DER. Keys of this curve are shorter than 256 bytes.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().min(usize::from(u8::MAX)) as u8;
    let mut out = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    out.extend_from_slice(contents);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hilarm_link::{AgentConfig, NetworkConfig, SasCredential};

    fn config() -> DeviceConfig {
        DeviceConfig {
            seed: 42,
            device_id: "pump-1".to_owned(),
            hub_host: "hub.hilarm.test".to_owned(),
            hub_port: 8883,
            credential: Credential::Sas(SasCredential { key: vec![7; 32], ttl_s: 3600 }),
            modules: Vec::new(),
            ca_certificate: vec![0x30, 0x82],
            network: NetworkConfig {
                mac: [2, 0x48, 0x49, 0x4C, 1, 2],
                address: [10, 42, 0, 2],
                prefix_len: 24,
                gateway: [10, 42, 0, 1],
                dns: [10, 77, 0, 53],
            },
            keep_alive_s: 240,
            agent: AgentConfig::default(),
        }
    }

    /// An ELF image with 64 loaded bytes at 0x100 and the symbol `who` there or elsewhere.
    fn image(symbol_at: u32, size: u32) -> (tempfile::NamedTempFile, Elf) {
        const HEADER: u32 = 52;
        const SEGMENTS: u32 = HEADER + 32;
        const SYMBOLS: u32 = SEGMENTS + 32;
        const SECTIONS: u32 = SYMBOLS + 8;
        let mut bytes = b"\x7FELF\x01\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend([2, 0, 40, 0]);
        let words = |bytes: &mut Vec<u8>, words: &[u32]| {
            bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        };
        words(&mut bytes, &[1, 0, HEADER, SECTIONS, 0]);
        let halves: [u16; 6] = [52, 32, 1, 40, 3, 2];
        bytes.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
        words(&mut bytes, &[1, 0, 0x100, 0x100, 64, 0x1000, 5, 4]);
        words(&mut bytes, &[0, 0, 0, 0, 1, symbol_at, size, 0x0002_0011]);
        bytes.extend(b"\0who\0\0\0\0");
        words(&mut bytes, &[0; 10]);
        words(&mut bytes, &[0, 2, 0, 0, SEGMENTS, 32, 2, 1, 4, 16]);
        words(&mut bytes, &[0, 3, 0, 0, SYMBOLS, 8, 0, 0, 1, 0]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let elf = Elf::open(file.path(), "thumbv7m-none-eabi").unwrap();
        (file, elf)
    }

    fn by_symbol(name: &str) -> IdentitySpec {
        IdentitySpec { symbol: Some(name.to_owned()), ..IdentitySpec::default() }
    }

    #[test]
    fn text_says_everything_once_and_ends_with_a_zero_byte() {
        let text = identity_text(&config());
        for line in [
            "device_id=pump-1\n",
            "netmask=255.255.255.0\n",
            "mac=02:48:49:4c:01:02\n",
            "ca_certificate=MII=\n",
        ] {
            assert_eq!(text.matches(line).count(), 1, "{line} in {text}");
        }
        assert!(text.ends_with('\0') && text.matches('\0').count() == 1);
    }

    #[test]
    fn a_symbol_says_where_and_an_address_needs_none() {
        let (_file, elf) = image(0x2000_0000, 4096);
        let there = written(&by_symbol("who"), &elf, &config()).unwrap().unwrap();
        assert_eq!((there.address, there.bytes), (0x2000_0000, identity_text(&config()).into_bytes()));
        let fixed = IdentitySpec {
            address: Some(0x2030_0000),
            format: IdentityFormat::Blob,
            ..IdentitySpec::default()
        };
        let there = written(&fixed, &elf, &config()).unwrap().unwrap();
        assert_eq!((there.address, there.bytes), (0x2030_0000, config_blob(&config())));
    }

    #[test]
    fn an_unknown_symbol_a_small_one_and_a_loaded_one_are_told_apart() {
        let refusal = |symbol_at, size, name: &str| {
            let (_file, elf) = image(symbol_at, size);
            written(&by_symbol(name), &elf, &config()).err().unwrap().to_string()
        };
        assert!(refusal(0x2000_0000, 4096, "whom").contains("no symbol `whom`"));
        assert!(refusal(0x2000_0000, 16, "who").contains("room for 16 bytes"));
        assert!(refusal(0x120, 4096, "who").contains(".noinit"));
        // Behind what the file holds the segment is only cleared memory.
        let (_file, elf) = image(0x140, 4096);
        assert!(written(&by_symbol("who"), &elf, &config()).is_ok());
    }
}
