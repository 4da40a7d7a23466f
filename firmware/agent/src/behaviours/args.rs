//! The arguments of a behaviour, checked against its parameters before anything changes.

use alloc::format;
use alloc::string::{String, ToString};
use core::net::Ipv4Addr;

use hilarm_link::{CommandError, Value, X509Credential};

use super::{Param, ParamKind};

/// Arguments that fit their parameters.
#[derive(Debug)]
pub(crate) struct Args<'a>(&'a [(String, Value)]);

impl<'a> Args<'a> {
    /// Refuses what is unknown, missing, given twice, of the wrong kind or out of range.
    pub(super) fn check(params: &[Param], args: &'a [(String, Value)]) -> Result<Self, CommandError> {
        for (index, (name, value)) in args.iter().enumerate() {
            let param = params.iter().find(|param| param.name == name);
            let param = param.ok_or_else(|| wrong(name, "no such parameter"))?;
            if args[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(wrong(name, "one value"));
            }
            if !fits(param.kind, value) {
                return Err(wrong(name, &expected(param.kind)));
            }
        }
        let is_missing = |param: &&Param| param.required && args.iter().all(|(name, _)| name != param.name);
        match params.iter().find(is_missing) {
            Some(param) => Err(wrong(param.name, &expected(param.kind))),
            None => Ok(Self(args)),
        }
    }

    /// A number, or its default. The parameter's range must lie within the type asked for.
    pub(super) fn int<T: TryFrom<i64>>(&self, name: &str, default: T) -> Result<T, CommandError> {
        match self.value(name) {
            Some(Value::Int(value)) => T::try_from(*value).map_err(|_| wrong(name, "a smaller number")),
            _ => Ok(default),
        }
    }

    /// An IPv4 address.
    pub(super) fn address(&self, name: &str) -> Result<[u8; 4], CommandError> {
        match self.value(name) {
            Some(Value::Text(text)) => parse_address(text),
            _ => None,
        }
        .ok_or_else(|| wrong(name, &expected(ParamKind::Address)))
    }

    /// Text, if it was given.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        match self.value(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A certificate with its key.
    pub(super) fn certificate(&self, name: &str) -> Result<X509Credential, CommandError> {
        match self.value(name) {
            Some(Value::Certificate(credential)) => Ok(credential.clone()),
            _ => Err(wrong(name, &expected(ParamKind::Certificate))),
        }
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value)
    }
}

fn fits(kind: ParamKind, value: &Value) -> bool {
    match (kind, value) {
        (ParamKind::Int { min, max }, Value::Int(value)) => (min..=max).contains(value),
        (ParamKind::Address, Value::Text(text)) => parse_address(text).is_some(),
        (ParamKind::Text, Value::Text(_)) | (ParamKind::Certificate, Value::Certificate(_)) => true,
        _ => false,
    }
}

fn expected(kind: ParamKind) -> String {
    match kind {
        ParamKind::Int { min, max } => format!("a whole number from {min} to {max}"),
        ParamKind::Address => "an IPv4 address".to_string(),
        ParamKind::Text => "text".to_string(),
        ParamKind::Certificate => "a certificate".to_string(),
    }
}

fn parse_address(text: &str) -> Option<[u8; 4]> {
    text.parse::<Ipv4Addr>().ok().map(|address| address.octets())
}

fn wrong(name: &str, expected: &str) -> CommandError {
    CommandError::Argument { name: name.to_string(), expected: expected.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: [Param; 2] = [
        Param { name: "address", kind: ParamKind::Address, required: true, summary: "" },
        Param { name: "port", kind: ParamKind::Int { min: 1, max: 9 }, required: false, summary: "" },
    ];

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.to_string(), Value::Text(value.to_string()))
    }

    fn refused(args: &[(String, Value)]) -> (String, String) {
        match Args::check(&PARAMS, args) {
            Err(CommandError::Argument { name, expected }) => (name, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_that_fit_are_read_and_defaults_fill_in() {
        let given = [text("address", "192.0.2.1")];
        let args = Args::check(&PARAMS, &given).unwrap();
        assert_eq!(args.address("address"), Ok([192, 0, 2, 1]));
        assert_eq!(args.int("port", 7u16), Ok(7));
    }

    #[test]
    fn each_misfit_is_named() {
        let good = text("address", "192.0.2.1");
        let port = |value| ("port".to_string(), value);
        assert_eq!(refused(&[]).0, "address");
        assert_eq!(refused(&[text("address", "192.0.2")]).1, "an IPv4 address");
        assert_eq!(refused(&[good.clone(), text("adress", "x")]).1, "no such parameter");
        assert_eq!(refused(&[good.clone(), good.clone()]).1, "one value");
        assert_eq!(refused(&[good.clone(), port(Value::Int(10))]).1, "a whole number from 1 to 9");
        assert_eq!(refused(&[good, port(Value::Text("1".to_string()))]).0, "port");
    }
}
