//! The controls of a scenario, as scenarios: the benign twin does the benign steps in place of the
//! malicious ones; a boundary varies one threshold by one unit, and its outcome follows from the rule.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hilarm_defender::{Alert, Boundary, Class, Detection, Recommendation, Side, Subject, Trigger, detection};
use hilarm_model::{HubEvent, HubRecord, RefusalCause, Timestamp};
use hilarm_scenario::{Advance, RuleSpec, Scenario, Span, Step};
use ipnet::IpNet;

use crate::judge::{Finding, times_fired};

/// Tokens and certificates are dated in whole seconds.
const ONE_SECOND: Duration = Duration::from_secs(1);

/// Which run of a scenario this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As the file says.
    Main,
    /// Without the attack.
    Benign,
    /// With a threshold moved by one unit.
    Boundary {
        /// What was moved, e.g. `token-expiry:at`.
        label: String,
        /// Whether the detection must fire.
        fires: bool,
    },
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main => f.write_str("main"),
            Self::Benign => f.write_str("benign"),
            Self::Boundary { label, .. } => write!(f, "boundary:{label}"),
        }
    }
}

/// The benign twin; nothing when the scenario holds no attack.
pub(crate) fn benign_twin(scenario: &Scenario) -> Option<Scenario> {
    let mut twin = scenario.clone();
    (replace_attacks(&mut twin.steps) > 0).then_some(twin)
}

/// Puts the benign steps in place of each attack; how many there were.
fn replace_attacks(steps: &mut [Step]) -> usize {
    let mut replaced = 0;
    for step in steps {
        match step {
            Step::Malicious(malicious) => {
                malicious.attack = std::mem::take(&mut malicious.benign);
                replaced += 1;
            }
            Step::Parallel(branches) => {
                replaced += branches.iter_mut().map(|branch| replace_attacks(branch)).sum::<usize>();
            }
            Step::Repeat(repeat) => replaced += replace_attacks(&mut repeat.steps),
            _ => {}
        }
    }
    replaced
}

/// One side of a boundary.
#[derive(Clone)]
pub(crate) struct BoundaryCase {
    pub(crate) slug: &'static str,
    pub(crate) variant: Variant,
    pub(crate) scenario: Scenario,
    /// It fires when it fires more often than this.
    pub(crate) more_than: usize,
}

/// Boundaries that lie where one instant ends: a device that lives at its own pace cannot be put there.
const TO_THE_INSTANT: [&str; 3] = ["token-expiry:", "certificate-expiry:", "window:next"];

impl BoundaryCase {
    /// Whether it says something only where time is the harness's to grant.
    pub(crate) fn needs_granted_time(&self) -> bool {
        let Variant::Boundary { label, .. } = &self.variant else { return false };
        TO_THE_INSTANT.iter().any(|instant| label.starts_with(instant))
    }

    /// What is wrong when the detection is not on the right side.
    pub(crate) fn judge(&self, alerts: &[Alert], raised: &[Recommendation]) -> Option<Finding> {
        let Variant::Boundary { fires, .. } = self.variant else { return None };
        let fired = times_fired(self.slug, alerts, raised) > self.more_than;
        let (must, did) = if fires { ("must fire", "stayed silent") } else { ("must stay silent", "fired") };
        let slug = self.slug;
        (fired != fires)
            .then(|| Finding::new(format!("{slug} {must} on this side of its threshold and {did}")))
    }
}

