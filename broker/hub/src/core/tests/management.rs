//! The management plane: certificates, diagnostic settings, network rules and Defender's configuration.

use hilarm_model::{AllowList, AllowRuleType, CertificateChange, NetworkRules, RangeRuleType};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::*;
use crate::service::ManagedReply;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "plant root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(super) fn managed(core: &mut Core, request: ServiceRequest) -> Result<ManagedReply, HubError> {
    match core.service(request, at(1))? {
        ServiceReply::Managed(reply) => Ok(reply),
        other => panic!("{other:?}"),
    }
}

fn put_certificate(
    core: &mut Core,
    certificate: &[u8],
    if_match: Option<&str>,
) -> Result<ManagedReply, HubError> {
    let (certificate, if_match) = (certificate.to_vec(), if_match.map(str::to_owned));
    let name = "plant".into();
    managed(core, ServiceRequest::PutCertificate { name, certificate, verified: false, if_match })
}

fn delete_certificate(core: &mut Core, if_match: Option<&str>) -> Result<ManagedReply, HubError> {
    let if_match = if_match.map(str::to_owned);
    managed(core, ServiceRequest::DeleteCertificate { name: "plant".into(), if_match })
}

fn write_fact(status: u16, change: Option<CertificateChange>) -> HubEvent {
    HubEvent::CertificateWritten { name: "plant".into(), status, change, caller: "owner".into() }
}

fn delete_fact(status: u16, existed: bool) -> HubEvent {
    HubEvent::CertificateDeleted { name: "plant".into(), status, existed, caller: "owner".into() }
}

#[test]
fn a_certificate_is_added_kept_and_replaced_and_each_is_a_fact_of_its_own() {
    let mut core = core();
    let (first, second) = (authority(), authority());
    assert_eq!(put_certificate(&mut core, first.der(), None).unwrap().status, 201);
    assert_eq!(put_certificate(&mut core, first.pem().as_bytes(), None).unwrap().status, 200);
    let reply = put_certificate(&mut core, second.der(), None).unwrap();
    assert_eq!(reply.body["properties"]["subject"], "plant root");
    assert_eq!(reply.body["properties"]["isVerified"], false);
    let expected = [
        write_fact(201, Some(CertificateChange::Added)),
        write_fact(200, Some(CertificateChange::Unchanged)),
        write_fact(200, Some(CertificateChange::Replaced)),
    ];
    assert_eq!(facts(&mut core), expected);
}

#[test]
fn what_is_no_certificate_and_another_etag_are_failed_attempts() {
    let mut core = core();
    let authority = authority();
    assert_eq!(put_certificate(&mut core, b"noise", None).unwrap_err().status(), 400);
    assert_eq!(put_certificate(&mut core, authority.der(), Some("*")).unwrap_err().status(), 412);
    let etag = put_certificate(&mut core, authority.der(), None).unwrap().etag.unwrap();
    assert_eq!(delete_certificate(&mut core, Some("other")).unwrap_err().status(), 412);
    assert_eq!(delete_certificate(&mut core, Some(&format!("\"{etag}\""))).unwrap().status, 200);
    assert_eq!(delete_certificate(&mut core, None).unwrap().status, 204);
    let expected = [
        write_fact(400, None),
        write_fact(412, None),
        write_fact(201, Some(CertificateChange::Added)),
        delete_fact(412, true),
        delete_fact(200, true),
        delete_fact(204, false),
    ];
    assert_eq!(facts(&mut core), expected);
}

#[test]
fn a_certificate_is_verified_by_one_that_it_signed_for_its_code() {
    let mut core = core();
    let authority = authority();
    put_certificate(&mut core, authority.der(), None).unwrap();
    let code = managed(&mut core, ServiceRequest::GenerateVerificationCode { name: "plant".into() }).unwrap();
    let code = code.body["properties"]["verificationCode"].as_str().unwrap().to_owned();
    let signed = |common_name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap().der().to_vec()
    };
    let verify =
        |certificate| ServiceRequest::VerifyCertificate { name: "plant".into(), certificate, if_match: None };
    assert_eq!(managed(&mut core, verify(signed("another code"))).unwrap_err().status(), 400);
    assert_eq!(core.registry.authorities().count(), 0);
    let reply = managed(&mut core, verify(signed(&code))).unwrap();
    assert_eq!(reply.body["properties"]["isVerified"], true);
    assert_eq!(core.registry.authorities().count(), 1, "its chains are trusted now");
    assert_eq!(facts(&mut core).last(), Some(&write_fact(200, Some(CertificateChange::Unchanged))));
    delete_certificate(&mut core, None).unwrap();
    assert_eq!(core.registry.authorities().count(), 0);
    assert_eq!(managed(&mut core, verify(signed(&code))).unwrap_err().status(), 404);
}

