//! What each request needs of its caller, and what happens without it: the service plane refuses with
//! 401002, the management plane with 403. Every refusal is a fact, whatever its reason; writes of certificates
//! and diagnostic settings record theirs as failed attempts.

use hilarm_model::{DeviceId, HubEvent, Now};

use super::Core;
use crate::service::{Caller, HubError, Right, ServiceRequest};

/// The right that a request needs, the name of the operation, and the device it names. Requests that only
/// drive the stand-in itself need none.
fn requirement(request: &ServiceRequest) -> Option<(Right, &'static str, Option<&DeviceId>)> {
    use ServiceRequest as R;
    Some(match request {
        R::LoadThreatList(_) | R::StartMonitoring | R::ConfigureProfile(_) | R::TuneDefender(_) => {
            return None;
        }
        // The blob store asks for the signature it was granted with.
        R::PutBlob { .. } => return None,
        R::PutDevice { device, .. } | R::CreateDevice { device, .. } | R::UpdateDevice { device, .. } => {
            (Right::RegistryWrite, "put device", Some(device))
        }
        R::PutModule { device, .. } | R::CreateModule { device, .. } => {
            (Right::RegistryWrite, "put module", Some(device))
        }
        R::DeleteModule { device, .. } => (Right::RegistryWrite, "delete module", Some(device)),
        R::RegenerateKey { device, .. } => (Right::RegistryWrite, "regenerate key", Some(device)),
        R::DeleteDevice { device, .. } => (Right::RegistryWrite, "delete device", Some(device)),
        R::SetDeviceEnabled { device, .. } => (Right::RegistryWrite, "set device status", Some(device)),
        R::GetDevice { device } => (Right::RegistryRead, "get device", Some(device)),
        R::PatchDesired { device, .. } | R::ReplaceDesired { device, .. } => {
            (Right::ServiceConnect, "update desired properties", Some(device))
        }
        R::PatchTags { device, .. } | R::ReplaceTags { device, .. } => {
            (Right::ServiceConnect, "update tags", Some(device))
        }
        R::WriteTwinJson { device, .. } => (Right::ServiceConnect, "update twin", Some(device)),
        R::GetTwin { device, .. } => (Right::ServiceConnect, "get twin", Some(device)),
        R::SendCloudToDevice { device, .. } => {
            (Right::ServiceConnect, "send cloud-to-device message", Some(device))
        }
        R::PurgeCloudToDevice { device } => (Right::ServiceConnect, "purge queue", Some(device)),
        R::InvokeMethod { device, .. } => (Right::ServiceConnect, "direct method", Some(device)),
        R::ReceiveCloudToDevice { device, .. } | R::SettleCloudToDevice { device, .. } => {
            (Right::DeviceConnect, "receive cloud-to-device message", Some(device))
        }
        R::BeginFileUpload { device, .. } | R::CompleteFileUpload { device, .. } => {
            (Right::DeviceConnect, "file upload", Some(device))
        }
        R::ReceiveFeedback | R::SettleFeedback { .. } => (Right::ServiceConnect, "receive feedback", None),
        R::ReceiveFileNotification | R::SettleFileNotification { .. } => {
            (Right::ServiceConnect, "receive file notification", None)
        }
        R::GetCertificate { .. } => (Right::CertificatesRead, "get certificate", None),
        R::PutCertificate { .. }
        | R::PutCertificateAuthority { .. }
        | R::VerifyCertificate { .. }
        | R::GenerateVerificationCode { .. } => (Right::CertificatesWrite, "write certificate", None),
        R::DeleteCertificate { .. } | R::DeleteCertificateAuthority { .. } => {
            (Right::CertificatesDelete, "delete certificate", None)
        }
        R::PutDiagnosticSetting { .. } | R::PutDiagnosticSettingJson { .. } => {
            (Right::DiagnosticSettingsWrite, "write diagnostic setting", None)
        }
        R::GetDiagnosticSetting { .. } => (Right::HubRead, "get diagnostic setting", None),
        R::DeleteDiagnosticSetting { .. } => {
            (Right::DiagnosticSettingsDelete, "delete diagnostic setting", None)
        }
        R::SetNetworkRules(_) | R::PutHubPropertiesJson { .. } => (Right::HubWrite, "write hub", None),
        R::GetHubProperties => (Right::HubRead, "get hub", None),
        R::PutSecurityGroup { .. }
        | R::PutSecurityGroupJson { .. }
        | R::DeleteSecurityGroup { .. }
        | R::PutSecuritySolutionJson { .. }
        | R::PatchSecuritySolutionJson { .. }
        | R::DeleteSecuritySolution { .. } => (Right::SecurityWrite, "write security configuration", None),
        R::GetSecurityGroup { .. } | R::GetSecuritySolution { .. } => {
            (Right::SecurityRead, "get security configuration", None)
        }
    })
}

