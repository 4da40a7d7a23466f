//! SAS tokens as an SDK signs them, for clients that sign none themselves.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

const VALID_S: u64 = 3600;

/// A token of the device for the next hour, signed with its key as the IoT Hub documentation says.
///
/// # Panics
/// When the clock stands before 1970.
pub fn token(host: &str, device: &str, key: &[u8]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_else(|error| panic!("{error}"));
    let expiry = now.as_secs() + VALID_S;
    let resource = format!("{host}%2Fdevices%2F{device}");
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|error| panic!("{error}"));
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
}
