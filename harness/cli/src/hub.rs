//! `hilarm hub`: the IoT Hub on a loopback address, for any client.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail};
use hilarm_hub::{DeviceAuthentication, SymmetricKey};
use hilarm_model::DeviceId;
use hilarm_server::{JsonLines, ServedDevice, Server, ServerConfig};
use rand::RngCore;
use tokio::signal;

use crate::args::HubArgs;

const KEY_BYTES: usize = 32;

pub(crate) fn hub(args: &HubArgs) -> anyhow::Result<u8> {
    if !args.address.is_loopback() {
        bail!("{} is no loopback address: the stand-in has no place on a network", args.address);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args))?;
    Ok(0)
}

async fn serve(args: &HubArgs) -> anyhow::Result<()> {
    let mut config = ServerConfig::new("localhost", &args.state);
    config.address = SocketAddr::new(args.address, args.port);
    for id in &args.devices {
        config.devices.push(device(&args.state, id)?);
    }
    let server = Server::bind(config).await?;
    println!("IoT Hub listens for MQTT over TLS on {}", server.local_addr());
    println!("certificate authority: {}", server.ca_path().display());
    for text in server.connection_strings() {
        println!("{text}");
    }
    println!("HubEvents follow as JSON lines, alerts on standard error; Ctrl-C ends");
    let mut lines = JsonLines::new(std::io::stdout());
    let shutdown = signal::ctrl_c();
    let on_record = |record: &hilarm_model::HubRecord| {
        // A reader that went away does not end the hub.
        let _ = lines.record(record);
    };
    server.run(shutdown, on_record, |alert| eprintln!("alert: {} {:?}", alert.slug, alert.entity)).await;
    Ok(())
}

/// A device whose keys stay the same between runs.
fn device(state: &Path, id: &str) -> anyhow::Result<ServedDevice> {
    let device: DeviceId = id.parse().with_context(|| format!("--device {id}"))?;
    Ok(ServedDevice {
        authentication: DeviceAuthentication::Sas {
            primary: stored_key(state, id, "primary")?,
            secondary: stored_key(state, id, "secondary")?,
        },
        device,
        security_group: None,
    })
}

fn stored_key(state: &Path, device: &str, which: &str) -> anyhow::Result<SymmetricKey> {
    // Identities may hold characters that file names may not.
    let name: String = device.bytes().map(|byte| format!("{byte:02x}")).collect();
    let path = state.join("devices").join(format!("{name}.{which}"));
    if let Ok(text) = std::fs::read_to_string(&path) {
        return SymmetricKey::from_base64(text.trim()).with_context(|| format!("key in {}", path.display()));
    }
    let mut bytes = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let key = SymmetricKey::from_bytes(bytes)?;
    write_secret(&path, &key.to_base64()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}