/// What a refused request was about: the operation, and the device it names. Nothing for requests whose
/// refusals have facts of their own.
pub(super) fn subject(request: &ServiceRequest) -> Option<(&'static str, Option<DeviceId>)> {
    use ServiceRequest as R;
    match request {
        R::PutCertificate { .. }
        | R::PutCertificateAuthority { .. }
        | R::VerifyCertificate { .. }
        | R::DeleteCertificate { .. }
        | R::DeleteCertificateAuthority { .. }
        | R::PutDiagnosticSetting { .. }
        | R::PutDiagnosticSettingJson { .. }
        | R::DeleteDiagnosticSetting { .. } => None,
        request => requirement(request).map(|(_, operation, device)| (operation, device.cloned())),
    }
}

/// The code of a refusal on the management plane.
const FORBIDDEN: u32 = 403_000;

impl Core {
    /// Refuses a caller that lacks the right, and records that it tried.
    pub(super) fn permit(
        &mut self,
        caller: &Caller,
        request: &ServiceRequest,
        now: Now,
    ) -> Result<(), HubError> {
        let Some((right, operation, device)) = requirement(request) else { return Ok(()) };
        if caller.has(right) {
            return Ok(());
        }
        if !right.is_of_service_plane() {
            self.record_failed_attempt(caller, operation, request, now);
            return Err(HubError::Forbidden { caller: caller.name.clone(), right });
        }
        let refusal = HubError::UnauthorizedAccess(format!("{operation} needs {right}"));
        let device = device.cloned();
        self.record_refusal(caller, operation, device, &refusal, now);
        Err(refusal)
    }

    /// Every refusal is a fact, wherever it came from.
    pub(super) fn record_refusal(
        &mut self,
        caller: &Caller,
        operation: &str,
        device: Option<DeviceId>,
        refusal: &HubError,
        now: Now,
    ) {
        let (operation, caller, code) = (operation.to_owned(), caller.name.clone(), refusal.code());
        self.record(HubEvent::ServiceOperationRefused { device, operation, caller, code }, now);
    }

    /// Attempts on certificates and diagnostic settings have facts of their own, which a success has, too.
    fn record_failed_attempt(
        &mut self,
        caller: &Caller,
        operation: &str,
        request: &ServiceRequest,
        now: Now,
    ) {
        use ServiceRequest as R;
        let (caller, status) = (caller.name.clone(), 403);
        let event = match request {
            R::PutCertificate { name, .. }
            | R::PutCertificateAuthority { name, .. }
            | R::VerifyCertificate { name, .. } => {
                HubEvent::CertificateWritten { name: name.clone(), status, change: None, caller }
            }
            R::DeleteCertificate { name, .. } | R::DeleteCertificateAuthority { name } => {
                let existed = self.management.certificates.contains_key(name);
                HubEvent::CertificateDeleted { name: name.clone(), status, existed, caller }
            }
            R::PutDiagnosticSetting { name, .. } | R::PutDiagnosticSettingJson { name, .. } => {
                let (name, enabled_categories) = (name.clone(), Vec::new());
                HubEvent::DiagnosticSettingWritten { name, status, enabled_categories, caller }
            }
            R::DeleteDiagnosticSetting { name } => {
                let existed = self.management.diagnostics.contains_key(name);
                HubEvent::DiagnosticSettingDeleted { name: name.clone(), status, existed, caller }
            }
            _ => {
                let operation = operation.to_owned();
                HubEvent::ServiceOperationRefused { device: None, operation, caller, code: FORBIDDEN }
            }
        };
        self.record(event, now);
    }
}
