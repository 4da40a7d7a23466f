//! Serial ports by the identity of the USB device behind them. Port names change with the order of plugging
//! in; vendor, product and serial number do not.

use std::fmt;
use std::path::Path;

use serialport::{SerialPortInfo, SerialPortType};

use super::SerialError;

/// What a USB serial port must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbMatch {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// Serial number, for when two of a kind are plugged in.
    pub serial: Option<String>,
    /// Number of the USB interface, for devices with more than one serial port.
    pub interface: Option<u8>,
}

/// A serial port that a USB device of this machine offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbSerialPort {
    /// Device file.
    pub path: String,
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// Serial number, where the device has one.
    pub serial: Option<String>,
    /// Number of the USB interface.
    pub interface: Option<u8>,
    /// What the device calls itself.
    pub product: Option<String>,
}

impl UsbMatch {
    /// From `0483:374b`, with `,serial=...` and `,interface=...` behind it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.split(',');
        let ids = parts.next().and_then(|ids| ids.split_once(':'));
        let (vid, pid) = ids.ok_or("a USB device is vendor and product, `0483:374b`")?;
        let mut wanted = Self { vid: id(vid)?, pid: id(pid)?, serial: None, interface: None };
        for part in parts {
            match part.split_once('=') {
                Some(("serial", serial)) if !serial.is_empty() => wanted.serial = Some(serial.to_owned()),
                Some(("interface", number)) => {
                    let number = number.parse().map_err(|_| "an interface is a number below 256")?;
                    wanted.interface = Some(number);
                }
                _ => return Err("only `serial=` or `interface=` may follow"),
            }
        }
        Ok(wanted)
    }

    fn fits(&self, port: &UsbSerialPort) -> bool {
        self.vid == port.vid
            && self.pid == port.pid
            && self.serial.as_ref().is_none_or(|serial| port.serial.as_ref() == Some(serial))
            && self.interface.is_none_or(|interface| port.interface == Some(interface))
    }

    /// The one port that fits.
    pub(super) fn choose(&self, ports: &[UsbSerialPort]) -> Result<UsbSerialPort, SerialError> {
        let fitting: Vec<_> = ports.iter().filter(|port| self.fits(port)).collect();
        match fitting[..] {
            [one] => Ok(one.clone()),
            [] => Err(SerialError::NoMatch { wanted: format!("usb:{self}"), there: describe(ports) }),
            _ => Err(SerialError::Ambiguous {
                wanted: format!("usb:{self}"),
                count: fitting.len(),
                candidates: list(fitting),
            }),
        }
    }
}

fn id(text: &str) -> Result<u16, &'static str> {
    let digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u16::from_str_radix(text, 16).ok().filter(|_| digits);
    id.ok_or("vendor and product are four hexadecimal digits each")
}

impl fmt::Display for UsbMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vid, self.pid)?;
        if let Some(serial) = &self.serial {
            write!(f, ",serial={serial}")?;
        }
        match self.interface {
            Some(interface) => write!(f, ",interface={interface}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for UsbSerialPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, vid, pid, serial, interface, product } = self;
        write!(
            f,
            "{path} ({}usb:{vid:04x}:{pid:04x}",
            product.as_ref().map_or(String::new(), |p| format!("{p}, "))
        )?;
        if let Some(serial) = serial {
            write!(f, ",serial={serial}")?;
        }
        if let Some(interface) = interface {
            write!(f, ",interface={interface}")?;
        }
        f.write_str(")")
    }
}

fn describe(ports: &[UsbSerialPort]) -> String {
    match ports {
        [] => "no USB serial port is plugged in".to_owned(),
        ports => format!("there is {}", list(ports)),
    }
}

fn list<'a>(ports: impl IntoIterator<Item = &'a UsbSerialPort>) -> String {
    ports.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The serial ports that USB devices offer, by path.
pub fn usb_serial_ports() -> Result<Vec<UsbSerialPort>, SerialError> {
    // Without sysfs (some containers) the crate panics in place of finding nothing.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
        return Ok(Vec::new());
    }
    let ports = serialport::available_ports()
        .map_err(|error| SerialError::Io { doing: "listing serial ports", error: error.to_string() })?;
    let mut ports: Vec<_> = ports.into_iter().filter_map(usb_port).collect();
    ports.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(ports)
}

fn usb_port(port: SerialPortInfo) -> Option<UsbSerialPort> {
    let SerialPortType::UsbPort(usb) = port.port_type else { return None };
    Some(UsbSerialPort {
        path: port.port_name,
        vid: usb.vid,
        pid: usb.pid,
        serial: usb.serial_number,
        interface: usb.interface,
        product: usb.product,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(path: &str, serial: &str, interface: u8) -> UsbSerialPort {
        UsbSerialPort {
            path: path.to_owned(),
            vid: 0x0483,
            pid: 0x374b,
            serial: Some(serial.to_owned()),
            interface: Some(interface),
            product: Some("STM32 STLink".to_owned()),
        }
    }

    fn choose(wanted: &str, ports: &[UsbSerialPort]) -> Result<String, SerialError> {
        UsbMatch::parse(wanted).unwrap().choose(ports).map(|port| port.path)
    }

    #[test]
    fn the_only_one_of_its_kind_needs_no_serial_number() {
        let ports = [port("/dev/ttyACM0", "A", 2)];
        assert_eq!(choose("0483:374b", &ports), Ok("/dev/ttyACM0".to_owned()));
    }

    #[test]
    fn two_of_a_kind_are_refused_with_both_named() {
        let ports = [port("/dev/ttyACM0", "A", 2), port("/dev/ttyACM1", "B", 2)];
        let error = choose("0483:374b", &ports).unwrap_err().to_string();
        assert!(error.contains("fits 2 serial ports"), "{error}");
        assert!(error.contains("/dev/ttyACM0 (STM32 STLink, usb:0483:374b,serial=A,interface=2)"), "{error}");
        assert!(error.contains("serial=B"), "{error}");
        assert_eq!(choose("0483:374b,serial=B", &ports), Ok("/dev/ttyACM1".to_owned()));
    }

    #[test]
    fn two_ports_of_one_device_differ_by_interface() {
        let ports = [port("/dev/ttyACM0", "A", 0), port("/dev/ttyACM1", "A", 2)];
        assert!(matches!(choose("0483:374b,serial=A", &ports), Err(SerialError::Ambiguous { count: 2, .. })));
        assert_eq!(choose("0483:374b,interface=2", &ports), Ok("/dev/ttyACM1".to_owned()));
    }

    #[test]
    fn nothing_that_fits_is_told_with_what_there_is() {
        let error = choose("0483:374b,serial=C", &[port("/dev/ttyACM0", "A", 2)]).unwrap_err().to_string();
        assert!(error.contains("there is /dev/ttyACM0"), "{error}");
        let error = choose("0483:374b", &[]).unwrap_err().to_string();
        assert!(error.contains("no USB serial port is plugged in"), "{error}");
    }

    #[test]
    fn this_machine_can_be_asked() {
        usb_serial_ports().unwrap();
    }
}
