//! A running server, and clients with real TLS.
#![allow(dead_code, reason = "each test crate uses a part")]

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilarm_defender::Alert;
use hilarm_hub::{DeviceAuthentication, SymmetricKey, Thumbprint};
use hilarm_model::{DeviceId, HubEvent, HubRecord};
use hilarm_server::{ServedDevice, Server, ServerConfig};
use hmac::{Hmac, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const HOST: &str = "hub.hilarm.test";
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the test where something owed never comes.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A server on a free loopback port.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) ca_path: PathBuf,
    records: mpsc::UnboundedReceiver<HubRecord>,
    alerts: mpsc::UnboundedReceiver<Alert>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

pub(crate) fn config(devices: Vec<ServedDevice>) -> ServerConfig {
    let mut config = ServerConfig::new(HOST, concat!(env!("CARGO_TARGET_TMPDIR"), "/hub-state"));
    (config.mqtt_port, config.https_port) = (0, Some(0));
    config.devices = devices;
    config
}

impl Running {
    pub(crate) async fn start(config: ServerConfig) -> Self {
        let server = Server::bind(config).await.unwrap();
        let (address, ca_path) = (server.mqtt_address(), server.ca_path().to_owned());
        let https = server.https_address().expect("HTTPS is on");
        let (record, records) = mpsc::unbounded_channel();
        let (alert, alerts) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(
            stopped,
            move |r: &HubRecord| drop(record.send(r.clone())),
            move |a: &Alert| drop(alert.send(a.clone())),
        ));
        Self { address, https, ca_path, records, alerts, stop, task }
    }

    /// The next record that `pick` takes; others are passed over.
    pub(crate) async fn record<T>(&mut self, what: &str, pick: impl Fn(HubEvent) -> Option<T>) -> T {
        soon(what, async {
            loop {
                let record = self.records.recv().await.expect("the server runs");
                if let Some(picked) = pick(record.event) {
                    return picked;
                }
            }
        })
        .await
    }

    pub(crate) async fn alert(&mut self) -> Alert {
        soon("an alert", self.alerts.recv()).await.expect("the server runs")
    }

    pub(crate) async fn stop(mut self) -> Vec<HubEvent> {
        self.stop.send(()).expect("the server runs");
        soon("the end of the server", self.task).await.unwrap();
        let mut rest = Vec::new();
        while let Ok(record) = self.records.try_recv() {
            rest.push(record.event);
        }
        rest
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A client after its handshake.
    pub(crate) async fn tls(&self, client: Client<'_>) -> std::io::Result<TlsStream<TcpStream>> {
        self.tls_over(client, self.tcp().await).await
    }

    /// An HTTPS client after its handshake.
    pub(crate) async fn https(&self, client: Client<'_>) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.https).await.unwrap();
        self.tls_over(client, tcp).await.unwrap()
    }

    /// A client after its handshake, on a socket of the test's own.
    pub(crate) async fn tls_over(
        &self,
        client: Client<'_>,
        tcp: TcpStream,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(HOST).unwrap();
        let connector = TlsConnector::from(Arc::new(client.config(&self.ca_path)));
        soon("the handshake", connector.connect(name, tcp)).await
    }
}

/// How a test client speaks TLS.
#[derive(Clone, Copy, Default)]
pub(crate) struct Client<'a> {
    pub(crate) version: Option<&'static SupportedProtocolVersion>,
    /// The only signatures that it can verify.
    pub(crate) schemes: Option<&'static [SignatureScheme]>,
    pub(crate) no_sni: bool,
    /// Certificate and PKCS #8 key.
    pub(crate) certificate: Option<(&'a [u8], &'a [u8])>,
}

impl Client<'_> {
    fn config(self, ca_path: &PathBuf) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca_path).unwrap()).unwrap();
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = Narrow { webpki: webpki.build().unwrap(), schemes: self.schemes };
        let both = [&rustls::version::TLS13, &rustls::version::TLS12];
        let one = self.version.map(|version| [version]);
        let versions = one.as_ref().map_or(&both[..], |version| &version[..]);
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.certificate {
            None => builder.with_no_client_auth(),
            Some((der, key)) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.to_vec()));
                builder.with_client_auth_cert(vec![CertificateDer::from(der.to_vec())], key).unwrap()
            }
        };
        config.enable_sni = !self.no_sni;
        config
    }
}

/// webpki's verifier that offers fewer signature algorithms.
#[derive(Debug)]
struct Narrow {
    webpki: Arc<WebPkiServerVerifier>,
    schemes: Option<&'static [SignatureScheme]>,
}

impl ServerCertVerifier for Narrow {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.webpki.verify_server_cert(leaf, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.map_or_else(|| self.webpki.supported_verify_schemes(), <[_]>::to_vec)
    }
}

pub(crate) fn key() -> SymmetricKey {
    SymmetricKey::from_bytes([7; 32]).unwrap()
}

/// A device with [`key`] as its primary key.
pub(crate) fn sas_device(id: &str) -> ServedDevice {
    let secondary = SymmetricKey::from_bytes([8; 32]).unwrap();
    let authentication = DeviceAuthentication::Sas { primary: key(), secondary };
    ServedDevice { device: DeviceId::new(id).unwrap(), authentication, security_group: None }
}

pub(crate) fn x509_device(id: &str, thumbprint: &str) -> ServedDevice {
    let primary = Thumbprint::new(thumbprint).unwrap();
    let authentication = DeviceAuthentication::SelfSigned { primary, secondary: None };
    ServedDevice { device: DeviceId::new(id).unwrap(), authentication, security_group: None }
}

pub(crate) fn user_name(device: &str) -> String {
    format!("{HOST}/{device}/?api-version=2021-04-12")
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A SAS token of [`key`] for a device.
pub(crate) fn token(device: &str, expiry: i64) -> String {
    let resource = format!("{HOST}%2Fdevices%2F{device}");
    let mut mac = Hmac::<Sha256>::new_from_slice(key().as_bytes()).unwrap();
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
}

/// CONNECT of a device with a token; no password without one.
pub(crate) fn connect(device: &str, password: Option<&str>) -> Vec<u8> {
    let mut body = [string("MQTT"), vec![4, if password.is_some() { 0xC2 } else { 0x82 }, 0, 60]].concat();
    body.extend(string(device));
    body.extend(string(&user_name(device)));
    body.extend(password.map(string).unwrap_or_default());
    packet(0x10, &body)
}

/// Telemetry at QoS 1.
pub(crate) fn telemetry(device: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let topic = string(&format!("devices/{device}/messages/events/"));
    packet(0x32, &[&topic[..], &packet_id.to_be_bytes(), payload].concat())
}

pub(crate) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
pub(crate) const NOT_AUTHORIZED: [u8; 4] = [0x20, 2, 0, 5];

/// Sends, then reads exactly as many bytes as expected.
pub(crate) async fn ask(stream: &mut TlsStream<TcpStream>, bytes: &[u8], answer: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
    let mut read = vec![0; answer.len()];
    soon("an answer", stream.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, answer);
}

/// Reads to the end of the stream, which must come, in whatever way.
pub(crate) async fn ended(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = soon("the end of the connection", stream.read_to_end(&mut rest)).await;
    rest
}

fn string(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

fn packet(byte1: u8, body: &[u8]) -> Vec<u8> {
    let (low, high) = (body.len() % 128, body.len() / 128);
    let length = if high > 0 { vec![low as u8 | 0x80, u8::try_from(high).unwrap()] } else { vec![low as u8] };
    [&[byte1][..], &length, body].concat()
}