#[test]
fn diagnostic_settings_are_written_and_deleted_and_unknown_categories_refused() {
    let mut core = core();
    let put = |category: &str| ServiceRequest::PutDiagnosticSetting {
        name: "logs".into(),
        categories: vec![category.into()],
    };
    assert_eq!(managed(&mut core, put("Connections")).unwrap().status, 200);
    assert_eq!(managed(&mut core, put("Weather")).unwrap_err().status(), 400);
    let delete = || ServiceRequest::DeleteDiagnosticSetting { name: "logs".into() };
    assert_eq!(managed(&mut core, delete()).unwrap().status, 200);
    assert_eq!(managed(&mut core, delete()).unwrap().status, 204);
    let written = |status, categories: &[&str]| HubEvent::DiagnosticSettingWritten {
        name: "logs".into(),
        status,
        enabled_categories: categories.iter().map(|category| (*category).into()).collect(),
        caller: "owner".into(),
    };
    let deleted = |status, existed| HubEvent::DiagnosticSettingDeleted {
        name: "logs".into(),
        status,
        existed,
        caller: "owner".into(),
    };
    let expected =
        [written(200, &["Connections"]), written(400, &[]), deleted(200, true), deleted(204, false)];
    assert_eq!(facts(&mut core), expected);
}

#[test]
fn a_diagnostic_setting_is_written_and_read_as_azure_s_json() {
    let mut core = core();
    let put = |logs: Value| ServiceRequest::PutDiagnosticSettingJson {
        name: "logs".into(),
        json: json!({ "properties": { "workspaceId": "w", "logs": logs } }),
    };
    let logs = json!([
        { "category": "Connections", "enabled": true, "retentionPolicy": { "enabled": false, "days": 0 } },
        { "category": "Routes", "enabled": false },
        { "categoryGroup": "audit", "enabled": true },
    ]);
    assert_eq!(managed(&mut core, put(logs)).unwrap().status, 200);
    let get = ServiceRequest::GetDiagnosticSetting { name: "logs".into() };
    let kept = json!([
        { "category": "Connections", "enabled": true },
        { "categoryGroup": "audit", "enabled": true },
    ]);
    assert_eq!(managed(&mut core, get).unwrap().body["properties"]["logs"], kept);
    for wrong in [
        json!({}),
        json!([{ "enabled": true }]),
        json!([{ "category": "Weather", "enabled": true }]),
        json!([{ "category": "Connections", "enabled": "yes" }]),
    ] {
        assert_eq!(managed(&mut core, put(wrong)).unwrap_err().status(), 400);
    }
    let written = |fact: &HubEvent| match fact {
        HubEvent::DiagnosticSettingWritten { status, enabled_categories, .. } => {
            (*status, enabled_categories.len())
        }
        other => panic!("{other:?}"),
    };
    let attempts: Vec<_> = facts(&mut core).iter().map(written).collect();
    assert_eq!(attempts, [(200, 2), (400, 0), (400, 0), (400, 0), (400, 0)]);
    let none = ServiceRequest::GetDiagnosticSetting { name: "other".into() };
    assert_eq!(managed(&mut core, none).unwrap_err().status(), 404);
}

#[test]
fn network_rules_are_a_fact_and_hold_from_then_on() {
    let mut core = core();
    let address = "10.42.0.2".parse().unwrap();
    assert!(core.admits(address));
    let body = json!({ "properties": { "networkRuleSets": { "defaultAction": "Deny", "ipRules": [] } } });
    let reply = managed(&mut core, ServiceRequest::PutHubPropertiesJson { json: body }).unwrap();
    assert_eq!(reply.body["properties"]["networkRuleSets"]["defaultAction"], "Deny");
    assert!(!core.admits(address));
    core.service(ServiceRequest::SetNetworkRules(NetworkRules::default()), at(2)).unwrap();
    assert!(core.admits(address));
    assert!(matches!(
        facts(&mut core)[..],
        [HubEvent::NetworkRulesChanged(_), HubEvent::NetworkRulesChanged(_)]
    ));
}

