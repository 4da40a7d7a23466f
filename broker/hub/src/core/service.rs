//! The service and management half of the core: each request, once its caller is known to have the right
//! (`rights`), goes to the room that carries it out. Direct methods are begun here.

use std::time::Duration;

use hilarm_model::{DeviceId, HubEvent, MethodOutcome, ModuleId, Now, Timestamp};
use serde_json::Value;

use super::cloud_to_device::DeliveryLock;
use super::metering::counts;
use super::methods::Invocation;
use super::rights::subject;
use super::twin_service::TwinWrite::{Patch, Replace};
use super::{Core, CoreTimer, Notice};
use crate::config::Telling;
use crate::service::{Caller, HubError, ServiceReply, ServiceRequest, Settlement};

impl Core {
    /// A request of the caller that may do everything.
    #[cfg(test)]
    pub(crate) fn service(&mut self, request: ServiceRequest, now: Now) -> Result<ServiceReply, HubError> {
        self.service_as(&Caller::owner(), request, now)
    }

    /// A request of somebody: permitted, carried out, and recorded where it is refused.
    pub(crate) fn service_as(
        &mut self,
        caller: &Caller,
        request: ServiceRequest,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        self.permit(caller, &request, now)?;
        let subject = subject(&request);
        let outcome = self.meter(caller, request, now);
        if let (Err(refusal), Some((operation, device))) = (&outcome, subject)
            && !matches!(refusal, HubError::DeviceNotOnline(_))
        {
            self.record_refusal(caller, operation, device, refusal, now);
        }
        outcome
    }

    /// Carries out what the hub's throttles and the quota of the day let through.
    fn meter(
        &mut self,
        caller: &Caller,
        request: ServiceRequest,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let metered = self.metered(&request);
        let Some((kind, bytes)) = metered else { return self.carry_out(caller, request, now) };
        self.admit(kind, bytes, now)?;
        let outcome = self.carry_out(caller, request, now);
        if counts(kind, &outcome) {
            self.charge(bytes, now);
        }
        outcome
    }

