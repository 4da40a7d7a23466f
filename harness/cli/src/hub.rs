//! `hilarm hub`: the IoT Hub on a loopback address, for any client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use hilarm_hub::ServiceRequest;
use hilarm_server::{JsonLines, ServedDevice, Server, ServerConfig, ServerError, check};
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::HubArgs;
use crate::run::read_security_groups;
use crate::say;

/// How long a hub may take to answer a check.
const CHECK_LIMIT: Duration = Duration::from_secs(3);

pub(crate) fn hub(args: &HubArgs) -> anyhow::Result<u8> {
    if !args.address.is_loopback() && !args.expose {
        bail!(
            "{} is no loopback address: the stand-in has no place on a network; in a container, whose network \
             is its own, --expose says so",
            args.address
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if args.check {
        let address = SocketAddr::new(reachable(args.address), args.mqtt_port);
        return Ok(runtime.block_on(check(address, &args.state, CHECK_LIMIT)).map(|()| 0)?);
    }
    runtime.block_on(serve(args))?;
    Ok(0)
}

/// Where to reach, from this machine, what listens on an address.
fn reachable(address: IpAddr) -> IpAddr {
    if address.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address }
}

/// Without rights to the standard port of HTTPS most of the hub is still of use; whoever named a port wants it.
async fn bind(mut config: ServerConfig, https_was_named: bool) -> Result<Server, ServerError> {
    let error = match Server::bind(config.clone()).await {
        Err(error @ ServerError::ListenNotPermitted { address })
            if !https_was_named && Some(address.port()) == config.https_port =>
        {
            error
        }
        other => return other,
    };
    say::err(format_args!("HTTPS is not served: failed to {error}; --https-port takes another port"));
    config.https_port = None;
    Server::bind(config).await
}

async fn serve(args: &HubArgs) -> anyhow::Result<()> {
    let mut config = ServerConfig::new(&args.host, &args.state);
    config.address = args.address;
    config.mqtt_port = args.mqtt_port;
    config.https_port = args.https_port.or(config.https_port);
    for file in read_security_groups(&args.security_groups)? {
        config.provisioning.push(ServiceRequest::PutSecurityGroupJson { name: file.name, json: file.json });
    }
    for id in &args.devices {
        let device = id.parse().with_context(|| format!("--device {id}"))?;
        config.devices.push(ServedDevice::with_stored_keys(&args.state, device)?);
    }
    let server = bind(config, args.https_port.is_some()).await?;
    say::out(format_args!("IoT Hub listens for MQTT over TLS on {}", server.mqtt_address()));
    if let Some(address) = server.https_address() {
        say::out(format_args!("IoT Hub listens for HTTPS on {address}"));
    }
    say::out(format_args!("certificate authority: {}", server.ca_path().display()));
    for text in server.connection_strings() {
        say::out(text);
    }
    say::out("HubEvents follow as JSON lines, alerts on standard error; Ctrl-C ends");
    let mut lines = JsonLines::new(std::io::stdout());
    // As a service manager asks; Ctrl-C is a person's way.
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let shutdown = async move {
        tokio::select! {
            _ = ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    let on_record = |record: &hilarm_model::HubRecord| {
        // A reader that went away does not end the hub.
        let _ = lines.record(record);
    };
    server
        .run(shutdown, on_record, |alert| say::err(format_args!("alert: {} {:?}", alert.slug, alert.entity)))
        .await;
    Ok(())
}
