//! The identity registry as the service sees it: creating, enabling, rotating keys, deleting. What changes
//! about an identity ends its connections.

use hilarm_model::{DeviceId, HubEvent, ModuleId, Now};
use serde_json::json;

use super::registry::{ClientIdentity, DeviceAuthentication, SymmetricKey};
use super::{Core, Notice};
use crate::service::{DeviceView, HubError, KeyName, ServiceReply};

impl Core {
    /// The identity, if the registry knows it.
    pub(super) fn known(
        &self,
        device: DeviceId,
        module: Option<ModuleId>,
    ) -> Result<ClientIdentity, HubError> {
        let identity = ClientIdentity { device, module };
        if self.registry.authentication(&identity).is_some() {
            return Ok(identity);
        }
        match identity.module {
            Some(module) if self.registry.device(&identity.device).is_some() => {
                Err(HubError::ModuleNotFound(module))
            }
            _ => Err(HubError::DeviceNotFound(identity.device)),
        }
    }

    pub(super) fn put_device(
        &mut self,
        device: DeviceId,
        authentication: DeviceAuthentication,
        security_group: Option<String>,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        if let Some(group) = security_group {
            let identity = ClientIdentity { device: device.clone(), module: None };
            let mut twin = self.twins.get(&identity).cloned().unwrap_or_default();
            twin.tags.patch(&json!({ "SecurityGroup": group }))?;
            self.twins.insert(identity, twin);
        }
        if self.registry.put_device(device.clone(), authentication) {
            self.notices.push_back(Notice::IdentityChanged { device: device.clone() });
        }
        self.record_registration(device, now);
        Ok(ServiceReply::Done)
    }

    pub(super) fn create_device(
        &mut self,
        device: DeviceId,
        authentication: Option<DeviceAuthentication>,
        security_group: Option<String>,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        if self.registry.device(&device).is_some() {
            return Err(HubError::DeviceAlreadyExists(device));
        }
        let authentication = authentication.unwrap_or_else(|| self.minted_keys());
        self.put_device(device, authentication, security_group, now)
    }

    pub(super) fn update_device(
        &mut self,
        device: DeviceId,
        authentication: Option<DeviceAuthentication>,
        if_match: &str,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let Some(known) = self.registry.device(&device) else { return Err(HubError::DeviceNotFound(device)) };
        matched(Some(if_match), Some(&known.etag()), device.as_str())?;
        let authentication = authentication.unwrap_or_else(|| self.minted_keys());
        self.put_device(device, authentication, None, now)
    }

    fn minted_keys(&mut self) -> DeviceAuthentication {
        let mut mint = || SymmetricKey::generate(&mut self.random);
        DeviceAuthentication::Sas { primary: mint(), secondary: mint() }
    }

    /// Also recorded when only the security group changed: the fact carries both.
    pub(super) fn record_registration(&mut self, device: DeviceId, now: Now) {
        let Some(known) = self.registry.device(&device) else { return };
        let authentication = known.authentication.facts();
        let identity = ClientIdentity { device: device.clone(), module: None };
        let security_group = self.twins.entry(identity).or_default().security_group().to_owned();
        self.record(HubEvent::DeviceRegistered { device, authentication, security_group }, now);
    }

    pub(super) fn create_module(
        &mut self,
        device: DeviceId,
        module: ModuleId,
        authentication: DeviceAuthentication,
    ) -> Result<ServiceReply, HubError> {
        let identity = ClientIdentity { device, module: Some(module.clone()) };
        if self.registry.authentication(&identity).is_some() {
            return Err(HubError::ModuleAlreadyExistsOnDevice(module));
        }
        self.put_module(identity.device, module, authentication)
    }

    pub(super) fn put_module(
        &mut self,
        device: DeviceId,
        module: ModuleId,
        authentication: DeviceAuthentication,
    ) -> Result<ServiceReply, HubError> {
        let known = self.registry.device_mut(&device);
        let known = known.ok_or_else(|| HubError::DeviceNotFound(device.clone()))?;
        let before = known.modules.insert(module.clone(), authentication.clone());
        if before.is_some_and(|before| before != authentication) {
            let identity = ClientIdentity { device, module: Some(module) };
            self.notices.push_back(Notice::ModuleChanged { identity });
        }
        Ok(ServiceReply::Done)
    }

