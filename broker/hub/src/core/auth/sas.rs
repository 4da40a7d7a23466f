//! SAS tokens: `SharedAccessSignature sr={sr}&sig={urlenc(b64 HMAC-SHA256(key, sr+"\n"+se))}&se={epoch}`,
//! fields in any order. The check order is IoT Hub's: parse, then the table of [`checks`].
//!
//! The HMAC covers the raw transmitted `sr`, never a re-encoded form: clients differ in what they encode
//! and in the case of the digits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_model::{RefusalCause, Timestamp};
use percent_encoding::percent_decode_str;

use super::check::{Check, Checks, Reading};
use crate::core::registry::{ClientIdentity, SymmetricKey};

/// A parsed token. Never Debug: it holds a signature.
struct SasToken<'a> {
    /// Resource, as transmitted.
    resource: &'a str,
    /// Decoded signature.
    signature: Vec<u8>,
    /// Expiry, as transmitted; it is signed as text.
    expiry_text: &'a str,
    /// Expiry.
    expiry: Timestamp,
}

/// What a token claims, as far as the hub could verify it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenClaim {
    /// Its resource is the identity's own, or a prefix of it.
    pub covers: bool,
    /// The primary key signed it.
    pub by_primary: bool,
    /// The secondary key signed it.
    pub by_secondary: bool,
    /// Its expiry.
    pub expiry: Timestamp,
    /// The hub's calendar.
    pub now: Timestamp,
}

/// IoT Hub's checks of a token. The first cause is the only one.
pub(super) fn checks() -> Checks<TokenClaim> {
    let scope = |claim: &TokenClaim| (!claim.covers).then_some(RefusalCause::SasScopeMismatch);
    let signature = |claim: &TokenClaim| {
        (!claim.by_primary && !claim.by_secondary).then_some(RefusalCause::SasInvalidSignature)
    };
    let expiry = |claim: &TokenClaim| {
        (claim.expiry <= claim.now).then_some(RefusalCause::SasExpired { expiry: claim.expiry })
    };
    let table =
        vec![Check::new("scope", scope), Check::new("signature", signature), Check::new("expiry", expiry)];
    Checks { table, reading: Reading::First }
}

/// Reads a token, and finds out what of it is true.
pub(super) fn claim(
    token: &[u8],
    host: &str,
    identity: &ClientIdentity,
    [primary, secondary]: [&SymmetricKey; 2],
    now: Timestamp,
) -> Result<TokenClaim, Vec<RefusalCause>> {
    let token = parse(token).map_err(|reason| vec![RefusalCause::SasMalformed { reason: reason.into() }])?;
    let signed = [token.resource.as_bytes(), b"\n", token.expiry_text.as_bytes()];
    Ok(TokenClaim {
        covers: covers(token.resource, host, identity),
        by_primary: primary.verifies(&signed, &token.signature),
        by_secondary: secondary.verifies(&signed, &token.signature),
        expiry: token.expiry,
        now,
    })
}

fn parse(token: &[u8]) -> Result<SasToken<'_>, &'static str> {
    let token = str::from_utf8(token).map_err(|_| "the token is not UTF-8")?;
    let fields = token.strip_prefix("SharedAccessSignature ").ok_or("the token has another scheme")?;
    let (mut resource, mut signature, mut expiry) = (None, None, None);
    for field in fields.split('&') {
        let (name, value) = field.split_once('=').ok_or("a field has no value")?;
        let slot = match name {
            "sr" => &mut resource,
            "sig" => &mut signature,
            "se" => &mut expiry,
            // `skn` names a shared access policy; further keys are for services to come.
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return Err("a field appears twice");
        }
    }
    let expiry_text = expiry.ok_or("se is missing")?;
    Ok(SasToken {
        resource: resource.ok_or("sr is missing")?,
        signature: decode_signature(signature.ok_or("sig is missing")?)?,
        expiry_text,
        expiry: parse_expiry(expiry_text)?,
    })
}

/// A `+` is itself here: base64 uses it, and no client writes a space that way.
fn decode_signature(text: &str) -> Result<Vec<u8>, &'static str> {
    let base64: Vec<u8> = percent_decode_str(text).collect();
    STANDARD.decode(base64).map_err(|_| "sig is not base64")
}

fn parse_expiry(text: &str) -> Result<Timestamp, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse::<i64>().ok().filter(|_| digits);
    seconds.map(Timestamp::from_secs).ok_or("se is not a Unix time in seconds")
}

/// Whether the token's resource is the identity's own or a segment-wise prefix of it.
fn covers(resource: &str, host: &str, identity: &ClientIdentity) -> bool {
    let Ok(resource) = percent_decode_str(resource).decode_utf8() else { return false };
    let mut segments = resource.strip_suffix('/').unwrap_or(&resource).split('/');
    if !segments.next().is_some_and(|first| first.eq_ignore_ascii_case(host)) {
        return false;
    }
    let module = identity.module.as_ref();
    let own = ["devices", identity.device.as_str()]
        .into_iter()
        .chain(module.iter().flat_map(|module| ["modules", module.as_str()]));
    let mut own = own.fuse();
    segments.all(|segment| own.next() == Some(segment))
}

