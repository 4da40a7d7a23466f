//! Property bags: the last topic level of messages, `key=value` pairs joined by `&`, percent-encoded.
//! A `+` is itself. Missing value (`key`) and empty value (`key=`) differ.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::core::message::{DeviceMessage, Property};

/// What stays as it is in bags that the hub writes.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The pairs of a bag in the order sent; text that does not decode to UTF-8 stays as sent.
pub(crate) fn parse(bag: &str) -> impl Iterator<Item = Property<'_>> {
    bag.split('&').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
        Some((key, value)) => (decode(key), Some(decode(value))),
        None => (decode(pair), None),
    })
}

/// A device's message from its bag and payload.
pub(crate) fn message<'a>(bag: &'a str, payload: &'a [u8], duplicate: bool) -> DeviceMessage<'a> {
    let mut message = DeviceMessage { interface_id: None, application: Vec::new(), payload, duplicate };
    for (key, value) in parse(bag) {
        match key.as_ref() {
            "$.ifid" => message.interface_id = value,
            // Further system properties reach no one yet.
            system if system.starts_with("$.") => {}
            _ => message.application.push((key, value)),
        }
    }
    message
}

/// A bag of these pairs, in this order.
pub(crate) fn write<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut bag = String::new();
    for (key, value) in pairs {
        if !bag.is_empty() {
            bag.push('&');
        }
        bag.extend(utf8_percent_encode(key, ENCODED));
        bag.push('=');
        bag.extend(utf8_percent_encode(value, ENCODED));
    }
    bag
}

fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_and_values_are_decoded_and_plus_is_no_space() {
        let pairs: Vec<_> = parse("%24.mid=a%20b&c=1+1&d&e=").collect();
        let expected: [(&str, Option<&str>); 4] =
            [("$.mid", Some("a b")), ("c", Some("1+1")), ("d", None), ("e", Some(""))];
        assert!(pairs.iter().map(|(key, value)| (key.as_ref(), value.as_deref())).eq(expected));
    }

    #[test]
    fn the_interface_id_is_read_encoded_or_not() {
        for bag in ["mti=2.3-1-0-0&%24.ifid=urn%3Aa%3Ab", "$.ifid=urn:a:b&mti=2.3-1-0-0"] {
            let message = message(bag, b"", false);
            assert_eq!(message.interface_id.as_deref(), Some("urn:a:b"));
            assert_eq!(message.application, [("mti".into(), Some("2.3-1-0-0".into()))]);
        }
    }

    #[test]
    fn text_that_is_not_utf8_stays_as_sent() {
        assert_eq!(parse("a=%FF%").next(), Some(("a".into(), Some("%FF%".into()))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in prop::collection::vec((".{1,8}", ".{0,8}"), 0..5)) {
            let bag = write(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            let read: Vec<_> = parse(&bag).map(|(key, value)| (key.into_owned(), value.unwrap().into_owned())).collect();
            prop_assert_eq!(read, pairs);
        }
    }
}