#[test]
fn properties_of_the_hub_rule_deliveries_and_lifetime_of_messages() {
    let mut core = core();
    let put = |count: u32, ttl: &str| ServiceRequest::PutHubPropertiesJson {
        json: json!({ "properties": {
            "cloudToDevice": { "maxDeliveryCount": count, "defaultTtlAsIso8601": ttl },
        }}),
    };
    let reply = managed(&mut core, put(1, "PT2M")).unwrap();
    assert_eq!(reply.body["properties"]["cloudToDevice"]["maxDeliveryCount"], 1);
    for (count, ttl) in [(0, "PT2M"), (101, "PT2M"), (1, "PT59S"), (1, "P3D"), (1, "soon")] {
        assert_eq!(managed(&mut core, put(count, ttl)).unwrap_err().code(), 400_004, "{count} {ttl}");
    }
    send(&mut core, "m1", at(0)).unwrap();
    facts(&mut core);
    core.handle_timeout(at(120));
    assert!(matches!(facts(&mut core)[..], [HubEvent::CloudToDeviceDeadLettered { .. }]));
}

#[test]
fn a_put_of_the_hub_resets_what_it_leaves_out_be_it_rules_or_lifetimes() {
    let mut core = core();
    let put = |properties: Value| ServiceRequest::PutHubPropertiesJson {
        json: json!({ "properties": properties }),
    };
    let default = managed(&mut core, ServiceRequest::GetHubProperties).unwrap().body;
    let telling = json!({ "ttlAsIso8601": "PT1M" });
    let changed = json!({
        "networkRuleSets": { "defaultAction": "Deny", "ipRules": [] },
        "cloudToDevice": { "maxDeliveryCount": 1, "defaultTtlAsIso8601": "PT2M", "feedback": telling },
        "messagingEndpoints": { "fileNotifications": telling }, "enableFileUploadNotifications": false,
    });
    assert_ne!(managed(&mut core, put(changed)).unwrap().body, default);
    assert_eq!(managed(&mut core, put(json!({}))).unwrap().body, default);
}

#[test]
fn rules_that_a_put_of_the_hub_leaves_as_they_are_are_no_fact() {
    let mut core = core();
    let put = |count: u32, action: &str| ServiceRequest::PutHubPropertiesJson {
        json: json!({ "properties": {
            "networkRuleSets": { "defaultAction": action, "ipRules": [] },
            "cloudToDevice": { "maxDeliveryCount": count },
        }}),
    };
    for (count, action, changes) in [(1, "Deny", 1), (2, "Deny", 0), (2, "Allow", 1)] {
        managed(&mut core, put(count, action)).unwrap();
        assert_eq!(facts(&mut core).len(), changes, "{count} {action}");
        assert_eq!(core.config.delivery_count_max, count);
    }
}

fn put_group(core: &mut Core, properties: Value) -> Result<ManagedReply, HubError> {
    let json = json!({ "properties": properties });
    managed(core, ServiceRequest::PutSecurityGroupJson { name: "Plant".into(), json })
}

fn range(rule: &str, min: u64, max: u64, window: &str) -> Value {
    json!({
        "ruleType": rule, "isEnabled": true, "minThreshold": min, "maxThreshold": max,
        "timeWindowSize": window,
    })
}