    pub(super) fn delete_module(
        &mut self,
        device: DeviceId,
        module: ModuleId,
        if_match: Option<&str>,
    ) -> Result<ServiceReply, HubError> {
        let known = self.registry.device_mut(&device);
        let known = known.ok_or_else(|| HubError::DeviceNotFound(device.clone()))?;
        if !known.modules.contains_key(&module) {
            return Err(HubError::ModuleNotFound(module));
        }
        // No answer of the hub shows the ETag of a module, so nobody has it.
        matched(if_match, None, module.as_str())?;
        known.modules.remove(&module);
        let identity = ClientIdentity { device, module: Some(module) };
        self.twins.remove(&identity);
        self.notices.push_back(Notice::ModuleDeleted { identity });
        Ok(ServiceReply::Done)
    }

    /// Operations on modules of a device that is missing or disabled are unauthorized, as on a live hub.
    pub(super) fn usable(&self, device: &DeviceId) -> Result<(), HubError> {
        let usable = self.registry.device(device).is_some_and(|known| known.enabled);
        let missing = || HubError::UnauthorizedAccess(format!("{device} is missing or disabled"));
        if usable { Ok(()) } else { Err(missing()) }
    }

    pub(super) fn delete_device(
        &mut self,
        device: DeviceId,
        if_match: Option<&str>,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let Some(known) = self.registry.device(&device) else { return Err(HubError::DeviceNotFound(device)) };
        matched(if_match, Some(&known.etag()), device.as_str())?;
        self.registry.delete_device(&device);
        self.queues.remove(&device);
        self.last_protocols.remove(&device);
        self.uploads.forget_device(&device);
        self.twins.retain(|identity, _| identity.device != device);
        self.record(HubEvent::DeviceRemoved { device: device.clone() }, now);
        self.notices.push_back(Notice::IdentityDeleted { device });
        Ok(ServiceReply::Done)
    }

    /// Enabling what is enabled changes nothing and is no fact.
    pub(super) fn set_enabled(
        &mut self,
        device: DeviceId,
        enabled: bool,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let known = self.registry.device_mut(&device);
        let known = known.ok_or_else(|| HubError::DeviceNotFound(device.clone()))?;
        if std::mem::replace(&mut known.enabled, enabled) != enabled {
            self.registry.changed(&device);
            self.record(HubEvent::DeviceStatusChanged { device: device.clone(), enabled }, now);
            if !enabled {
                self.notices.push_back(Notice::IdentityChanged { device });
            }
        }
        Ok(ServiceReply::Done)
    }

    /// Whether sessions survive it is the hub's configuration; new connections need the new key.
    pub(super) fn regenerate_key(
        &mut self,
        device: DeviceId,
        module: Option<ModuleId>,
        name: KeyName,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let key = SymmetricKey::generate(&mut self.random);
        let Some(DeviceAuthentication::Sas { primary, secondary }) =
            self.registry.authentication_mut(&identity)
        else {
            return Err(HubError::ArgumentInvalid(format!("{identity} has no symmetric keys")));
        };
        match name {
            KeyName::Primary => *primary = key.clone(),
            KeyName::Secondary => *secondary = key.clone(),
        }
        self.registry.changed(&identity.device);
        if identity.module.is_none() {
            self.record_registration(identity.device.clone(), now);
        }
        if self.config.key_rotation_ends_sessions {
            self.notices.push_back(match &identity.module {
                None => Notice::IdentityChanged { device: identity.device },
                Some(_) => Notice::ModuleChanged { identity },
            });
        }
        Ok(ServiceReply::KeyRegenerated(key))
    }

    pub(super) fn view(&self, device: DeviceId) -> Result<ServiceReply, HubError> {
        let Some(known) = self.registry.device(&device) else { return Err(HubError::DeviceNotFound(device)) };
        let (enabled, etag) = (known.enabled, known.etag());
        let cloud_to_device_messages = self.queues.get(&device).map_or(0, |queue| queue.len());
        let identity = ClientIdentity { device, module: None };
        let connected = self.presence.contains_key(&identity);
        let device = identity.device;
        Ok(ServiceReply::Device(DeviceView { device, etag, enabled, connected, cloud_to_device_messages }))
    }
}

/// What changes or deletes an identity states the ETag that it must have, as on a live hub.
fn matched(if_match: Option<&str>, etag: Option<&str>, identity: &str) -> Result<(), HubError> {
    match if_match {
        Some("*") => Ok(()),
        Some(stated) if etag == Some(stated.trim_matches('"')) => Ok(()),
        Some(_) => Err(HubError::PreconditionFailed(format!("{identity} has another ETag"))),
        None => Err(HubError::PreconditionFailed(format!("If-Match is missing for {identity}"))),
    }
}
