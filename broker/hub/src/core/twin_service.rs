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

    /// A twin as Azure's JSON: what it states of tags and desired properties, all of it or nothing.
    pub(super) fn write_twin(
        &mut self,
        (device, module): (DeviceId, Option<ModuleId>),
        write: TwinWrite,
        json: Value,
        if_match: Option<&str>,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device.clone(), module.clone())?;
        let mut copy = self.twins.entry(identity).or_default().clone();
        if if_match.is_some_and(|etag| etag != "*" && etag.trim_matches('"') != copy.etag()) {
            return Err(HubError::PreconditionFailed("the twin has another ETag".into()));
        }
        let (tags, desired) = (stated(json.get("tags")), stated(json.pointer("/properties/desired")));
        if tags.is_none() && desired.is_none() {
            return Err(HubError::ArgumentInvalid("neither tags nor properties.desired is stated".into()));
        }
        // What one section refuses must not leave the other one written.
        for (section, values) in [(&mut copy.desired, &desired), (&mut copy.tags, &tags)] {
            match (write, values) {
                (_, None) => {}
                (TwinWrite::Patch, Some(values)) => drop(section.patch(values)?),
                (TwinWrite::Replace, Some(values)) => drop(section.replace(values)?),
            }
        }
        if let Some(desired) = desired {
            self.write_desired((device.clone(), module.clone()), write, desired, now)?;
        }
        if let Some(tags) = tags {
            self.write_tags((device.clone(), module.clone()), write, &tags, now)?;
        }
        self.twin(device, module)
    }

    pub(super) fn twin(
        &mut self,
        device: DeviceId,
        module: Option<ModuleId>,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let twin = self.twins.entry(identity.clone()).or_default();
        let mut view = twin.for_service();
        let ClientIdentity { device, module } = identity;
        view.insert("deviceId".into(), device.as_str().into());
        if let Some(module) = module {
            view.insert("moduleId".into(), module.as_str().into());
        }
        Ok(ServiceReply::Twin(Value::Object(view)))
    }
}

/// A section that a body states, without what a reader of the twin may have left in it.
fn stated(section: Option<&Value>) -> Option<Value> {
    let mut section = section.filter(|section| !section.is_null())?.clone();
    if let Some(values) = section.as_object_mut() {
        values.retain(|key, _| key != "$version" && key != "$metadata");
    }
    Some(section)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