/// The boundary runs of one detection, derived from what the main run showed. Nothing when the detection
/// has no threshold; an error when it has one and the scenario gives no hold on it.
pub(crate) fn boundary_cases(
    scenario: &Scenario,
    slug: &str,
    alerts: &[Alert],
    records: &[&HubRecord],
) -> Result<Vec<BoundaryCase>, String> {
    let Some(detection) = detection(slug) else { return Ok(Vec::new()) };
    if detection.class == Class::Recommendation {
        return posture_cases(scenario, detection);
    }
    let alert = alerts.iter().find(|alert| alert.slug == slug);
    let alert = alert.ok_or_else(|| format!("{slug} did not fire in the main run"))?;
    let raising = alert.raised_by.and_then(|ordinal| records.get(usize::try_from(ordinal).ok()?));
    let case = |label: &str, fires: bool, scenario: Scenario| BoundaryCase {
        slug: detection.slug,
        variant: Variant::Boundary { label: label.to_owned(), fires },
        scenario,
        more_than: 0,
    };
    match detection.boundary {
        // A recommendation is no alert: its lifecycle in the scenario is its control.
        Boundary::None(_) | Boundary::SharedCredentialCount | Boundary::PrefixLength => Ok(Vec::new()),
        Boundary::AllowListEntry => {
            let mut subjects = alerts.iter().filter(|alert| alert.slug == slug).map(|alert| &alert.subject);
            let subject = subjects.next().and_then(Option::as_ref).ok_or("the alert names no subject")?;
            let others: Vec<_> = subjects.flatten().collect();
            let allowing = |entries: &[Subject]| {
                let mut varied = scenario.clone();
                for rule in rules_of(&mut varied, slug) {
                    others.iter().copied().chain(entries).for_each(|entry| allow(rule, entry));
                }
                varied
            };
            Ok(vec![
                case("allow-list:exact", false, allowing(std::slice::from_ref(subject))),
                case("allow-list:neighbours", true, allowing(&neighbours_of(subject))),
            ])
        }
        Boundary::TokenExpiry => {
            let late = lateness(raising, |cause| match cause {
                RefusalCause::SasExpired { expiry } => Some(*expiry),
                _ => None,
            })?;
            Ok(vec![
                case("token-expiry:at", true, advance_less(scenario, late)?),
                case("token-expiry:1s-before", false, advance_less(scenario, late + ONE_SECOND)?),
            ])
        }
        Boundary::CertificateExpiry => {
            let late = lateness(raising, |cause| match cause {
                RefusalCause::X509Expired { not_after } => Some(*not_after),
                _ => None,
            })?;
            let just_after = late.saturating_sub(ONE_SECOND);
            Ok(vec![
                case("certificate-expiry:1s-after", true, advance_less(scenario, just_after)?),
                case("certificate-expiry:at", false, advance_less(scenario, late)?),
            ])
        }
        Boundary::ThreatPrefix => {
            let Some(Subject::Address(address)) = alert.subject else {
                return Err(format!("the alert of {slug} names no address"));
            };
            let listed = |address: IpAddr| {
                let mut varied = scenario.clone();
                varied.threat_intelligence = vec![IpNet::from(address)];
                varied
            };
            let (below, above) = neighbours(address);
            Ok(vec![
                case("threat-prefix:exact", true, listed(address)),
                case("threat-prefix:address-below", false, listed(below)),
                case("threat-prefix:address-above", false, listed(above)),
            ])
        }
        Boundary::RangeEnds => {
            let breach = alert.range.as_ref().ok_or_else(|| format!("the alert of {slug} names no range"))?;
            let count = breach.actual_count;
            let varied = |min: u64, max: u64| {
                let mut varied = scenario.clone();
                for range in rules_of(&mut varied, slug).filter_map(RuleSpec::range_mut) {
                    (range.min, range.max) = (min, max);
                }
                varied
            };
            Ok(match breach.side {
                Side::Above => vec![
                    case("range:max-one-less", true, varied(breach.min.min(count - 1), count - 1)),
                    case("range:max-equal", false, varied(breach.min, count)),
                ],
                Side::Below => vec![
                    case("range:min-one-more", true, varied(count + 1, breach.max.max(count + 1))),
                    case("range:min-equal", false, varied(count, breach.max)),
                ],
            })
        }
    }
}

/// The rules that enable a detection, in every group. Two detections may share one rule: both views of
/// cloud-to-device messages over MQTT do.
pub(crate) fn rules_of<'a>(scenario: &'a mut Scenario, slug: &str) -> impl Iterator<Item = &'a mut RuleSpec> {
    let range = |slug: &str| match detection(slug).map(|detection| &detection.trigger) {
        Some(Trigger::CountInWindow { rule, .. }) => Some(*rule),
        _ => None,
    };
    let (slug, wanted) = (slug.to_owned(), range(slug));
    let enables = move |known: &str| known == slug || (wanted.is_some() && range(known) == wanted);
    let rules = scenario.hub.security_groups.values_mut().flatten();
    rules.filter_map(move |(known, rule)| enables(known).then_some(rule))
}

/// Puts what an alert is about on an allow list.
fn allow(rule: &mut RuleSpec, subject: &Subject) {
    match (rule, subject) {
        (RuleSpec::Networks(allowed), Subject::Address(address)) => {
            allowed.networks.push(IpNet::from(*address));
        }
        (RuleSpec::Names(allowed), Subject::User(name) | Subject::Executable(name)) => {
            allowed.names.push(name.clone());
        }
        _ => (),
    }
}

/// What is nearly the subject, and is not.
fn neighbours_of(subject: &Subject) -> Vec<Subject> {
    match subject {
        Subject::Address(address) => {
            let (below, above) = neighbours(*address);
            vec![Subject::Address(below), Subject::Address(above)]
        }
        Subject::User(name) => vec![Subject::User(format!("{name}x"))],
        Subject::Executable(path) => vec![Subject::Executable(format!("{path}x"))],
        Subject::Certificate(_) | Subject::DiagnosticSetting(_) => Vec::new(),
    }
}