#[test]
fn a_sparse_group_is_completed_and_its_enabled_rules_are_the_fact() {
    let mut core = core();
    let rule = range("MqttD2CMessagesNotInAllowedRange", 0, 30, "PT05M");
    let list = json!({
        "ruleType": "ConnectionToIpNotAllowed", "isEnabled": true, "valueType": "IpCidr",
        "allowlistValues": ["10.0.0.0/8", "192.0.2.1"],
    });
    let reply = put_group(&mut core, json!({ "timeWindowRules": [rule], "allowlistRules": [list] })).unwrap();
    assert_eq!(reply.status, 201);
    let rules = reply.body["properties"]["timeWindowRules"].as_array().unwrap();
    assert_eq!(rules.len(), 16);
    let disabled = json!({
        "ruleType": "ActiveConnectionsNotInAllowedRange", "isEnabled": false, "minThreshold": 0,
        "maxThreshold": 0, "timeWindowSize": "PT15M",
    });
    assert_eq!(rules[0], disabled);
    assert_eq!(reply.body["properties"]["allowlistRules"].as_array().unwrap().len(), 4);
    let facts = facts(&mut core);
    let [HubEvent::SecurityGroupConfigured { name, group }] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(name, "plant");
    let rule = group.ranges[&RangeRuleType::MqttD2CMessages];
    assert_eq!((rule.max(), rule.window()), (30, Duration::from_secs(300)));
    let AllowList::Networks(networks) = &group.allow_lists[&AllowRuleType::ConnectionToIpNotAllowed] else {
        panic!("{group:?}")
    };
    assert_eq!(networks.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "192.0.2.1/32"]);
    assert_eq!((group.ranges.len(), group.allow_lists.len()), (1, 1), "the disabled ones are no rules");
}

#[test]
fn a_group_with_a_wrong_rule_is_refused_and_changes_nothing() {
    let mut core = core();
    let twice = range("TwinUpdatesNotInAllowedRange", 0, 1, "PT5M");
    for rules in [
        json!([range("TwinUpdatesNotInAllowedRange", 2, 1, "PT5M")]),
        json!([range("TwinUpdates", 0, 1, "PT5M")]),
        json!([range("WeatherNotInAllowedRange", 0, 1, "PT5M")]),
        json!([range("TwinUpdatesNotInAllowedRange", 0, 1, "5 minutes")]),
        json!([range("TwinUpdatesNotInAllowedRange", 0, 1, "PT0S")]),
        json!([{ "ruleType": "TwinUpdatesNotInAllowedRange", "minThreshold": -1 }]),
        json!([twice, twice]),
    ] {
        let refused = put_group(&mut core, json!({ "timeWindowRules": rules }));
        assert_eq!(refused.unwrap_err().code(), 400_004, "{rules}");
    }
    let list = json!([{ "ruleType": "ConnectionToIpNotAllowed", "allowlistValues": ["somewhere"] }]);
    assert!(put_group(&mut core, json!({ "allowlistRules": list })).is_err());
    assert!(put_group(&mut core, json!({ "denylistRules": [{ "ruleType": "Any" }] })).is_err());
    let refused = ("write security configuration".to_owned(), 400_004);
    assert_eq!(refusals(&mut core), vec![refused; 9]);
    let get = ServiceRequest::GetSecurityGroup { name: "plant".into() };
    assert_eq!(managed(&mut core, get).unwrap_err().status(), 404);
}

#[test]
fn a_refused_group_says_where_it_is_wrong() {
    let name = "TwinUpdatesNotInAllowedRange";
    let list = |value: &str| json!([{ "ruleType": "ConnectionToIpNotAllowed", "allowlistValues": [value] }]);
    for (properties, place) in [
        (json!({ "timeWindowRules": {} }), "properties.timeWindowRules: is no list"),
        (json!({ "timeWindowRules": [range(name, 2, 1, "PT5M")] }), "timeWindowRules[0].minThreshold: min 2"),
        (json!({ "timeWindowRules": [range(name, 0, 1, "PT0S")] }), "timeWindowRules[0].timeWindowSize: the"),
        (json!({ "timeWindowRules": [range("Any", 0, 1, "PT5M")] }), "timeWindowRules[0].ruleType: there is"),
        (json!({ "allowlistRules": list("10.0.0.0/33") }), "allowlistRules[0].allowlistValues[0]: \"10"),
        (json!({ "thresholdRules": [{ "ruleType": "Any" }] }), "properties.thresholdRules[0]: there is no"),
    ] {
        let refused = put_group(&mut core(), properties).unwrap_err().to_string();
        assert!(refused.contains(place), "{refused}");
    }
    let refused = crate::read_security_group(&json!({ "name": "plant" })).unwrap_err();
    assert_eq!(refused.to_string(), "properties: is missing, or no object");
}

