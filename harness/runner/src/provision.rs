//! From a scenario to what exists before it begins: certificates, identities and keys, the hub's
//! configuration, each device's configuration blob. All of it derives from the seed.

mod credentials;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hilarm_board::Board;
use hilarm_defender::{Trigger, detection};
use hilarm_hub::{HubConfig, ServiceRequest, Throttling};
use hilarm_link::{
    AgentConfig, DeviceConfig, ModuleCredential, NetworkConfig as DeviceNetwork, X509Credential,
};
use hilarm_model::{DeviceId, Profile, RangeRule, SecurityGroup, ThreatList, Timestamp};
use hilarm_network::{GATEWAY, NetworkConfig, RESOLVER};
use hilarm_scenario::{
    DeviceSpec, FilterAction, HubSpec, NetworkRuleSpec, ProfileSpec, RangeSpec, RuleSpec, Scenario, Span,
    allow_rule,
};
use hilarm_tls::{KeyLogBuffer, PkiError, TlsError, TlsServer};
use ipnet::Ipv4Net;

use self::credentials::{Credentials, Made, make_certificates};
pub(crate) use self::credentials::{module_keys, proof_of_possession, registered, shared_keys};
use crate::seed;
use crate::service::{network_rules, security_solution};
use crate::trust::{Trust, TrustError, built_in as built_in_credentials};

/// 2026-01-01T00:00:00Z: every scenario begins then.
pub const T0: Timestamp = Timestamp::from_secs(1_767_225_600);

const KEEP_ALIVE: Duration = Duration::from_secs(240);
/// Wall-clock life of the server's certificate does not matter: device clocks are the harness's.
const HUB_PORT: u16 = 8883;
const DEVICE_NETWORK_PREFIX_LEN: u8 = 24;
/// Devices are numbered from 10.42.0.2.
const FIRST_HOST: u8 = 2;

/// Log categories of the diagnostic setting that a hub has by default.
const LOGS: [&str; 2] = ["Connections", "DeviceIdentityOperations"];

/// Why a scenario cannot be set up. The lint lets none of these through but the last two.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A name that is not in `certificates`.
    #[error("no certificate `{0}` in the scenario")]
    NoCertificate(String),
    /// A slug that no such rule enables.
    #[error("no such rule enables `{0}`")]
    NotARule(String),
    /// A range that IoT Hub refuses.
    #[error("range of `{slug}`: {error}")]
    Range {
        /// The detection.
        slug: String,
        /// Why.
        error: hilarm_model::InvalidRange,
    },
    /// More devices than the virtual network has addresses.
    #[error("{0} devices are more than the virtual network holds (252)")]
    TooManyDevices(usize),
    /// The hub cannot be the one that the board's firmware expects.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Pki(#[from] PkiError),
    /// The TLS server could not be made.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] TlsError),
    /// A key or thumbprint is malformed.
    #[error("cannot set up the identity of {device}: {error}")]
    Identity {
        /// The device.
        device: DeviceId,
        /// Why.
        error: String,
    },
}

/// Everything that exists before the scenario begins.
pub(crate) struct Provisioned {
    pub(crate) network: NetworkConfig,
    pub(crate) hub_requests: Vec<ServiceRequest>,
    pub(crate) devices: Vec<(DeviceId, DeviceConfig)>,
    pub(crate) certificates: BTreeMap<String, X509Credential>,
}

