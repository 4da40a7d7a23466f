//! The service and management half of the core: identities, authorities, groups, twins, methods and
//! cloud-to-device messages, as requests of a service that is trusted.

use std::collections::BTreeMap;
use std::time::Duration;

use hilarm_model::{DeviceId, HubEvent, MethodOutcome, ModuleId, Now, Timestamp, TwinSection};
use serde_json::{Value, json};

use super::auth::x509::is_certificate;
use super::cloud_to_device::CloudToDeviceMessage;
use super::methods::Invocation;
use super::registry::{ClientIdentity, DeviceAuthentication};
use super::twin::{InvalidPatch, with_version};
use super::{Core, CoreTimer, Notice};
use crate::service::{DeviceView, HubError, ServiceReply, ServiceRequest};

/// IoT Hub's bounds of a cloud-to-device message's lifetime: 1 minute to 2 days.
const TTL_MIN: Duration = Duration::from_secs(60);
const TTL_MAX: Duration = Duration::from_secs(2 * 86_400);

/// Properties travel in an MQTT topic, percent-encoded, so they must stay well below 64 KiB.
const PROPERTIES_BYTES_MAX: usize = 16 * 1024;
const MESSAGE_ID_BYTES_MAX: usize = 128;

impl From<InvalidPatch> for HubError {
    fn from(why: InvalidPatch) -> Self {
        Self::ArgumentInvalid(why.to_string())
    }
}

impl Core {
    pub(crate) fn service(&mut self, request: ServiceRequest, now: Now) -> Result<ServiceReply, HubError> {
        use ServiceRequest as R;
        match request {
            R::PutDevice { device, authentication, security_group } => {
                self.put_device(device, authentication, security_group, now)
            }
            R::PutModule { device, module, authentication } => {
                self.put_module(&device, module, authentication)
            }
            R::DeleteDevice { device } => self.delete_device(device),
            R::SetDeviceEnabled { device, enabled } => self.set_enabled(device, enabled),
            R::GetDevice { device } => self.view(device),
            R::PutCertificateAuthority { name, der } => self.put_authority(name, der),
            R::DeleteCertificateAuthority { name } => self.delete_authority(name),
            R::PutSecurityGroup { name, group } => {
                let name = name.to_lowercase();
                self.fact(HubEvent::SecurityGroupConfigured { name, group }, now)
            }
            R::LoadThreatList(list) => self.fact(HubEvent::ThreatListLoaded(list), now),
            R::StartMonitoring => self.fact(HubEvent::MonitoringStarted, now),
            R::PatchDesired { device, module, patch } => self.patch_desired(device, module, patch, now),
            R::PatchTags { device, module, patch } => self.patch_tags(device, module, &patch, now),
            R::GetTwin { device, module } => self.twin(device, module),
            R::SendCloudToDevice { device, message_id, payload, properties, ttl } => {
                self.enqueue(device, message_id, payload, properties, ttl, now)
            }
            R::PurgeCloudToDevice { device } => self.purge(device),
            R::InvokeMethod { device, module, name, payload, timeout } => {
                self.invoke(device, module, name, &payload, timeout, now)
            }
        }
    }

    /// The calendar jumped; whatever fell due on the way falls due now.
    pub(crate) fn calendar_advanced(&mut self, from: Timestamp, now: Now) {
        self.record(HubEvent::CalendarAdvanced { from }, now);
    }

    fn fact(&mut self, event: HubEvent, now: Now) -> Result<ServiceReply, HubError> {
        self.record(event, now);
        Ok(ServiceReply::Done)
    }

    fn put_device(
        &mut self,
        device: DeviceId,
        authentication: DeviceAuthentication,
        security_group: Option<String>,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        if let Some(group) = security_group {
            let identity = ClientIdentity { device: device.clone(), module: None };
            self.twins.entry(identity).or_default().tags.patch(&json!({ "SecurityGroup": group }))?;
        }
        if self.registry.put_device(device.clone(), authentication) {
            self.notices.push_back(Notice::IdentityChanged { device: device.clone() });
        }
        self.record_registration(device, now);
        Ok(ServiceReply::Done)
    }

