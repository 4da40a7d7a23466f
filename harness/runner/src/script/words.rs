//! Steps and events as a reader of the file knows them.

use hilarm_scenario::{EventMatch, Step};

/// A step's key in the file.
pub(super) fn kind(step: &Step) -> &'static str {
    match step {
        Step::Connect(_) => "connect",
        Step::Disconnect(_) => "disconnect",
        Step::Reconnect(_) => "reconnect",
        Step::Behaviour(_) => "behaviour",
        Step::StopBehaviour(_) => "stop_behaviour",
        Step::SendTelemetry(_) => "send_telemetry",
        Step::ReceiveHttps(_) => "receive_https",
        Step::UploadFile(_) => "upload_file",
        Step::ReadTwin(_) => "read_twin",
        Step::ReportProperties(_) => "report_properties",
        Step::PatchDesired(_) => "patch_desired",
        Step::InvokeMethod(_) => "invoke_method",
        Step::PatchTags(_) => "patch_tags",
        Step::WriteTwin(_) => "write_twin",
        Step::GetTwin(_) => "get_twin",
        Step::TakeFileNotifications(_) => "take_file_notifications",
        Step::PutDevice(_) => "put_device",
        Step::GetDevice(_) => "get_device",
        Step::PutModule(_) => "put_module",
        Step::DeleteModule(_) => "delete_module",
        Step::GenerateVerificationCode(_) => "generate_verification_code",
        Step::VerifyCertificate(_) => "verify_certificate",
        Step::GetCertificate(_) => "get_certificate",
        Step::GetDiagnosticSetting(_) => "get_diagnostic_setting",
        Step::SetIpFilter(_) => "set_ip_filter",
        Step::PutHubProperties(_) => "put_hub_properties",
        Step::GetHub(_) => "get_hub",
        Step::GetSecurityGroup(_) => "get_security_group",
        Step::DeleteSecurityGroup(_) => "delete_security_group",
        Step::PutSecuritySolution(_) => "put_security_solution",
        Step::PatchSecuritySolution(_) => "patch_security_solution",
        Step::GetSecuritySolution(_) => "get_security_solution",
        Step::DeleteSecuritySolution(_) => "delete_security_solution",
        Step::SendCloudToDevice(_) => "send_cloud_to_device",
        Step::TakeFeedback(_) => "take_feedback",
        Step::PurgeQueue(_) => "purge_queue",
        Step::SetDevice(_) => "set_device",
        Step::DeleteDevice(_) => "delete_device",
        Step::CopyKey(_) => "copy_key",
        Step::RotateKey(_) => "rotate_key",
        Step::PutCertificate(_) => "put_certificate",
        Step::DeleteCertificate(_) => "delete_certificate",
        Step::PutDiagnosticSetting(_) => "put_diagnostic_setting",
        Step::DeleteDiagnosticSetting(_) => "delete_diagnostic_setting",
        Step::SetNetworkRules(_) => "set_network_rules",
        Step::PutSecurityGroup(_) => "put_security_group",
        Step::LoadThreatIntelligence(_) => "load_threat_intelligence",
        Step::TuneDefender(_) => "tune_defender",
        Step::RunFor(_) => "run_for",
        Step::Advance(_) => "advance",
        Step::WaitFor(_) => "wait_for",
        Step::Network(_) => "network",
        Step::Malicious(_) => "malicious",
        Step::Parallel(_) => "parallel",
        Step::Repeat(_) => "repeat",
    }
}

/// An event as a reader would write it.
pub(crate) fn describe(event: &EventMatch) -> String {
    match serde_json::to_value(event) {
        Ok(serde_json::Value::Object(map)) => map
            .into_iter()
            .map(|(name, fields)| format!("{name} {}", compact(&fields)))
            .collect::<Vec<_>>()
            .join(", "),
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

fn compact(fields: &serde_json::Value) -> String {
    let serde_json::Value::Object(fields) = fields else { return fields.to_string() };
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    let text = known.map(|(name, value)| match value {
        serde_json::Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    });
    format!("{{ {} }}", text.collect::<Vec<_>>().join(", "))
}
