//! Shared access signatures as a device signs them (`spec/hub.md`, 1). Signing only: judging is the hub's.

use alloc::format;
use alloc::string::String;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// A token for `devices/{device_id}` at `host`, valid until `expiry_s` (Unix seconds), signed with the
/// base64-decoded `key`.
pub fn sign(host: &str, device_id: &str, key: &[u8], expiry_s: i64) -> String {
    sign_resource(&device(host, device_id), key, expiry_s)
}

/// The same for a module of a device.
pub fn sign_module(host: &str, device_id: &str, module_id: &str, key: &[u8], expiry_s: i64) -> String {
    let module_id = percent_encode(module_id);
    sign_resource(&format!("{}%2Fmodules%2F{module_id}", device(host, device_id)), key, expiry_s)
}

fn device(host: &str, device_id: &str) -> String {
    format!("{}%2Fdevices%2F{}", percent_encode(host), percent_encode(device_id))
}

fn sign_resource(resource: &str, key: &[u8], expiry_s: i64) -> String {
    let signature = signature(key, &format!("{resource}\n{expiry_s}"));
    format!("SharedAccessSignature sr={resource}&sig={}&se={expiry_s}", percent_encode(&signature))
}

fn signature(key: &[u8], text: &str) -> String {
    // HMAC takes a key of any length (RFC 2104), so there is no error to report.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text.as_bytes());
    Base64::encode_string(&mac.finalize().into_bytes())
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's hmac, hashlib, base64 and urllib.parse.
    #[test]
    fn a_token_equals_one_computed_independently() {
        let key: alloc::vec::Vec<u8> = (0..32).collect();
        assert_eq!(
            sign("hub.hilarm.test", "pump-1", &key, 1_767_229_200),
            "SharedAccessSignature sr=hub.hilarm.test%2Fdevices%2Fpump-1\
             &sig=%2BZLg5XHaJ74WpNJuXHnJJgP3JvlbecGhzTl1%2B3WzFfI%3D&se=1767229200"
        );
    }

    #[test]
    fn characters_outside_the_unreserved_set_are_encoded_before_signing() {
        assert_eq!(
            sign("hub.hilarm.test", "pump:1@a", b"key", 60),
            "SharedAccessSignature sr=hub.hilarm.test%2Fdevices%2Fpump%3A1%40a&sig=ztfAdwkLR0F%2BHeUmiYrDg54WjagBtWmEY2%2BaMvokXr8%3D&se=60"
        );
    }
}
