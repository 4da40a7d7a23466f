//! The alert reference, generated from the catalogue. `ALERTS.md` beside this crate's manifest is a copy,
//! and a test says how to renew it.

use std::fmt::Write;

use crate::catalogue::entries;
use crate::detection::{Boundary, Class, Detection, Document, FieldProvenance, Provenance, Scope, Trigger};

const HEAD: &str = "# Alert reference

<!-- Generated from the catalogue: cargo run -p hilarm-defender --example alert-reference > broker/defender/ALERTS.md -->

Names and alert types are verbatim, odd spellings included; descriptions and remediation are our own words.
*Provenance* says what a passing snapshot proves about Azure: *documented* facts are in public documents
(a seed, or Microsoft's published lists of alerts), *inferred* ones follow from them, *decided* ones are ours.

";

/// The reference as Markdown.
pub fn alert_reference() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| Alert | Name | Severity | Scope | Class |\n|---|---|---|---|---|\n");
    for detection in entries() {
        let (slug, name) = (detection.slug, detection.display_name());
        let (scope, class) = (scope(detection.scope), class(detection.class));
        row(&mut text, &[&format!("[{slug}](#{slug})"), name, &severity(detection), scope, class]);
    }
    for detection in entries() {
        section(&mut text, detection);
    }
    text
}

fn section(text: &mut String, detection: &Detection) {
    line(text, &format!("\n## {}\n\n{}\n", detection.slug, detection.description));
    row(text, &["", "", "Provenance"]);
    row(text, &["---", "---", "---"]);
    let FieldProvenance { severity: of_severity, data_source, alert_type, trigger, attack, .. } =
        detection.provenance;
    row(text, &["Severity", &severity(detection), provenance(of_severity)]);
    row(text, &["Alert type", &format!("`{}`", detection.alert_type), provenance(alert_type)]);
    row(text, &["Data source", &detection.data_source.to_string(), provenance(data_source)]);
    row(text, &["Fires", &fires(&detection.trigger), provenance(trigger)]);
    row(text, &["Boundary", boundary(detection.boundary), ""]);
    row(text, &["ATT&CK", &detection.attack.join(", "), provenance(attack)]);
    row(text, &["Description", "above", provenance(detection.provenance.description)]);
    row(text, &["Remediation", "below", provenance(detection.provenance.remediation)]);
    line(text, "\nRemediation:");
    for step in detection.remediation {
        line(text, &format!("- {step}"));
    }
    line(text, "\nNames:");
    for name in detection.names {
        line(text, &format!("- seed {}: {}", name.seed, name.text));
    }
    if !detection.placeholders.is_empty() {
        line(text, &format!("\nPlaceholders: `{}`", detection.placeholders.join("`, `")));
    }
    if let Some(erratum) = detection.erratum {
        line(text, &format!("\nErratum: {erratum}"));
    }
}

fn fires(trigger: &Trigger) -> String {
    match trigger {
        Trigger::OnEvent { .. } => "on one event".to_owned(),
        Trigger::CountInWindow { rule, .. } => {
            format!("on a count outside the range of `{rule:?}NotInAllowedRange` in a tumbling window")
        }
        Trigger::AllowList { rule, .. } => format!("on what the allow list of `{rule:?}` does not hold"),
        Trigger::Posture { .. } => "as long as the configuration is weak".to_owned(),
        Trigger::Stateful { .. } => "on an event, in the light of earlier ones".to_owned(),
    }
}

fn boundary(boundary: Boundary) -> &'static str {
    match boundary {
        Boundary::None(reason) => reason,
        Boundary::TokenExpiry => "`se` at or before the hub's clock fires, one second after does not",
        Boundary::CertificateExpiry => "`notAfter` before the hub's clock fires, equal to it does not",
        Boundary::ThreatPrefix => "first and last address of a listed network fire, their neighbours do not",
        Boundary::AllowListEntry => "the entry itself is allowed, its neighbours fire",
        Boundary::SharedCredentialCount => "two devices with one credential fire, one does not",
        Boundary::PrefixLength => "an allowed /16 does not fire, a /15 does",
        Boundary::RangeEnds => "`min` and `max` are allowed, one below and one above fire",
    }
}

fn provenance(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Documented(Document::Seed) => "documented (seed)",
        Provenance::Documented(Document::PublishedList) => "documented (published list)",
        Provenance::Documented(Document::ManagementApi) => "documented (management API)",
        Provenance::Inferred => "inferred",
        Provenance::Decided => "decided",
    }
}

fn severity(detection: &Detection) -> String {
    format!("{:?}", detection.severity)
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Device => "device",
        Scope::Hub => "hub",
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::BuiltIn => "built-in",
        Class::Custom => "custom",
        Class::Recommendation => "recommendation",
    }
}

fn row(text: &mut String, cells: &[&str]) {
    line(text, &format!("| {} |", cells.join(" | ")));
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_reference_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/ALERTS.md");
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            checked_in == super::alert_reference(),
            "ALERTS.md is stale; run: cargo run -p hilarm-defender --example alert-reference > broker/defender/ALERTS.md"
        );
    }
}
