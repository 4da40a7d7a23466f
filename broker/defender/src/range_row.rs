//! Range rules as rows of a table: what differs between them. All are custom, low, about a device, and share
//! the boundary at both ends of the range.

use hilarm_model::{HubEvent, RangeRuleType};

use crate::counting::Counting;
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Severity, Trigger,
};
use crate::kind::EventKind;

/// One row.
pub(crate) struct RangeRow {
    pub(crate) slug: &'static str,
    pub(crate) names: &'static [Name],
    pub(crate) rule: RangeRuleType,
    pub(crate) alert_type: &'static str,
    pub(crate) data_source: DataSource,
    pub(crate) description: &'static str,
    pub(crate) remediation: &'static [&'static str],
    pub(crate) erratum: Option<&'static str>,
    pub(crate) provenance: FieldProvenance,
    pub(crate) attack: &'static [&'static str],
    pub(crate) marks: &'static [(&'static str, &'static str)],
    pub(crate) on: &'static [EventKind],
    pub(crate) counts: fn(&HubEvent, &mut Counting<'_>),
}

impl RangeRow {
    /// The row of the catalogue.
    pub(crate) const fn detection(self) -> Detection {
        Detection {
            slug: self.slug,
            names: self.names,
            scope: Scope::Device,
            class: Class::Custom,
            severity: Severity::Low,
            data_source: self.data_source,
            alert_type: self.alert_type,
            description: self.description,
            remediation: self.remediation,
            placeholders: &[],
            erratum: self.erratum,
            provenance: self.provenance,
            attack: self.attack,
            boundary: Boundary::RangeEnds,
            trigger: Trigger::CountInWindow {
                rule: self.rule,
                on: self.on,
                counts: self.counts,
                marks: self.marks,
            },
        }
    }
}