#[cfg(test)]
pub(super) mod tests {
    use hilarm_model::{DeviceId, ModuleId};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    const HOST: &str = "hub.hilarm.test";
    const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);
    const LATER: u64 = 1_767_229_200;

    /// A token over the resource as given, `sig` percent-encoded.
    pub(crate) fn token(key: &SymmetricKey, resource: &str, expiry: u64) -> String {
        let signature = STANDARD.encode(key.sign(format!("{resource}\n{expiry}").as_bytes()));
        let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
        format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
    }

    fn key(byte: u8) -> SymmetricKey {
        SymmetricKey::from_bytes([byte; 32]).unwrap()
    }

    fn pump() -> ClientIdentity {
        ClientIdentity { device: DeviceId::new("pump-1").unwrap(), module: None }
    }

    fn judge(
        token: &[u8],
        host: &str,
        identity: &ClientIdentity,
        keys: [&SymmetricKey; 2],
        now: Timestamp,
    ) -> Result<Timestamp, Vec<RefusalCause>> {
        let claim = claim(token, host, identity, keys, now)?;
        let causes = checks().causes(&claim);
        if causes.is_empty() { Ok(claim.expiry) } else { Err(causes) }
    }

    fn judged(token: &str) -> Result<Timestamp, Vec<RefusalCause>> {
        judge(token.as_bytes(), HOST, &pump(), [&key(1), &key(2)], NOW)
    }

    #[test]
    fn either_key_signs_a_good_token() {
        for byte in [1, 2] {
            let token = token(&key(byte), "hub.hilarm.test%2Fdevices%2Fpump-1", LATER);
            assert_eq!(judged(&token), Ok(Timestamp::from_secs(LATER as i64)));
        }
    }

    #[test]
    fn a_token_signed_by_openssl_is_accepted() {
        // Computed with OpenSSL: HMAC-SHA256 of the two lines under the decoded key.
        let key = SymmetricKey::from_base64("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
        let token = "SharedAccessSignature sr=hub.hilarm.test%2Fdevices%2Fpump-1&sig=5gBo8yC%2FvEFtwBcsdKKUZl58TQaYZ1x62CcJ12xFSEg%3D&se=1767229200";
        assert!(judge(token.as_bytes(), HOST, &pump(), [&key, &key], NOW).is_ok());
    }

    #[test]
    fn a_third_key_does_not() {
        let token = token(&key(3), "hub.hilarm.test%2Fdevices%2Fpump-1", LATER);
        assert_eq!(judged(&token), Err(vec![RefusalCause::SasInvalidSignature]));
    }

    #[test]
    fn expiry_at_the_hubs_clock_is_expired_and_one_second_later_is_not() {
        let at = |se: i64| judged(&token(&key(1), "hub.hilarm.test%2Fdevices%2Fpump-1", se as u64));
        let now = NOW.as_secs();
        assert_eq!(at(now), Err(vec![RefusalCause::SasExpired { expiry: NOW }]));
        assert!(at(now + 1).is_ok());
    }

    #[test]
    fn a_bad_signature_on_an_expired_token_is_only_a_bad_signature() {
        let token = token(&key(3), "hub.hilarm.test%2Fdevices%2Fpump-1", 1);
        assert_eq!(judged(&token), Err(vec![RefusalCause::SasInvalidSignature]));
    }

    #[test]
    fn the_scope_is_the_identity_or_a_prefix_of_it_by_whole_segments() {
        let scope = |resource: &str| judged(&token(&key(1), resource, LATER));
        for good in [
            "hub.hilarm.test/devices/pump-1",
            "HUB.hilarm.test%2fdevices%2fpump-1",
            "hub.hilarm.test",
            "hub.hilarm.test/devices",
            "hub.hilarm.test/devices/pump-1/",
        ] {
            assert!(scope(good).is_ok(), "{good}");
        }
        for bad in [
            "hub.hilarm.test/devices/pump-10",
            "hub.hilarm.test/devices/pump",
            "hub.hilarm.test/devices/PUMP-1",
            "other/devices/pump-1",
            "hub.hilarm.test/devices/pump-1/modules/m",
            "",
        ] {
            assert_eq!(scope(bad), Err(vec![RefusalCause::SasScopeMismatch]), "{bad}");
        }
    }

    #[test]
    fn a_module_is_covered_by_its_own_scope() {
        let module = Some(ModuleId::new("agent").unwrap());
        let identity = ClientIdentity { module, ..pump() };
        let scoped = token(&key(1), "hub.hilarm.test%2Fdevices%2Fpump-1%2Fmodules%2Fagent", LATER);
        assert!(judge(scoped.as_bytes(), HOST, &identity, [&key(1), &key(1)], NOW).is_ok());
    }

    #[test]
    fn a_raw_slash_in_the_signature_is_taken() {
        let resource = "hub.hilarm.test/devices/pump-1";
        let raw = (LATER..LATER + 200).find_map(|se| {
            let signature = STANDARD.encode(key(1).sign(format!("{resource}\n{se}").as_bytes()));
            let telling = signature.contains('/') && signature.contains('+');
            telling.then(|| format!("SharedAccessSignature sr={resource}&sig={signature}&se={se}"))
        });
        assert!(judged(&raw.unwrap()).is_ok());
    }

    #[test]
    fn what_does_not_parse_says_why_and_never_repeats_the_token() {
        for (token, reason) in [
            ("", "the token has another scheme"),
            ("Bearer x", "the token has another scheme"),
            ("SharedAccessSignature sr", "a field has no value"),
            ("SharedAccessSignature sr=a&sr=b", "a field appears twice"),
            ("SharedAccessSignature sr=a&sig=AAAA", "se is missing"),
            ("SharedAccessSignature se=1&sig=AAAA", "sr is missing"),
            ("SharedAccessSignature se=1&sr=a", "sig is missing"),
            ("SharedAccessSignature se=1&sr=a&sig=*", "sig is not base64"),
            ("SharedAccessSignature se=+1&sr=a&sig=AAAA", "se is not a Unix time in seconds"),
            ("SharedAccessSignature se=-1&sr=a&sig=AAAA", "se is not a Unix time in seconds"),
            (
                "SharedAccessSignature se=9223372036854775808&sr=a&sig=AAAA",
                "se is not a Unix time in seconds",
            ),
        ] {
            assert_eq!(judged(token), Err(vec![RefusalCause::SasMalformed { reason: reason.into() }]));
        }
    }

    proptest! {
        #[test]
        fn the_order_of_the_fields_is_irrelevant(order in Just(vec![0, 1, 2, 3]).prop_shuffle()) {
            let good = token(&key(1), "hub.hilarm.test%2Fdevices%2Fpump-1", LATER) + "&skn=";
            let fields = good.strip_prefix("SharedAccessSignature ").unwrap();
            let fields: Vec<&str> = fields.split('&').collect();
            let shuffled: Vec<&str> = order.into_iter().map(|index| fields[index]).collect();
            let shuffled = String::from("SharedAccessSignature ") + &shuffled.join("&");
            prop_assert!(judged(&shuffled).is_ok());
        }

        #[test]
        fn any_flipped_bit_of_the_signature_is_refused(bit in 0usize..256) {
            let resource = "hub.hilarm.test%2Fdevices%2Fpump-1";
            let mut signature = key(1).sign(format!("{resource}\n{LATER}").as_bytes());
            signature[bit / 8] ^= 1 << (bit % 8);
            let signature = STANDARD.encode(signature);
            let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
            let forged = format!("SharedAccessSignature sr={resource}&sig={signature}&se={LATER}");
            prop_assert_eq!(judged(&forged), Err(vec![RefusalCause::SasInvalidSignature]));
        }

        #[test]
        fn any_flipped_bit_of_what_is_signed_is_refused(byte in 0usize..57, bit in 0u8..7) {
            let good = token(&key(1), "hub.hilarm.test%2Fdevices%2Fpump-1", LATER);
            let (start, end) = (good.find("sr=").unwrap() + 3, good.find("&sig").unwrap());
            let mut forged = good.clone().into_bytes();
            let expiry = good.find("&se=").unwrap() + 4;
            let signed: Vec<usize> = (start..end).chain(expiry..good.len()).collect();
            forged[signed[byte % signed.len()]] ^= 1 << bit;
            let outcome = judge(&forged, HOST, &pump(), [&key(1), &key(2)], NOW);
            prop_assert!(outcome.is_err());
        }

        #[test]
        fn the_case_of_percent_digits_is_irrelevant_as_long_as_it_was_signed_so(lower in any::<bool>()) {
            let slash = if lower { "%2f" } else { "%2F" };
            let resource = format!("hub.hilarm.test{slash}devices{slash}pump-1");
            let sent = token(&key(1), &resource, LATER);
            prop_assert!(judged(&sent).is_ok());
            let recased = if lower { sent.replace("%2f", "%2F") } else { sent.replace("%2F", "%2f") };
            let changed = recased.split_once("&sig").unwrap().0 != sent.split_once("&sig").unwrap().0;
            prop_assert!(changed && judged(&recased).is_err());
        }

        #[test]
        fn hostile_tokens_never_panic(token in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = judge(&token, HOST, &pump(), [&key(1), &key(2)], NOW);
        }
    }
}
