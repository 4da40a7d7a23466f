//! The form that every row of the catalogue fills in: metadata, and a [`Trigger`] from a small closed set.
//!
//! Implements defender.md 3.0. Descriptions and remediation are our own words; names and alert types are
//! verbatim, odd spellings included. Every fact says where it comes from, so that a user knows what a
//! passing snapshot does and does not prove about Azure.

use std::fmt;

use hilarm_model::{AllowRuleType, HubEvent, RangeRuleType};
use serde::Serialize;

use crate::counting::Counting;
use crate::judgement::Judgement;
use crate::kind::EventKind;
use crate::posture::Posture;

/// One row of the catalogue.
#[derive(Clone, Debug)]
pub struct Detection {
    /// Our stable id, kebab-case.
    pub slug: &'static str,
    /// Every name a seed document gives it; the first is the display name.
    pub names: &'static [Name],
    /// Whether a device or the hub is the compromised entity.
    pub scope: Scope,
    /// Built in, or customisable.
    pub class: Class,
    /// Severity.
    pub severity: Severity,
    /// Where Defender takes the evidence from.
    pub data_source: DataSource,
    /// `AlertType`, verbatim.
    pub alert_type: &'static str,
    /// What happened.
    pub description: &'static str,
    /// Steps, in order.
    pub remediation: &'static [&'static str],
    /// `ExtendedProperties` keys that the seeds' text names.
    pub placeholders: &'static [&'static str],
    /// A mistake in a seed that was kept on record instead of being repaired silently.
    pub erratum: Option<&'static str>,
    /// Where each field comes from.
    pub provenance: FieldProvenance,
    /// MITRE ATT&CK techniques.
    pub attack: &'static [&'static str],
    /// The threshold that a scenario's boundary control varies by one unit on both sides.
    pub boundary: Boundary,
    /// When it fires.
    pub trigger: Trigger,
}

impl Detection {
    /// The name shown to people.
    pub fn display_name(&self) -> &'static str {
        self.names.first().map_or(self.slug, |name| name.text)
    }
}

/// A name as one seed document gives it, without Markdown emphasis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: &'static str,
    /// The document.
    pub seed: Seed,
}

impl Name {
    /// A name and its document.
    pub const fn new(seed: Seed, text: &'static str) -> Self {
        Self { text, seed }
    }
}

/// The five public documents from which the catalogue was seeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seed {
    /// 000: Defender-IoT-micro-agent for Eclipse ThreadX, 2024.
    EclipseThreadX,
    /// 001: Defender-IoT-micro-agent for Azure RTOS, 2023.
    AzureRtos,
    /// 002: custom security alerts of devices.
    CustomAlerts,
    /// 003: Security Module for Azure RTOS, 2020.
    SecurityModule,
    /// 004: built-in and custom alerts of IoT Hub.
    IotHubAlerts,
    /// No seed names it: the management API does.
    Beyond,
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EclipseThreadX => "000",
            Self::AzureRtos => "001",
            Self::CustomAlerts => "002",
            Self::SecurityModule => "003",
            Self::IotHubAlerts => "004",
            Self::Beyond => "none (management API)",
        })
    }
}

/// Who is compromised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A device: `CompromisedEntity` is its id.
    Device,
    /// The hub: `CompromisedEntity` is its name.
    Hub,
}

/// The seeds' own grouping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Always on.
    BuiltIn,
    /// On where a security group enables its rule.
    Custom,
    /// A weak posture rather than an incident.
    Recommendation,
}

/// Severity, as Defender spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Severity {
    /// For the record.
    Informational,
    /// Worth a look.
    Low,
    /// Worth an investigation.
    Medium,
    /// Worth waking someone up.
    High,
}

/// Where Defender takes the evidence from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataSource {
    /// The IoT Hub's own records.
    IotHub,
    /// The agent on the device.
    MicroAgent,
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IotHub => "IoT Hub",
            Self::MicroAgent => "Legacy Defender-IoT-micro-agent, Eclipse ThreadX",
        })
    }
}

/// Where a fact of the catalogue comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance {
    /// A public document says so.
    Documented(Document),
    /// It follows from public documents.
    Inferred,
    /// The sources are silent: our decision.
    Decided,
}

/// The public document behind a documented fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    /// A seed document.
    Seed,
    /// Microsoft's published lists of alerts, which are not among the seeds.
    PublishedList,
    /// The management API's own description.
    ManagementApi,
}