pub(crate) fn provision(
    scenario: &Scenario,
    board: &Board,
    seed: u64,
) -> Result<Provisioned, ProvisionError> {
    let Trust { host, authority, identities } = Trust::of(board.identity.as_ref(), seed)?;
    let built_in = board.identity.as_ref().and_then(|identity| identity.provisioned.as_ref());
    let built_in = built_in.map(built_in_credentials).transpose()?;
    let key_log = Arc::new(KeyLogBuffer::new());
    let tls = TlsServer::new(&identities, Some(key_log.clone() as _))?;
    let network = NetworkConfig { hub_host: host.clone(), ..NetworkConfig::new(tls, Some(key_log)) };
    let certificates = make_certificates(scenario, seed)?;
    let mut hub_requests = configuration(scenario)?;
    hub_requests.extend(management(scenario, &certificates)?);
    let mut devices = Vec::new();
    for (number, (id, spec)) in scenario.devices.iter().enumerate() {
        let identity = scenario.identity_of(id);
        let credentials = Credentials::new(identity, spec, &certificates, seed)?;
        // A clone brings nothing that the hub would know.
        let is_original = identity == id && spec.registered;
        if is_original {
            hub_requests.push(ServiceRequest::PutDevice {
                device: id.clone(),
                authentication: built_in.clone().unwrap_or(credentials.registered),
                security_group: spec.security_group.clone(),
            });
        }
        let mut modules = Vec::new();
        for module in &spec.modules {
            let name = format!("{identity}/{module}");
            let key = seed::key(seed, &format!("primary key of {name}"));
            modules.push(ModuleCredential { id: module.to_string(), key });
            if !is_original {
                continue;
            }
            hub_requests.push(ServiceRequest::PutModule {
                device: id.clone(),
                module: module.clone(),
                authentication: module_keys(id, module, seed)?,
            });
        }
        let addresses = addresses(number, scenario.devices.len())?;
        let config = DeviceConfig {
            seed: seed::derive(seed, &format!("device {id}")),
            device_id: identity.to_string(),
            hub_host: host.clone(),
            hub_port: HUB_PORT,
            credential: credentials.held,
            modules,
            ca_certificate: authority.certificate_der().to_vec(),
            network: addresses,
            keep_alive_s: whole_seconds(spec.keep_alive, KEEP_ALIVE),
            agent: agent_config(spec),
        };
        devices.push((id.clone(), config));
    }
    hub_requests.push(ServiceRequest::StartMonitoring);
    let certificates = certificates.into_iter().map(|(name, made)| (name, made.held)).collect();
    Ok(Provisioned { network, hub_requests, devices, certificates })
}

fn configuration(scenario: &Scenario) -> Result<Vec<ServiceRequest>, ProvisionError> {
    let mut requests = Vec::new();
    for (name, rules) in &scenario.hub.security_groups {
        let group = security_group(rules)?;
        requests.push(ServiceRequest::PutSecurityGroup { name: name.clone(), group });
    }
    if !scenario.threat_intelligence.is_empty() {
        let networks = scenario.threat_intelligence.clone();
        requests.push(ServiceRequest::LoadThreatList(ThreatList { networks }));
    }
    Ok(requests)
}

/// What an operator has set up: a hub that keeps its logs and lets in nobody from elsewhere, unless the
/// scenario says otherwise.
fn management(
    scenario: &Scenario,
    certificates: &BTreeMap<String, Made>,
) -> Result<Vec<ServiceRequest>, ProvisionError> {
    let mut requests = Vec::new();
    let verified = scenario.hub.certificates.iter().map(|named| (named, true));
    let unverified = scenario.hub.unverified_certificates.iter().map(|named| (named, false));
    for ((name, certificate), verified) in verified.chain(unverified) {
        let made = certificates.get(certificate);
        let made = made.ok_or_else(|| ProvisionError::NoCertificate(certificate.clone()))?;
        requests.push(ServiceRequest::PutCertificate {
            name: name.clone(),
            certificate: made.held.certificate.clone(),
            verified,
            if_match: None,
        });
    }
    for (name, recommendations) in &scenario.hub.security_solutions {
        let json = security_solution(name, None, recommendations);
        requests.push(ServiceRequest::PutSecuritySolutionJson { name: name.clone(), json });
    }
    let hardened = || BTreeMap::from([("audit".to_owned(), LOGS.map(str::to_owned).to_vec())]);
    for (name, categories) in scenario.hub.diagnostic_settings.clone().unwrap_or_else(hardened) {
        requests.push(ServiceRequest::PutDiagnosticSetting { name, categories });
    }
    let rules = match &scenario.hub.network_rules {
        Some(rules) => network_rules(rules.default_action, &rules.rules),
        None => {
            let devices = NetworkRuleSpec {
                name: "devices".to_owned(),
                action: FilterAction::Allow,
                network: Ipv4Net::new_assert(Ipv4Addr::new(10, 42, 0, 0), 16).into(),
            };
            network_rules(FilterAction::Deny, &[devices])
        }
    };
    requests.push(ServiceRequest::SetNetworkRules(rules));
    if let Some(profile) = scenario.hub.profile {
        requests.push(ServiceRequest::ConfigureProfile(match profile {
            ProfileSpec::Extended => Profile::Extended,
            ProfileSpec::AzureFaithful => Profile::AzureFaithful,
        }));
    }
    Ok(requests)
}