#[test]
fn overlapping_networks_and_ipv6_and_mapped_addresses_are_taken_as_they_are() {
    let values = ["10.0.0.0/8", "10.42.0.0/16", "2001:db8::/32", "::ffff:192.0.2.7", "::ffff:192.0.2.0/120"];
    let list =
        json!([{ "ruleType": "ConnectionToIpNotAllowed", "isEnabled": true, "allowlistValues": values }]);
    let mut core = core();
    let reply = put_group(&mut core, json!({ "allowlistRules": list })).unwrap();
    assert_eq!(reply.body["properties"]["allowlistRules"][0]["allowlistValues"], json!(values));
    let facts = facts(&mut core);
    let [HubEvent::SecurityGroupConfigured { group, .. }] = &facts[..] else { panic!("{facts:?}") };
    let AllowList::Networks(networks) = &group.allow_lists[&AllowRuleType::ConnectionToIpNotAllowed] else {
        panic!("{group:?}")
    };
    assert_eq!(networks.len(), values.len());
}

#[test]
fn a_group_is_found_and_deleted_under_its_name_in_any_case() {
    let mut core = core();
    put_group(&mut core, json!({})).unwrap();
    assert_eq!(put_group(&mut core, json!({})).unwrap().status, 200);
    let get = ServiceRequest::GetSecurityGroup { name: "PLANT".into() };
    assert_eq!(managed(&mut core, get).unwrap().body["name"], "plant");
    facts(&mut core);
    let delete = || ServiceRequest::DeleteSecurityGroup { name: "pLANT".into() };
    assert_eq!(managed(&mut core, delete()).unwrap().status, 200);
    assert_eq!(managed(&mut core, delete()).unwrap().status, 204);
    assert_eq!(facts(&mut core), [HubEvent::SecurityGroupRemoved { name: "plant".into() }]);
}

#[test]
fn how_the_hub_tells_of_ends_and_uploads_is_written_read_back_and_holds() {
    let mut core = core();
    let telling = json!({ "lockDurationAsIso8601": "PT05S", "ttlAsIso8601": "PT1M", "maxDeliveryCount": 1 });
    let put = |properties: Value| ServiceRequest::PutHubPropertiesJson {
        json: json!({ "properties": properties }),
    };
    let told = json!({ "cloudToDevice": { "feedback": telling }, "enableFileUploadNotifications": false });
    let reply = managed(&mut core, put(told)).unwrap().body;
    let read = json!({ "lockDurationAsIso8601": "PT5S", "ttlAsIso8601": "PT60S", "maxDeliveryCount": 1 });
    assert_eq!(reply["properties"]["cloudToDevice"]["feedback"], read);
    assert_eq!(reply["properties"]["enableFileUploadNotifications"], false);
    assert_eq!(core.config.feedback.lock, Duration::from_secs(5));
    let grant = core.begin_upload(&device(), "dump", at(1)).unwrap();
    core.complete_upload(&device(), &grant.correlation_id, true, at(1)).unwrap();
    let notice = core.service(ServiceRequest::ReceiveFileNotification, at(1));
    assert_eq!(notice, Ok(ServiceReply::FileNotification(None)), "switched off");
    for (name, value) in [("lockDurationAsIso8601", "PT4S"), ("ttlAsIso8601", "PT59S")] {
        let bad = put(json!({ "messagingEndpoints": { "fileNotifications": { name: value } } }));
        assert_eq!(managed(&mut core, bad).unwrap_err().code(), 400_004, "{name}");
    }
}

#[test]
fn an_authority_that_has_expired_or_is_not_valid_yet_is_taken() {
    let mut core = core();
    let dated = |from: i64, until: i64| {
        let day = |days: i64| time::OffsetDateTime::from_unix_timestamp(at(0).unix.as_secs() + days * 86_400);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (day(from).unwrap(), day(until).unwrap());
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    };
    // Decided: Microsoft documents nothing about it, and devices below such an authority are refused anyway.
    for (from, until) in [(-2, -1), (1, 2)] {
        assert!(put_certificate(&mut core, &dated(from, until), None).is_ok(), "{from} to {until} days");
    }
}