/// The boundary runs of a recommendation: what it looks at is there without an event, so the threshold is
/// found in the steps.
fn posture_cases(scenario: &Scenario, detection: &Detection) -> Result<Vec<BoundaryCase>, String> {
    let case = |label: &str, fires: bool, scenario: Scenario| BoundaryCase {
        slug: detection.slug,
        variant: Variant::Boundary { label: label.to_owned(), fires },
        scenario,
        more_than: 0,
    };
    match detection.boundary {
        Boundary::PrefixLength => Ok(vec![
            case("prefix-length:15", true, with_prefix(scenario, 15)?),
            case("prefix-length:16", false, with_prefix(scenario, 16)?),
        ]),
        Boundary::SharedCredentialCount => Ok(vec![
            case("shared-credential:2", true, scenario.clone()),
            case("shared-credential:1", false, without_copies(scenario)?),
        ]),
        _ => Ok(Vec::new()),
    }
}

/// The scenario with every rule that lets in more than one site narrowed or widened to a prefix length: of
/// the rules that steps set, those are the attack's.
fn with_prefix(scenario: &Scenario, prefix_len: u8) -> Result<Scenario, String> {
    let mut varied = scenario.clone();
    let mut changed = 0;
    each_step(&mut varied.steps, &mut |step| {
        let Step::SetNetworkRules(set) = step else { return };
        for rule in set.rules.iter_mut().filter(|rule| rule.network.prefix_len() < 16) {
            if let Ok(network) = IpNet::new(rule.network.addr(), prefix_len) {
                rule.network = network.trunc();
                changed += 1;
            }
        }
    });
    if changed == 0 {
        Err("no `set_network_rules` step lets in a large network".to_owned())
    } else {
        Ok(varied)
    }
}

/// The scenario without the steps that give a device another one's key.
fn without_copies(scenario: &Scenario) -> Result<Scenario, String> {
    let mut varied = scenario.clone();
    let mut dropped = 0;
    each_step(&mut varied.steps, &mut |step| {
        if matches!(step, Step::CopyKey(_)) {
            *step = Step::RunFor(Span(Duration::ZERO));
            dropped += 1;
        }
    });
    if dropped == 0 { Err("no `copy_key` step to leave out".to_owned()) } else { Ok(varied) }
}

/// Changes every step of the attack and around it; those within a step before the step itself.
pub(crate) fn each_step(steps: &mut [Step], change: &mut impl FnMut(&mut Step)) {
    for step in steps {
        match step {
            Step::Malicious(malicious) => each_step(&mut malicious.attack, change),
            Step::Repeat(repeat) => each_step(&mut repeat.steps, change),
            Step::Parallel(branches) => branches.iter_mut().for_each(|branch| each_step(branch, change)),
            _ => {}
        }
        change(step);
    }
}

/// How long after its threshold the raising refusal came.
fn lateness(
    raising: Option<&&HubRecord>,
    threshold: impl Fn(&RefusalCause) -> Option<Timestamp>,
) -> Result<Duration, String> {
    let record = raising.ok_or("the alert was not raised by an event")?;
    let HubEvent::ConnectionRefused(refused) = &record.event else {
        return Err("the alert was not raised by a refused connection".to_owned());
    };
    let at = refused.causes.iter().find_map(threshold).ok_or("the refusal names no threshold")?;
    Ok(record.at.since(at))
}

/// The scenario with its last jump of the calendar shortened.
fn advance_less(scenario: &Scenario, by: Duration) -> Result<Scenario, String> {
    let mut varied = scenario.clone();
    let span = last_advance(&mut varied.steps)
        .ok_or("no `advance` step to shorten: the boundary is found by moving it")?;
    let shorter = span.0.checked_sub(by).ok_or_else(|| {
        format!("the last `advance` is too short: the threshold lies {by:?} before the refusal")
    })?;
    *span = Span(shorter);
    Ok(varied)
}

fn last_advance(steps: &mut [Step]) -> Option<&mut Span> {
    steps.iter_mut().rev().find_map(|step| match step {
        Step::Advance(Advance::World(span)) => Some(span),
        Step::Advance(Advance::HubOnly(only)) => Some(&mut only.hub),
        Step::Malicious(malicious) => last_advance(&mut malicious.attack),
        Step::Repeat(repeat) => last_advance(&mut repeat.steps),
        Step::Parallel(branches) => branches.iter_mut().rev().find_map(|branch| last_advance(branch)),
        _ => None,
    })
}

/// The addresses one below and one above.
fn neighbours(address: IpAddr) -> (IpAddr, IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let bits = address.to_bits();
            (IpAddr::V4(bits.wrapping_sub(1).into()), IpAddr::V4(bits.wrapping_add(1).into()))
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (IpAddr::V6(bits.wrapping_sub(1).into()), IpAddr::V6(bits.wrapping_add(1).into()))
        }
    }
}