/// The hub's limits, where the scenario asks for others.
pub(crate) fn hub_config(hub: &HubSpec, host: String) -> HubConfig {
    let throttling = hub.throttling.map(|throttling| Throttling {
        units: throttling.units,
        burst: throttling.burst.0,
        queue: throttling.queue.0,
    });
    HubConfig { host, throttling, daily_messages_max: hub.daily_messages, ..HubConfig::default() }
}

/// The enabled rules of a security group.
pub(crate) fn security_group(rules: &BTreeMap<String, RuleSpec>) -> Result<SecurityGroup, ProvisionError> {
    let mut group = SecurityGroup::default();
    for (slug, rule) in rules {
        match (rule, rule.allow_list()) {
            (RuleSpec::Range(range), _) => {
                let (rule_type, rule) = range_rule(slug, range)?;
                group.ranges.insert(rule_type, rule);
            }
            (_, Some(allowed)) => {
                let rule_type = allow_rule(slug).ok_or_else(|| ProvisionError::NotARule(slug.to_owned()))?;
                group.allow_lists.insert(rule_type, allowed);
            }
            (_, None) => return Err(ProvisionError::NotARule(slug.to_owned())),
        }
    }
    Ok(group)
}

fn range_rule(
    slug: &str,
    range: &RangeSpec,
) -> Result<(hilarm_model::RangeRuleType, RangeRule), ProvisionError> {
    let rule_type = match detection(slug).map(|detection| &detection.trigger) {
        Some(Trigger::CountInWindow { rule, .. }) => *rule,
        _ => return Err(ProvisionError::NotARule(slug.to_owned())),
    };
    let rule = RangeRule::new(range.min, range.max, range.window.0)
        .map_err(|error| ProvisionError::Range { slug: slug.to_owned(), error })?;
    Ok((rule_type, rule))
}

fn addresses(number: usize, devices: usize) -> Result<DeviceNetwork, ProvisionError> {
    let too_many = || ProvisionError::TooManyDevices(devices);
    let host = u8::try_from(number).ok().and_then(|number| number.checked_add(FIRST_HOST));
    let host = host.filter(|host| *host < u8::MAX).ok_or_else(too_many)?;
    let [a, b, c, _] = GATEWAY.octets();
    Ok(DeviceNetwork {
        mac: [0x02, 0x48, 0x49, 0x4C, 0x01, host],
        address: Ipv4Addr::new(a, b, c, host).octets(),
        prefix_len: DEVICE_NETWORK_PREFIX_LEN,
        gateway: GATEWAY.octets(),
        dns: RESOLVER.octets(),
    })
}

fn agent_config(spec: &DeviceSpec) -> AgentConfig {
    let default = AgentConfig::default();
    let seconds =
        |span: Option<Span>, default: u16| whole_seconds(span, Duration::from_secs(u64::from(default)));
    AgentConfig {
        first_collection_s: seconds(spec.agent.first_collection, default.first_collection_s),
        network_activity_s: seconds(spec.agent.network_activity, default.network_activity_s),
        low_priority_s: seconds(spec.agent.low_priority, default.low_priority_s),
        flow_cache: spec.agent.flow_cache.unwrap_or(default.flow_cache),
    }
}

fn whole_seconds(span: Option<Span>, default: Duration) -> u16 {
    u16::try_from(span.map_or(default, |span| span.0).as_secs()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use hilarm_network::TIME_SERVER;
    use hilarm_scenario::SERVICES;

    use super::*;

    #[test]
    fn the_lint_knows_the_addresses_that_the_network_serves() {
        let identities = Trust::of(None, 1).unwrap().identities;
        let tls = TlsServer::new(&identities, None).unwrap();
        let hub = *NetworkConfig::new(tls, None).hub.ip();
        let served: Vec<Ipv4Addr> = SERVICES.iter().map(|(_, address)| *address).collect();
        assert_eq!(served, [hub, RESOLVER, TIME_SERVER, GATEWAY]);
    }
}
