//! A user who is not on the allow list of the device's group signed in on the device.
//!
//! Only logins that succeeded; names are compared letter by letter.

use hilarm_model::{AllowRuleType, HubEvent, Login, SecurityPayload};

use crate::alert::{Subject, shortened};
use crate::counting::security_events;
use crate::detection::{
    Boundary, Class, DataSource, Detection, FieldProvenance, Name, Scope, Seed, Severity, Trigger,
};
use crate::judgement::Judgement;
use crate::kind::EventKind;

/// The row of the catalogue.
pub(crate) static DETECTION: Detection = Detection {
    slug: "local-user-not-allowed",
    names: &[Name::new(
        Seed::CustomAlerts,
        "Custom alert - The sign in of a user that isn't on the allowed user list",
    )],
    scope: Scope::Device,
    class: Class::Custom,
    severity: Severity::Low,
    data_source: DataSource::MicroAgent,
    alert_type: "IoT_CA_LocalUserNotAllowed",
    description: "A user outside the list allowed to its security group signed in on a device.",
    remediation: &[
        "Where raw data is saved, investigate it in Log Analytics, identify the source, and correct the allow list.",
        "Where it is not, go to the device, identify the source there, and correct the allow list.",
    ],
    placeholders: &[],
    erratum: None,
    provenance: FieldProvenance::SEEDED,
    attack: &["T1078.003"],
    boundary: Boundary::AllowListEntry,
    trigger: Trigger::AllowList {
        rule: AllowRuleType::LocalUserNotAllowed,
        on: &[EventKind::SecurityMessageReceived],
        judge,
    },
};

fn judge(event: &HubEvent, judgement: &mut Judgement<'_>) {
    let Some((device, events)) = security_events(event) else { return };
    let Some((allowed, group)) = judgement.allow_list(device) else { return };
    for event in events {
        let SecurityPayload::Login(login @ Login { success: true, .. }) = &event.payload else { continue };
        judgement.consider();
        if !allowed.name(&login.user) {
            let subject = Subject::User(shortened(&login.user));
            judgement.raise(device, Some(subject), |facts| {
                facts.insert("SecurityGroup", group.clone());
                facts.insert("UserName", shortened(&login.user));
                facts.insert("Executable", shortened(&login.executable));
                if let Some(address) = login.remote_address {
                    facts.insert("RemoteAddress", address.to_canonical().to_string());
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Subject;
    use crate::tests::fixture::{DEVICE, World, allowing_names, login, reports};
    use hilarm_model::AllowRuleType;

    const SLUG: &str = "local-user-not-allowed";

    /// A device on which these users may sign in.
    fn world(users: &[&str]) -> World {
        let mut world = World::provisioned(allowing_names(AllowRuleType::LocalUserNotAllowed, users));
        world.start();
        world
    }

    #[test]
    fn fires_on_the_login_of_a_user_who_is_not_listed() {
        let mut world = world(&["operator"]);
        world.see(1, reports(DEVICE, [login("operator", true), login("root", true)]));
        let alert = world.only(SLUG);
        assert_eq!(alert.subject, Some(Subject::User("root".into())));
        assert_eq!((&*alert.facts["UserName"], &*alert.facts["Executable"]), ("root", "/sbin/login"));
        assert_eq!(world.defender.considered(SLUG), 2);
    }

    #[test]
    fn at_the_boundary_only_the_exact_name_is_allowed() {
        for (user, count) in [("operator", 0), ("operato", 1), ("operators", 1), ("Operator", 1), ("", 1)] {
            let mut world = world(&["operator"]);
            world.see(1, reports(DEVICE, [login(user, true)]));
            world.expect(SLUG, count);
        }
    }

    #[test]
    fn one_alert_a_device_and_user_an_hour() {
        let mut world = world(&[]);
        for second in [0, 3599, 3600] {
            world.see(second, reports(DEVICE, [login("root", true)]));
        }
        world.see(3600, reports(DEVICE, [login("guest", true)]));
        assert_eq!(world.alerts(SLUG).iter().map(|alert| alert.count).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn stays_silent_on_logins_that_failed_and_without_a_rule() {
        let mut world = world(&[]);
        world.see(1, reports(DEVICE, [login("root", false)]));
        world.expect(SLUG, 0);
        let mut world = World::with_sas_device();
        world.see(1, reports(DEVICE, [login("root", true)]));
        world.expect(SLUG, 0);
    }
}