    /// Also recorded when only the security group changed: the fact carries both.
    fn record_registration(&mut self, device: DeviceId, now: Now) {
        let Some(known) = self.registry.device(&device) else { return };
        let authentication = known.authentication.facts();
        let identity = ClientIdentity { device: device.clone(), module: None };
        let security_group = self.twins.entry(identity).or_default().security_group().to_owned();
        self.record(HubEvent::DeviceRegistered { device, authentication, security_group }, now);
    }

    fn put_module(
        &mut self,
        device: &DeviceId,
        module: ModuleId,
        authentication: DeviceAuthentication,
    ) -> Result<ServiceReply, HubError> {
        let known = self.registry.device_mut(device);
        let known = known.ok_or_else(|| HubError::DeviceNotFound(device.clone()))?;
        known.modules.insert(module, authentication);
        Ok(ServiceReply::Done)
    }

    fn delete_device(&mut self, device: DeviceId) -> Result<ServiceReply, HubError> {
        if !self.registry.delete_device(&device) {
            return Err(HubError::DeviceNotFound(device));
        }
        self.queues.remove(&device);
        self.twins.retain(|identity, _| identity.device != device);
        self.notices.push_back(Notice::IdentityDeleted { device });
        Ok(ServiceReply::Done)
    }

    fn set_enabled(&mut self, device: DeviceId, enabled: bool) -> Result<ServiceReply, HubError> {
        let known = self.registry.device_mut(&device);
        known.ok_or_else(|| HubError::DeviceNotFound(device.clone()))?.enabled = enabled;
        if !enabled {
            self.notices.push_back(Notice::IdentityChanged { device });
        }
        Ok(ServiceReply::Done)
    }

    fn view(&self, device: DeviceId) -> Result<ServiceReply, HubError> {
        let Some(known) = self.registry.device(&device) else { return Err(HubError::DeviceNotFound(device)) };
        let enabled = known.enabled;
        let cloud_to_device_messages = self.queues.get(&device).map_or(0, |queue| queue.len());
        let identity = ClientIdentity { device, module: None };
        let connected = self.presence.contains_key(&identity);
        let device = identity.device;
        Ok(ServiceReply::Device(DeviceView { device, enabled, connected, cloud_to_device_messages }))
    }

    fn put_authority(&mut self, name: String, der: Vec<u8>) -> Result<ServiceReply, HubError> {
        if !is_certificate(&der) {
            return Err(HubError::ArgumentInvalid(format!("{name} is not a DER X.509 certificate")));
        }
        self.registry.put_authority(name, der);
        Ok(ServiceReply::Done)
    }

    fn delete_authority(&mut self, name: String) -> Result<ServiceReply, HubError> {
        let deleted = self.registry.delete_authority(&name);
        if deleted { Ok(ServiceReply::Done) } else { Err(HubError::CertificateNotFound(name)) }
    }

    /// The identity, if the registry knows it.
    fn known(&self, device: DeviceId, module: Option<ModuleId>) -> Result<ClientIdentity, HubError> {
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

    fn patch_desired(
        &mut self,
        device: DeviceId,
        module: Option<ModuleId>,
        patch: Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let version = self.twins.entry(identity.clone()).or_default().desired.patch(&patch)?;
        self.record_twin_update(&identity, TwinSection::Desired, version, now);
        if let Value::Object(delta) = patch {
            let body = with_version(&delta, version);
            self.notify(&identity, Notice::DesiredChanged { identity: identity.clone(), body, version });
        }
        Ok(ServiceReply::Done)
    }

    fn patch_tags(
        &mut self,
        device: DeviceId,
        module: Option<ModuleId>,
        patch: &Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let twin = self.twins.entry(identity.clone()).or_default();
        let group_before = twin.security_group().to_owned();
        let version = twin.tags.patch(patch)?;
        let moved = identity.module.is_none() && twin.security_group() != group_before;
        self.record_twin_update(&identity, TwinSection::Tags, version, now);
        if moved {
            self.record_registration(identity.device, now);
        }
        Ok(ServiceReply::Done)
    }

    fn twin(&mut self, device: DeviceId, module: Option<ModuleId>) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let mut view = self.twins.entry(identity.clone()).or_default().for_service();
        view.insert("deviceId".into(), identity.device.as_str().into());
        if let Some(module) = &identity.module {
            view.insert("moduleId".into(), module.as_str().into());
        }
        Ok(ServiceReply::Twin(Value::Object(view)))
    }

