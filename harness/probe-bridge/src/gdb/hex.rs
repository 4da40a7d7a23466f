//! Numbers and bytes as the remote protocol writes them: lower-case hexadecimal, memory in address order.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends two digits for every byte.
pub(crate) fn push_bytes(text: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 0xF)]);
    }
}

/// The bytes that `text` spells; `None` unless all of it does.
pub(crate) fn bytes(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// The byte of two digits.
pub(crate) fn byte(text: &[u8]) -> Option<u8> {
    match text {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_byte_and_other_letters_are_refused() {
        assert_eq!(bytes(b"0aF"), None);
        assert_eq!(bytes(b"0g"), None);
        assert_eq!(byte(b"1"), None);
        assert_eq!(bytes(b"0aFf"), Some(vec![0x0A, 0xFF]));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(data in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut text = Vec::new();
            push_bytes(&mut text, &data);
            prop_assert_eq!(bytes(&text), Some(data));
        }
    }
}
