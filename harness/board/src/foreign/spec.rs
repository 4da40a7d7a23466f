//! The sections of a board file that are about firmware of somebody else's.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// How the firmware learns who it is, and whom it trusts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySpec {
    /// The symbol of the image that the identity is written to before it boots.
    #[serde(default)]
    pub symbol: Option<String>,
    /// The address that it is written to, for images without symbols.
    #[serde(default)]
    pub address: Option<u64>,
    /// In which form it is written.
    #[serde(default)]
    pub format: IdentityFormat,
    /// What the firmware has built in, in place of anything written.
    #[serde(default)]
    pub provisioned: Option<ProvisionedSpec>,
    /// Name that the firmware knows the hub by; `hub.hilarm.test` when absent.
    #[serde(default)]
    pub hub_host: Option<String>,
    /// Folder of the certificate authority that the firmware trusts, as `hilarm ca init` makes it; relative to
    /// the project. A new one each run when absent.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// The form of a written identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityFormat {
    /// Lines `name=value`, ended by a zero byte.
    #[default]
    Text,
    /// The configuration blob of `firmware/link`.
    Blob,
}

/// An identity that the firmware has built in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvisionedSpec {
    /// Its id at the hub; only scenarios with this one device run.
    pub device_id: String,
    /// Its symmetric key, base64.
    #[serde(default)]
    pub key: Option<String>,
    /// Its client certificate, PEM; relative to the project.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
}

/// What the firmware's end of the link can do. Absent, it is all that hilarm's own agent can.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Steps that it carries out.
    pub steps: Vec<DeviceStep>,
    /// Behaviours that it holds.
    #[serde(default)]
    pub behaviours: Vec<String>,
}

/// A step of a scenario that a device carries out by command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStep {
    /// `connect`.
    Connect,
    /// `disconnect`.
    Disconnect,
    /// `reconnect`.
    Reconnect,
    /// `send_telemetry` over MQTT.
    SendTelemetry,
    /// `read_twin`.
    ReadTwin,
    /// `report_properties`.
    ReportProperties,
    /// `behaviour` and `stop_behaviour`, for the behaviours listed.
    Behaviour,
}

impl IdentitySpec {
    /// Says what does not go together.
    pub(crate) fn check(&self) -> Result<(), String> {
        let ways = [self.symbol.is_some(), self.address.is_some(), self.provisioned.is_some()];
        match (ways.iter().filter(|given| **given).count(), &self.provisioned) {
            (1, Some(built_in)) if built_in.key.is_some() == built_in.certificate.is_some() => {
                Err("`identity.provisioned` needs either `key` or `certificate`".to_owned())
            }
            (1, _) => Ok(()),
            _ => Err("`identity` needs one of `symbol`, `address` and `provisioned`".to_owned()),
        }
    }

    /// Makes its paths independent of the current folder.
    pub(crate) fn resolve(&mut self, project: &Path) {
        let certificate = self.provisioned.as_mut().and_then(|built_in| built_in.certificate.as_mut());
        for path in self.ca.as_mut().into_iter().chain(certificate) {
            *path = project.join(&path);
        }
    }
}
