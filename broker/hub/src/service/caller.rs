//! Who asks, and what it may ask for: the rights of shared access policies on the service plane, and the
//! operations that role assignments grant on the management plane.

use std::collections::BTreeSet;
use std::fmt;

/// A right of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Read the identity registry.
    RegistryRead,
    /// Write the identity registry.
    RegistryWrite,
    /// Twins, direct methods, cloud-to-device messages and their feedback.
    ServiceConnect,
    /// Act as a device.
    DeviceConnect,
    /// Read certificates of the hub.
    CertificatesRead,
    /// Add, replace and verify certificates of the hub.
    CertificatesWrite,
    /// Delete certificates of the hub.
    CertificatesDelete,
    /// Add and edit diagnostic settings.
    DiagnosticSettingsWrite,
    /// Delete diagnostic settings.
    DiagnosticSettingsDelete,
    /// Read properties of the hub.
    HubRead,
    /// Write properties of the hub, its network rules among them.
    HubWrite,
    /// Read what Defender is configured with.
    SecurityRead,
    /// Write device security groups and security solutions.
    SecurityWrite,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 13] = [
        Self::RegistryRead,
        Self::RegistryWrite,
        Self::ServiceConnect,
        Self::DeviceConnect,
        Self::CertificatesRead,
        Self::CertificatesWrite,
        Self::CertificatesDelete,
        Self::DiagnosticSettingsWrite,
        Self::DiagnosticSettingsDelete,
        Self::HubRead,
        Self::HubWrite,
        Self::SecurityRead,
        Self::SecurityWrite,
    ];

    /// The name that Azure gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RegistryRead => "RegistryRead",
            Self::RegistryWrite => "RegistryWrite",
            Self::ServiceConnect => "ServiceConnect",
            Self::DeviceConnect => "DeviceConnect",
            Self::CertificatesRead => "certificates/read",
            Self::CertificatesWrite => "certificates/write",
            Self::CertificatesDelete => "certificates/delete",
            Self::DiagnosticSettingsWrite => "diagnosticSettings/write",
            Self::DiagnosticSettingsDelete => "diagnosticSettings/delete",
            Self::HubRead => "IotHubs/read",
            Self::HubWrite => "IotHubs/write",
            Self::SecurityRead => "security/read",
            Self::SecurityWrite => "security/write",
        }
    }

    /// Whether shared access policies grant it; role assignments grant the others.
    pub const fn is_of_service_plane(self) -> bool {
        matches!(self, Self::RegistryRead | Self::RegistryWrite | Self::ServiceConnect | Self::DeviceConnect)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text is no right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no right of IoT Hub")]
pub struct UnknownRight(pub String);

impl std::str::FromStr for Right {
    type Err = UnknownRight;
    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        Self::ALL.into_iter().find(|right| right.name() == text).ok_or_else(|| UnknownRight(text.to_owned()))
    }
}

/// Somebody on the service or management plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its name: a shared access policy or a principal.
    pub name: String,
    /// What it may do.
    pub rights: BTreeSet<Right>,
}

impl Caller {
    /// A caller with these rights.
    pub fn new(name: impl Into<String>, rights: impl IntoIterator<Item = Right>) -> Self {
        Self { name: name.into(), rights: rights.into_iter().collect() }
    }

    /// The caller that may do everything, named `owner`.
    pub fn owner() -> Self {
        Self::new("owner", Right::ALL)
    }

    /// A client of one of IoT Hub's default shared access policies; such policies reach no management plane.
    pub fn of_policy(name: &str) -> Option<Self> {
        use Right::{DeviceConnect, RegistryRead, RegistryWrite, ServiceConnect};
        let rights: &[Right] = match name {
            "iothubowner" => &[RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect],
            "service" => &[ServiceConnect],
            "device" => &[DeviceConnect],
            "registryRead" => &[RegistryRead],
            "registryReadWrite" => &[RegistryRead, RegistryWrite],
            _ => return None,
        };
        Some(Self::new(name, rights.iter().copied()))
    }

    /// Whether it has a right.
    pub fn has(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_is_found_by_its_name_and_the_owner_has_it() {
        let owner = Caller::owner();
        for right in Right::ALL {
            assert_eq!(right.name().parse(), Ok(right));
            assert!(owner.has(right), "{right}");
        }
        let policy = Caller::of_policy("registryRead").unwrap();
        assert!(policy.has(Right::RegistryRead) && !policy.has(Right::ServiceConnect));
        assert_eq!(Caller::of_policy("intern"), None);
        assert_eq!("everything".parse::<Right>(), Err(UnknownRight("everything".into())));
    }
}
