//! The hub in a container, the ways in which it fails, and what it wrote.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hilarm_model::{HubEvent, HubRecord};
use sha2::{Digest, Sha256};
use testcontainers::core::{ContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::runtime::Runtime;

/// Name and tag of the image, as `cargo xtask image` builds it.
pub const IMAGE: (&str, &str) = ("hilarm-hub", "local");
const MQTT: ContainerPort = ContainerPort::Tcp(8883);
/// What the hub prints when it serves.
const READY: &str = "HubEvents follow";
const START_LIMIT: Duration = Duration::from_secs(60);

/// Why the container tests cannot run here; nothing when they can.
pub fn engine() -> Option<String> {
    if docker(&["info"]).is_err() {
        return Some("no container engine answers".to_owned());
    }
    let image = format!("{}:{}", IMAGE.0, IMAGE.1);
    let label = r#"{{index .Config.Labels "hilarm.sha256"}}"#;
    let Ok(inside) = docker(&["image", "inspect", "--format", label, &image]) else {
        return Some(format!("there is no image {image}; `cargo xtask image` builds it"));
    };
    let program = hilarm_tests::root().join("target/debug/hilarm");
    let program = fs::read(program).map(|bytes| hex::encode(Sha256::digest(bytes))).unwrap_or_default();
    (inside != program)
        .then(|| format!("the image {image} holds another hilarm; `cargo xtask test` builds it anew"))
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(arguments).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A running hub; the container goes with it.
pub struct Hub {
    /// There until the drop, which needs it by value.
    container: Option<ContainerAsync<GenericImage>>,
    runtime: Runtime,
}

impl Hub {
    /// Starts a hub that knows these devices, under the name that devices on the virtual network use.
    pub fn start(host: &str, devices: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime for the engine's client");
        let devices = devices.iter().flat_map(|device| ["--device", device]);
        let command = ["--host", host].into_iter().chain(devices).map(str::to_owned);
        let image = GenericImage::new(IMAGE.0, IMAGE.1)
            .with_exposed_port(MQTT)
            .with_wait_for(WaitFor::message_on_stdout(READY))
            .with_cmd(command.collect::<Vec<_>>())
            .with_startup_timeout(START_LIMIT);
        let container = runtime.block_on(image.start()).expect("the image starts and the hub gets ready");
        Self { container: Some(container), runtime }
    }

    /// Where its MQTT listener is published on this machine; another place after each start.
    pub fn address(&self) -> SocketAddr {
        let port =
            self.runtime.block_on(self.container().get_host_port_ipv4(MQTT)).expect("a published port");
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// The certificate of its authority, PEM.
    pub fn authority(&self) -> String {
        let copied = self.runtime.block_on(self.container().copy_file_from("/state/ca.pem", Vec::new()));
        String::from_utf8(copied.expect("the authority is in the container")).expect("PEM is text")
    }

    /// The key of a device.
    pub fn key(&self, device: &str) -> Vec<u8> {
        let wanted = format!("DeviceId={device};");
        let log = self.stdout();
        let line =
            log.lines().find(|line| line.contains(&wanted)).expect("a connection string for the device");
        let (_, key) = line.split_once("SharedAccessKey=").expect("a connection string holds a key");
        STANDARD.decode(key.trim()).expect("keys are base64")
    }

    /// What it recorded, over all its starts.
    pub fn records(&self) -> Vec<HubEvent> {
        let log = self.stdout();
        let json = log.lines().filter(|line| line.starts_with('{'));
        json.map(|line| serde_json::from_str::<HubRecord>(line).expect("a HubRecord").event).collect()
    }

    /// The alerts it raised, over all its starts, by their slugs.
    pub fn alerts(&self) -> Vec<String> {
        let log = self.runtime.block_on(self.container().stderr_to_vec()).expect("the container's log");
        let log = String::from_utf8_lossy(&log).into_owned();
        let alerts = log.lines().filter_map(|line| line.strip_prefix("alert: "));
        alerts.filter_map(|alert| alert.split_whitespace().next().map(str::to_owned)).collect()
    }

    /// What the engine says of it: a field by its Go template.
    pub fn inspect(&self, template: &str) -> String {
        docker(&["inspect", "--format", template, self.container().id()])
            .expect("the engine knows the container")
    }

    /// All its processes stand still.
    pub fn pause(&self) {
        self.runtime.block_on(self.container().pause()).expect("the container pauses");
    }

    /// They go on.
    pub fn unpause(&self) {
        self.runtime.block_on(self.container().unpause()).expect("the container goes on");
    }

    /// It ends at once, without a word to anyone.
    pub fn kill(&self) {
        docker(&["kill", self.container().id()]).expect("the container is killed");
    }

    /// It starts again, with the keys it had.
    pub fn start_again(&self) {
        let starts = self.stdout().matches(READY).count();
        self.runtime.block_on(self.container().start()).expect("the container starts again");
        let ready = async {
            while String::from_utf8_lossy(&self.container().stdout_to_vec().await.unwrap_or_default())
                .matches(READY)
                .count()
                <= starts
            {
                tokio::task::yield_now().await;
            }
        };
        let within = async { tokio::time::timeout(START_LIMIT, ready).await };
        self.runtime.block_on(within).expect("the hub gets ready again in time");
    }

    /// It loses its network.
    pub fn cut_off(&self) {
        docker(&["network", "disconnect", "bridge", self.container().id()]).expect("the network is cut");
    }

    /// It gets its network back.
    pub fn reconnect(&self) {
        docker(&["network", "connect", "bridge", self.container().id()]).expect("the network is back");
    }

    fn container(&self) -> &ContainerAsync<GenericImage> {
        self.container.as_ref().expect("the container is there until the drop")
    }

    fn stdout(&self) -> String {
        let log = self.runtime.block_on(self.container().stdout_to_vec()).expect("the container's log");
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Left to itself, the container would look for a runtime to go away with, and find none.
        if let Some(container) = self.container.take() {
            let _ = self.runtime.block_on(container.rm());
        }
    }
}