    fn carry_out(
        &mut self,
        caller: &Caller,
        request: ServiceRequest,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        use ServiceRequest as R;
        match request {
            R::PutDevice { device, authentication, security_group } => {
                self.put_device(device, authentication, security_group, now)
            }
            R::CreateDevice { device, authentication, security_group } => {
                self.create_device(device, authentication, security_group, now)
            }
            R::UpdateDevice { device, authentication, if_match } => {
                self.update_device(device, authentication, &if_match, now)
            }
            R::CreateModule { device, module, authentication } => {
                self.usable(&device)?;
                self.create_module(device, module, authentication)
            }
            R::PutModule { device, module, authentication } => {
                self.usable(&device)?;
                self.put_module(device, module, authentication)
            }
            R::DeleteModule { device, module, if_match } => {
                self.usable(&device)?;
                self.delete_module(device, module, if_match.as_deref())
            }
            R::DeleteDevice { device, if_match } => self.delete_device(device, if_match.as_deref(), now),
            R::SetDeviceEnabled { device, enabled } => self.set_enabled(device, enabled, now),
            R::RegenerateKey { device, module, key } => {
                module.as_ref().map_or(Ok(()), |_| self.usable(&device))?;
                self.regenerate_key(device, module, key, now)
            }
            R::GetDevice { device } => self.view(device),
            R::PatchDesired { device, module, patch } => {
                self.write_desired((device, module), Patch, patch, now)
            }
            R::ReplaceDesired { device, module, properties } => {
                self.write_desired((device, module), Replace, properties, now)
            }
            R::PatchTags { device, module, patch } => self.write_tags((device, module), Patch, &patch, now),
            R::ReplaceTags { device, module, tags } => self.write_tags((device, module), Replace, &tags, now),
            R::WriteTwinJson { device, module, json, replace, if_match } => {
                let write = if replace { Replace } else { Patch };
                self.write_twin((device, module), write, json, if_match.as_deref(), now)
            }
            R::GetTwin { device, module } => self.twin(device, module),
            R::SendCloudToDevice { device, message_id, payload, properties, ttl } => {
                self.enqueue(device, message_id, payload, properties, ttl, now)
            }
            R::PurgeCloudToDevice { device } => self.purge(device, now),
            R::ReceiveFeedback => Ok(self.receive_feedback(now)),
            R::SettleFeedback { lock, settlement } => {
                let limits = self.config.feedback;
                let settled = |lock| self.feedback.settle(lock, settlement, limits, now);
                settle_told(&lock, settlement, settled)
            }
            R::ReceiveFileNotification => Ok(self.receive_file_notification(now)),
            R::SettleFileNotification { lock, settlement } => {
                let limits = self.config.file_notifications.unwrap_or(Telling::DEFAULT);
                let settled = |lock| self.file_notifications.settle(lock, settlement, limits, now);
                settle_told(&lock, settlement, settled)
            }
            R::ReceiveCloudToDevice { device, protocol } => self.receive_for(device, protocol, now),
            R::SettleCloudToDevice { device, lock, settlement } => {
                self.settle_for(device, &lock, settlement, now)
            }
            R::BeginFileUpload { device, blob } => {
                let identity = self.known(device, None)?;
                self.begin_upload(&identity.device, &blob, now).map(ServiceReply::FileUploadBegun)
            }
            R::PutBlob { blob_path, sas_token, bytes, write } => {
                self.put_blob(&blob_path, &sas_token, bytes, write, now).map(|()| ServiceReply::Done)
            }
            R::CompleteFileUpload { device, correlation_id, success } => {
                self.complete_upload(&device, &correlation_id, success, now).map(|()| ServiceReply::Done)
            }
            R::InvokeMethod { device, module, name, payload, timeout } => {
                self.invoke(device, module, name, &payload, timeout, now)
            }
            R::PutCertificate { name, certificate, verified, if_match } => {
                self.put_certificate(name, &certificate, verified, if_match.as_deref(), caller, now)
            }
            R::PutCertificateAuthority { name, der } => {
                self.put_certificate(name, &der, true, None, caller, now)?;
                Ok(ServiceReply::Done)
            }
            R::VerifyCertificate { name, certificate, if_match } => {
                self.verify_certificate(name, &certificate, if_match.as_deref(), caller, now)
            }
            R::GenerateVerificationCode { name } => self.generate_verification_code(name),
            R::GetCertificate { name } => self.certificate_reply(name, 200),
            R::DeleteCertificate { name, if_match } => {
                self.delete_certificate(name, if_match.as_deref(), caller, now)
            }
            R::DeleteCertificateAuthority { name } => {
                self.delete_authority(name, caller, now)?;
                Ok(ServiceReply::Done)
            }
            R::PutDiagnosticSetting { name, categories } => {
                self.put_diagnostic_setting(name, categories, caller, now)
            }
            R::PutDiagnosticSettingJson { name, json } => {
                self.put_diagnostic_setting_json(name, &json, caller, now)
            }
            R::GetDiagnosticSetting { name } => self.diagnostic_setting_reply(&name),
            R::DeleteDiagnosticSetting { name } => Ok(self.delete_diagnostic_setting(name, caller, now)),
            R::SetNetworkRules(rules) => Ok(self.set_network_rules(rules, now)),
            R::PutHubPropertiesJson { json } => self.put_hub_properties(&json, now),
            R::GetHubProperties => Ok(self.hub_properties()),
            R::PutSecurityGroup { name, group } => Ok(self.put_security_group(&name, group, now)),
            R::PutSecurityGroupJson { name, json } => self.put_security_group_json(&name, json, now),
            R::GetSecurityGroup { name } => self.security_group_reply(&name, 200),
            R::DeleteSecurityGroup { name } => Ok(self.delete_security_group(&name, now)),
            R::PutSecuritySolutionJson { name, json } => self.put_security_solution(&name, json, now),
            R::PatchSecuritySolutionJson { name, json } => self.patch_security_solution(&name, &json, now),
            R::GetSecuritySolution { name } => self.security_solution_reply(&name, 200),
            R::DeleteSecuritySolution { name } => Ok(self.delete_security_solution(&name, now)),
            R::LoadThreatList(list) => self.fact(HubEvent::ThreatListLoaded(list), now),
            R::ConfigureProfile(profile) => self.fact(HubEvent::ProfileConfigured(profile), now),
            R::TuneDefender(tuning) => self.fact(HubEvent::DefenderTuned(tuning), now),
            R::StartMonitoring => self.fact(HubEvent::MonitoringStarted, now),
        }
    }

    fn fact(&mut self, event: HubEvent, now: Now) -> Result<ServiceReply, HubError> {
        self.record(event, now);
        Ok(ServiceReply::Done)
    }

    /// The calendar jumped; whatever fell due on the way falls due now.
    pub(crate) fn calendar_advanced(&mut self, from: Timestamp, now: Now) {
        self.record(HubEvent::CalendarAdvanced { from }, now);
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

/// What the hub tells is completed or given back; there is no rejecting it.
fn settle_told(
    lock: &str,
    settlement: Settlement,
    settled: impl FnOnce(DeliveryLock) -> bool,
) -> Result<ServiceReply, HubError> {
    if settlement == Settlement::Reject {
        return Err(HubError::ArgumentInvalid("feedback and notices are completed or abandoned".into()));
    }
    if lock.parse().is_ok_and(settled) {
        Ok(ServiceReply::Done)
    } else {
        Err(HubError::NotificationLockLost(lock.to_owned()))
    }
}
