//! What a hub on sockets is told: where to listen, what to call itself, which devices it knows.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use hilarm_hub::{DeviceAuthentication, ServiceRequest};
use hilarm_model::DeviceId;

/// A device identity that exists from the start.
#[derive(Clone, Debug)]
pub struct ServedDevice {
    /// The device.
    pub device: DeviceId,
    /// How it must authenticate.
    pub authentication: DeviceAuthentication,
    /// Security group of its twin tags.
    pub security_group: Option<String>,
}

impl ServedDevice {
    /// The connection string that SDKs take, or what there is of one for certificates.
    pub fn connection_string(&self, host: &str) -> String {
        let device = &self.device;
        match &self.authentication {
            DeviceAuthentication::Sas { primary, .. } => {
                format!("HostName={host};DeviceId={device};SharedAccessKey={}", primary.to_base64())
            }
            _ => format!("HostName={host};DeviceId={device};x509=true"),
        }
    }
}

/// Configuration of a hub on sockets.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen.
    pub address: IpAddr,
    /// Port of MQTT over TLS; 0 takes a free one. SDKs insist on 8883.
    pub mqtt_port: u16,
    /// Port of HTTPS, and of the blob store; 0 takes a free one, `None` goes without. SDKs insist on 443.
    pub https_port: Option<u16>,
    /// The hub's name, as devices write it into user names and tokens and as its certificate says.
    pub host: String,
    /// Holds the certificate authority and the server keys; made when missing.
    pub state_dir: PathBuf,
    /// Devices that exist from the start.
    pub devices: Vec<ServedDevice>,
    /// Further requests of the service side before monitoring starts: security groups, threat lists, modules.
    pub provisioning: Vec<ServiceRequest>,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a client may take to send its CONNECT or its request after the handshake.
    pub first_packet_timeout: Duration,
    /// How long a peer may take to read what it is sent.
    pub write_timeout: Duration,
    /// Connections at one time, handshakes included; further ones wait in the system's queue.
    pub connections_max: usize,
}

impl ServerConfig {
    /// A hub without devices on the standard ports of the loopback interface.
    pub fn new(host: impl Into<String>, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            mqtt_port: 8883,
            https_port: Some(443),
            host: host.into(),
            state_dir: state_dir.into(),
            devices: Vec::new(),
            provisioning: Vec::new(),
            handshake_timeout: Duration::from_secs(10),
            first_packet_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            connections_max: 1024,
        }
    }

    /// Names and addresses that the server's certificate is for, in a fixed order, without repetition.
    pub(crate) fn certificate_names(&self) -> Vec<String> {
        let mut names = vec![self.host.clone(), "localhost".into(), Ipv4Addr::LOCALHOST.to_string()];
        if !self.address.is_unspecified() {
            names.push(self.address.to_string());
        }
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.to_ascii_lowercase()));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hilarm_hub::SymmetricKey;

    #[test]
    fn the_certificate_names_the_host_the_loopback_interface_and_the_address_once() {
        let mut config = ServerConfig::new("localhost", "state");
        assert_eq!(config.certificate_names(), ["localhost", "127.0.0.1"]);
        config.address = [127, 0, 0, 2].into();
        assert_eq!(config.certificate_names(), ["localhost", "127.0.0.1", "127.0.0.2"]);
        config.address = [0, 0, 0, 0].into();
        assert_eq!(config.certificate_names(), ["localhost", "127.0.0.1"]);
    }

    #[test]
    fn sdks_find_the_hub_on_the_ports_that_they_insist_on() {
        let config = ServerConfig::new("localhost", "state");
        assert_eq!((config.mqtt_port, config.https_port), (8883, Some(443)));
        assert!(config.address.is_loopback());
    }

    #[test]
    fn a_connection_string_holds_the_primary_key() {
        let key = SymmetricKey::from_bytes([1; 32]).unwrap();
        let device = ServedDevice {
            device: DeviceId::new("pump-1").unwrap(),
            authentication: DeviceAuthentication::Sas { primary: key.clone(), secondary: key.clone() },
            security_group: None,
        };
        let expected =
            format!("HostName=hub.hilarm.test;DeviceId=pump-1;SharedAccessKey={}", key.to_base64());
        assert_eq!(device.connection_string("hub.hilarm.test"), expected);
    }
}
