//! The few members that the monitor needs out of a line of JSON.
//!
//! Not a JSON library: it walks an object's members without building values, never recurses, and answers `None` to
//! whatever is no object. QEMU writes one object a line.

/// The raw text of an object's member: a string with its quotes, a number, an object.
pub(crate) fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = object.trim_start().strip_prefix('{')?;
    loop {
        let (name, after_name) = take_value(rest)?;
        let (value, after_value) = take_value(after_name.trim_start().strip_prefix(':')?)?;
        if string(name) == Some(key) {
            return Some(value);
        }
        rest = after_value.trim_start().strip_prefix(',')?;
    }
}

/// The inside of a string without escapes, which is all that QEMU's keywords are.
pub(crate) fn string(value: &str) -> Option<&str> {
    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains(['"', '\\'])).then_some(inside)
}

/// Cuts one value off the front: up to the comma, colon or closing bracket that ends it at its own depth.
fn take_value(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b':' if depth == 0 => return Some((text[..at].trim_end(), &text[at..])),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RESET: &str = r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESET", "data": {"guest": false, "reason": "host-qmp-system-reset"}}"#;

    #[test]
    fn an_event_is_named_at_the_top() {
        assert_eq!(member(RESET, "event").and_then(string), Some("RESET"));
        assert_eq!(member(RESET, "guest"), None);
    }

    #[test]
    fn members_nest() {
        let data = member(RESET, "data").unwrap();
        assert_eq!(member(data, "guest"), Some("false"));
        let reply = r#"{"return": {"status": "prelaunch", "singlestep": false, "running": false}}"#;
        assert_eq!(member(member(reply, "return").unwrap(), "status").and_then(string), Some("prelaunch"));
    }

    #[test]
    fn brackets_and_quotes_inside_strings_are_text() {
        let line = r#"{"a": "}\",{[", "event": "STOP"}"#;
        assert_eq!(member(line, "event"), Some("\"STOP\""));
    }

    #[test]
    fn what_is_no_object_has_no_member() {
        for line in ["", "[]", "{", "{}", "{\"event\"", "{\"event\":}", "null", "{\"event\": \"RES"] {
            assert_eq!(member(line, "event").and_then(string), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(line in "([{}\\[\\]:,\"\\\\ ]|event|\\PC){0,60}") {
            let _ = member(&line, "event").and_then(string);
        }
    }
}
