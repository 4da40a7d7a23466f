//! A process was started whose executable is not on the allow list of the device's group.
//!
//! An entry allows an executable by its whole path or by its base name, letter by letter.

use hilarm_model::{AllowRuleType, HubEvent, SecurityPayload};

use crate::alert::{Subject, shortened};
use crate::counting::security_events;
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "process-not-allowed",
    names: &[Name::new(Seed::CustomAlerts, "Custom alert - A process was executed that isn't allowed")],
    scope: Scope::Device,
    class: Class::Custom,
    severity: Severity::Low,
    data_source: DataSource::MicroAgent,
    alert_type: "IoT_CA_ProcessNotAllowed",
    description: "A process outside the list allowed to its security group was executed on a device.",
    remediation: &[
        "Where raw data is saved, investigate it in Log Analytics, identify the source, and correct the allow list.",
        "Where it is not, go to the device, identify the source there, and correct the allow list.",
    ],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance::SEEDED,
    attack: &["T1059"],
    boundary: Boundary::AllowListEntry,
    trigger: Trigger::AllowList {
        rule: AllowRuleType::ProcessNotAllowed,
        on: &[EventKind::SecurityMessageReceived],
        judge,
    },
};

fn judge(event: &HubEvent, judgement: &mut Judgement<'_>) {
    let Some((device, events)) = security_events(event) else { return };
    let Some((allowed, group)) = judgement.allow_list(device) else { return };
    for event in events {
        let SecurityPayload::ProcessCreate(process) = &event.payload else { continue };
        judgement.consider();
        if !allowed.executable(&process.executable) {
            let subject = Subject::Executable(shortened(&process.executable));
            judgement.raise(device, Some(subject), |facts| {
                facts.insert("SecurityGroup", group.clone());
                facts.insert("Executable", shortened(&process.executable));
                facts.insert("CommandLine", shortened(&process.command_line));
                facts.insert("UserName", shortened(&process.user));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Subject;
    use crate::tests::fixture::{DEVICE, World, allowing_names, heartbeat, process, reports};
    use hilarm_model::AllowRuleType;

    const SLUG: &str = "process-not-allowed";

    /// A device that may run these executables.
    fn world(executables: &[&str]) -> World {
        let mut world = World::provisioned(allowing_names(AllowRuleType::ProcessNotAllowed, executables));
        world.start();
        world
    }

    #[test]
    fn fires_on_an_executable_that_is_not_listed() {
        let mut world = world(&["pumpd"]);
        world.see(1, reports(DEVICE, [process("/usr/bin/pumpd"), process("/tmp/miner")]));
        let alert = world.only(SLUG);
        assert_eq!(alert.subject, Some(Subject::Executable("/tmp/miner".into())));
        let facts = ["Executable", "CommandLine", "UserName"].map(|fact| &*alert.facts[fact]);
        assert_eq!(facts, ["/tmp/miner", "/tmp/miner --daemon", "root"]);
        assert_eq!(world.defender.considered(SLUG), 2);
    }

    #[test]
    fn at_the_boundary_the_path_or_the_base_name_is_allowed_and_nothing_near_it() {
        for (entry, count) in [
            ("/usr/bin/pumpd", 0),
            ("pumpd", 0),
            ("pump", 1),
            ("pumpd2", 1),
            ("bin/pumpd", 1),
            ("/usr/sbin/pumpd", 1),
        ] {
            let mut world = world(&[entry]);
            world.see(1, reports(DEVICE, [process("/usr/bin/pumpd")]));
            world.expect(SLUG, count);
        }
    }

    #[test]
    fn one_alert_a_device_and_executable_an_hour() {
        let mut world = world(&[]);
        for second in [0, 3599, 3600] {
            world.see(second, reports(DEVICE, [process("/tmp/a")]));
        }
        world.see(3600, reports(DEVICE, [process("/tmp/b")]));
        assert_eq!(world.alerts(SLUG).iter().map(|alert| alert.count).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn stays_silent_on_other_reports_and_without_a_rule() {
        let mut world = world(&[]);
        world.see(1, heartbeat(DEVICE));
        world.expect(SLUG, 0);
        let mut world = World::with_sas_device();
        world.see(1, reports(DEVICE, [process("/tmp/miner")]));
        world.expect(SLUG, 0);
    }
}
