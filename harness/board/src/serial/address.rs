//! How a serial line is named, on the command line and in files.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{SerialError, UsbMatch};

/// Where a serial line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SerialAddress {
    /// A device file: `/dev/ttyACM0`, a link below `/dev/serial/by-id`, a pseudo terminal.
    Path(PathBuf),
    /// Whatever port the USB device has today.
    Usb(UsbMatch),
    /// A TCP port that passes bytes on as they are.
    Tcp {
        /// `host:port`.
        server: String,
    },
    /// A TCP port that speaks RFC 2217, so that the baud rate can be set from here.
    Rfc2217 {
        /// `host:port`.
        server: String,
    },
}

impl FromStr for SerialAddress {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        let wrong = |problem| SerialError::Address { text: text.to_owned(), problem };
        match text.split_once(':') {
            Some(("usb", rest)) => UsbMatch::parse(rest).map(Self::Usb).map_err(wrong),
            Some(("tcp", rest)) => server(rest).map(|server| Self::Tcp { server }).map_err(wrong),
            Some(("rfc2217", rest)) => server(rest).map(|server| Self::Rfc2217 { server }).map_err(wrong),
            _ if text.starts_with('/') => Ok(Self::Path(PathBuf::from(text))),
            _ => Err(wrong("a path begins with `/`")),
        }
    }
}

fn server(text: &str) -> Result<String, &'static str> {
    let (host, port) = text.rsplit_once(':').ok_or("a server is `host:port`")?;
    let port = port.parse::<u16>().map_err(|_| "the port is no number below 65536")?;
    if host.is_empty() || port == 0 {
        return Err("a server is `host:port`");
    }
    Ok(text.to_owned())
}

impl fmt::Display for SerialAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Usb(wanted) => write!(f, "usb:{wanted}"),
            Self::Tcp { server } => write!(f, "tcp:{server}"),
            Self::Rfc2217 { server } => write!(f, "rfc2217:{server}"),
        }
    }
}

impl<'de> serde::Deserialize<'de> for SerialAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_as_written() {
        for text in [
            "/dev/serial/by-id/usb-STMicroelectronics_STM32_STLink-if02",
            "usb:0483:374b",
            "usb:303a:1001,serial=7C:DF:A1:00:11:22",
            "usb:0d28:0204,serial=1102,interface=2",
            "tcp:127.0.0.1:4000",
            "tcp:[::1]:4000",
            "rfc2217:bench-3:2217",
        ] {
            assert_eq!(text.parse::<SerialAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong_with_it() {
        for (text, problem) in [
            ("ttyACM0", "a path begins with `/`"),
            ("usb:0483", "vendor and product"),
            ("usb:0483:zzzz", "four hexadecimal digits"),
            ("usb:0483:374b,colour=red", "`serial=` or `interface=`"),
            ("usb:0483:374b,interface=300", "below 256"),
            ("tcp:4000", "`host:port`"),
            ("tcp:localhost:http", "no number"),
            ("rfc2217::2217", "`host:port`"),
        ] {
            let error = text.parse::<SerialAddress>().unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(text), "{error}");
        }
    }
}
