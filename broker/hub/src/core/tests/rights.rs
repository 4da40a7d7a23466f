//! Callers without a right: refused, and the refusal is a fact.

use super::*;
use crate::service::{Caller, Right};

fn nobody() -> Caller {
    Caller::new("intern", [])
}

#[test]
fn a_service_call_without_its_right_is_refused_and_names_the_device() {
    let mut core = core();
    let reader = Caller::new("reader", [Right::RegistryRead]);
    let (name, payload, timeout) = ("stop".into(), json!(null), Duration::from_secs(30));
    let method = ServiceRequest::InvokeMethod { device: device(), module: None, name, payload, timeout };
    assert_eq!(core.service_as(&reader, method, at(1)).unwrap_err().code(), 401_002);
    let refused = HubEvent::ServiceOperationRefused {
        device: Some(device()),
        operation: "direct method".into(),
        caller: "reader".into(),
        code: 401_002,
    };
    assert_eq!(facts(&mut core), [refused]);
    assert!(core.service_as(&reader, ServiceRequest::GetDevice { device: device() }, at(1)).is_ok());
}

#[test]
fn a_refused_call_changes_nothing() {
    let mut core = core();
    let delete = ServiceRequest::DeleteDevice { device: device(), if_match: Some("*".into()) };
    assert!(core.service_as(&nobody(), delete, at(1)).is_err());
    assert!(core.service(ServiceRequest::GetDevice { device: device() }, at(1)).is_ok());
}

#[test]
fn failed_attempts_on_certificates_and_diagnostic_settings_are_facts_with_403() {
    let mut core = core();
    let name = || String::from("plant");
    for request in [
        ServiceRequest::PutCertificate {
            name: name(),
            certificate: Vec::new(),
            verified: true,
            if_match: None,
        },
        ServiceRequest::DeleteCertificate { name: name(), if_match: None },
        ServiceRequest::PutDiagnosticSetting { name: name(), categories: vec!["Connections".into()] },
        ServiceRequest::DeleteDiagnosticSetting { name: name() },
    ] {
        assert_eq!(core.service_as(&nobody(), request, at(1)).unwrap_err().status(), 403);
    }
    let (status, caller) = (403, String::from("intern"));
    let expected = [
        HubEvent::CertificateWritten { name: name(), status, change: None, caller: caller.clone() },
        HubEvent::CertificateDeleted { name: name(), status, existed: false, caller: caller.clone() },
        HubEvent::DiagnosticSettingWritten {
            name: name(),
            status,
            enabled_categories: Vec::new(),
            caller: caller.clone(),
        },
        HubEvent::DiagnosticSettingDeleted { name: name(), status, existed: false, caller },
    ];
    assert_eq!(facts(&mut core), expected);
}

#[test]
fn network_rules_and_security_groups_need_rights_of_the_management_plane_and_attempts_are_facts() {
    let mut core = core();
    let service = Caller::new("service", [Right::ServiceConnect, Right::RegistryWrite]);
    for request in [
        ServiceRequest::SetNetworkRules(Default::default()),
        ServiceRequest::PutSecurityGroup { name: "plant".into(), group: Default::default() },
    ] {
        assert_eq!(core.service_as(&service, request, at(1)).unwrap_err().code(), 403_000);
    }
    let refused = |operation: &str| HubEvent::ServiceOperationRefused {
        device: None,
        operation: operation.into(),
        caller: "service".into(),
        code: 403_000,
    };
    assert_eq!(facts(&mut core), [refused("write hub"), refused("write security configuration")]);
}