    fn enqueue(
        &mut self,
        device: DeviceId,
        message_id: String,
        payload: Vec<u8>,
        properties: BTreeMap<String, String>,
        ttl: Option<Duration>,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, None)?;
        let ttl = ttl.unwrap_or(self.config.cloud_to_device_ttl);
        if !(TTL_MIN..=TTL_MAX).contains(&ttl) {
            return Err(HubError::ArgumentInvalid("ttl lies outside 1 minute to 2 days".into()));
        }
        let bytes_max = self.config.cloud_to_device_bytes_max;
        let text = properties.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if message_id.len() > MESSAGE_ID_BYTES_MAX || text > PROPERTIES_BYTES_MAX {
            return Err(HubError::ArgumentInvalid("message id or properties are too long".into()));
        }
        if payload.len() + text > bytes_max {
            return Err(HubError::MessageTooLarge { bytes_max });
        }
        let device = identity.device.clone();
        let queue = self.queues.entry(device.clone()).or_default();
        if queue.len() >= self.config.queue_depth_max {
            return Err(HubError::DeviceMaximumQueueDepthExceeded(device));
        }
        let expiry = now.unix + ttl;
        let message = CloudToDeviceMessage { message_id: message_id.clone(), payload, properties, expiry };
        let token = queue.enqueue(message);
        self.timers.set_calendar(expiry, CoreTimer::Expiry(device.clone(), token));
        let protocol = self.last_protocols.get(&device).copied();
        self.record(HubEvent::CloudToDeviceEnqueued { device: device.clone(), message_id, protocol }, now);
        self.notify(&identity, Notice::CloudToDeviceWaiting { device });
        Ok(ServiceReply::Done)
    }

    fn purge(&mut self, device: DeviceId) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, None)?;
        let messages = self.queues.get_mut(&identity.device).map_or(0, |queue| queue.purge());
        Ok(ServiceReply::Purged { messages })
    }

    fn invoke(
        &mut self,
        device: DeviceId,
        module: Option<ModuleId>,
        method: String,
        payload: &Value,
        timeout: Duration,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let identity = self.known(device, module)?;
        let well_named = !method.is_empty() && method.len() <= 128 && !method.contains(['/', '+', '#']);
        if !well_named || method.contains(|c: char| c.is_control()) {
            return Err(HubError::ArgumentInvalid("the method name cannot be part of a topic".into()));
        }
        let payload = payload.to_string().into_bytes();
        if payload.len() > self.config.method_bytes_max {
            return Err(HubError::MessageTooLarge { bytes_max: self.config.method_bytes_max });
        }
        if !self.presence.get(&identity).is_some_and(|presence| presence.listens_for_methods) {
            let device = identity.device.clone();
            let outcome = MethodOutcome::DeviceOffline;
            self.record(HubEvent::DirectMethodInvoked { device, method, outcome }, now);
            return Err(HubError::DeviceNotOnline(identity.device));
        }
        let deadline = now.mono + timeout;
        let invocation = Invocation { identity: identity.clone(), method: method.clone(), deadline };
        let ticket = self.invocations.start(invocation);
        self.timers.set(deadline, CoreTimer::Method(ticket));
        self.notices.push_back(Notice::MethodInvoked { identity, ticket, method, payload });
        Ok(ServiceReply::MethodInvoked(ticket))
    }
}
