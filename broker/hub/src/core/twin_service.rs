//! Twins as the service sees them: patching, replacing and reading the sections of devices and modules.

use hilarm_model::{DeviceId, ModuleId, Now, TwinSection};
use serde_json::{Map, Value};

use super::registry::ClientIdentity;
use super::twin::{InvalidPatch, with_version};
use super::{Core, Notice};
use crate::service::{HubError, ServiceReply};

/// How a section of a twin is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TwinWrite {
    /// Merged: null deletes.
    Patch,
    /// Everything that was there goes.
    Replace,
}

impl From<InvalidPatch> for HubError {
    fn from(why: InvalidPatch) -> Self {
        Self::ArgumentInvalid(why.to_string())
    }
}

impl Core {
    /// Desired properties; the device hears of the difference.
    pub(super) fn write_desired(
        &mut self,
        (device, module): (DeviceId, Option<ModuleId>),
        write: TwinWrite,
        values: Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let desired = &mut self.twins.entry(identity.clone()).or_default().desired;
        let (version, delta) = match write {
            TwinWrite::Patch => (desired.patch(&values)?, object(values)),
            TwinWrite::Replace => desired.replace(&values)?,
        };
        self.record_twin_update(&identity, TwinSection::Desired, version, now);
        let body = with_version(&delta, version);
        self.notify(&identity, Notice::DesiredChanged { identity: identity.clone(), body, version });
        Ok(ServiceReply::Done)
    }

    /// Tags; a tag that moves a device to another security group registers it anew.
    pub(super) fn write_tags(
        &mut self,
        (device, module): (DeviceId, Option<ModuleId>),
        write: TwinWrite,
        values: &Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let twin = self.twins.entry(identity.clone()).or_default();
        let group_before = twin.security_group().to_owned();
        let version = match write {
            TwinWrite::Patch => twin.tags.patch(values)?,
            TwinWrite::Replace => twin.tags.replace(values)?.0,
        };
        let moved = identity.module.is_none() && twin.security_group() != group_before;
        self.record_twin_update(&identity, TwinSection::Tags, version, now);
        if moved {
            self.record_registration(identity.device, now);
        }
        Ok(ServiceReply::Done)
    }

    pub(super) fn twin(
        &mut self,
        device: DeviceId,
        module: Option<ModuleId>,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let mut view = self.twins.entry(identity.clone()).or_default().for_service();
        let ClientIdentity { device, module } = identity;
        view.insert("deviceId".into(), device.as_str().into());
        if let Some(module) = module {
            view.insert("moduleId".into(), module.as_str().into());
        }
        Ok(ServiceReply::Twin(Value::Object(view)))
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