/// The provenance of each field that could have another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldProvenance {
    /// Of `severity`.
    pub severity: Provenance,
    /// Of `data_source`.
    pub data_source: Provenance,
    /// Of `alert_type`.
    pub alert_type: Provenance,
    /// Of `description`.
    pub description: Provenance,
    /// Of `remediation`.
    pub remediation: Provenance,
    /// Of the exact condition on which it fires.
    pub trigger: Provenance,
    /// Of `attack`.
    pub attack: Provenance,
}

impl FieldProvenance {
    /// Of a detection that a seed describes; its alert type is only in the published lists.
    pub(crate) const SEEDED: Self = Self {
        severity: Provenance::Documented(Document::Seed),
        data_source: Provenance::Documented(Document::Seed),
        alert_type: Provenance::Documented(Document::PublishedList),
        description: Provenance::Documented(Document::Seed),
        remediation: Provenance::Documented(Document::Seed),
        trigger: Provenance::Inferred,
        attack: Provenance::Decided,
    };

    /// Of a detection that a seed describes without a remediation.
    pub(crate) const WITHOUT_REMEDIATION: Self = Self { remediation: Provenance::Decided, ..Self::SEEDED };

    /// Of a recommendation: the seeds give its name, the published lists the rest.
    pub(crate) const RECOMMENDED: Self = Self {
        severity: Provenance::Documented(Document::PublishedList),
        data_source: Provenance::Inferred,
        alert_type: Provenance::Documented(Document::PublishedList),
        description: Provenance::Documented(Document::PublishedList),
        remediation: Provenance::Documented(Document::PublishedList),
        trigger: Provenance::Inferred,
        attack: Provenance::Decided,
    };
}

/// The threshold of a detection: the outcome one unit on either side follows from the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// There is none, and why.
    None(&'static str),
    /// The token's `se`: at or before the hub's clock fires, one second later does not.
    TokenExpiry,
    /// The leaf's `notAfter`: before the hub's clock fires, equal does not.
    CertificateExpiry,
    /// First and last address of a listed network fire, their outer neighbours do not.
    ThreatPrefix,
    /// `min` and `max` themselves are allowed; one below or above fires.
    RangeEnds,
    /// The very entry of an allow list is allowed, its neighbour fires.
    AllowListEntry,
    /// A credential of one device is healthy, of two it is not.
    SharedCredentialCount,
    /// An allowed network of 65,536 addresses (/16) is healthy, one of twice as many (/15) is not.
    PrefixLength,
}

/// When a detection fires.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// One event suffices.
    OnEvent {
        /// The kinds it looks at.
        on: &'static [EventKind],
        /// Looks at one of them.
        judge: fn(&HubEvent, &mut Judgement<'_>),
    },
    /// Events of a device are counted in tumbling windows against a range rule of its security group.
    CountInWindow {
        /// The rule type that enables and bounds it.
        rule: RangeRuleType,
        /// The kinds it looks at.
        on: &'static [EventKind],
        /// Counts one of them, if it counts.
        counts: fn(&HubEvent, &mut Counting<'_>),
        /// `ExtendedProperties` that every alert of it carries.
        marks: &'static [(&'static str, &'static str)],
    },
    /// What an event names is compared with an allow list of the device's security group.
    AllowList {
        /// The rule type that enables and fills the list.
        rule: AllowRuleType,
        /// The kinds it looks at.
        on: &'static [EventKind],
        /// Looks at one of them.
        judge: fn(&HubEvent, &mut Judgement<'_>),
    },
    /// Earlier events matter: a state of its own per fold.
    Stateful {
        /// The kinds it looks at.
        on: &'static [EventKind],
        /// The state before the first event.
        begin: fn() -> Box<dyn Watch>,
    },
    /// A configuration is weak as long as it is: a recommendation rather than an alert.
    Posture {
        /// The kinds that may change it.
        on: &'static [EventKind],
        /// The posture before the first event.
        begin: fn() -> Box<dyn Posture>,
    },
}

impl Trigger {
    /// The kinds of event that it looks at.
    pub fn on(&self) -> &'static [EventKind] {
        match self {
            Self::OnEvent { on, .. }
            | Self::CountInWindow { on, .. }
            | Self::AllowList { on, .. }
            | Self::Stateful { on, .. }
            | Self::Posture { on, .. } => on,
        }
    }
}

/// The state of a [`Trigger::Stateful`]. Configuration facts reach it before monitoring starts; what it
/// raises or considers before then is disregarded.
pub trait Watch: Send + fmt::Debug {
    /// Sees one event of the kinds it asked for.
    fn see(&mut self, event: &HubEvent, judgement: &mut Judgement<'_>);
}
