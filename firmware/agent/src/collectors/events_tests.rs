//! What the collectors of events tell a hub, and when, seen from the outside: through a whole device.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Value, json};

use super::super::schedule::EVENTS;
use super::*;
use crate::mqtt::peer;
use crate::testing::World;

const SECTION: &str = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";

/// The twin sets the agent up.
fn configure(world: &mut World, settings: Value) {
    let desired = json!({ SECTION: settings }).to_string();
    let topic = "$iothub/twin/PATCH/properties/desired/?$version=2";
    world.hub_sends(peer::publish(topic, desired.as_bytes(), None));
}

/// Names of the events told so far, each once.
fn told(world: &World) -> BTreeSet<String> {
    let messages = world.security_messages();
    let events = messages.iter().flat_map(|message| message["Events"].as_array().unwrap());
    events.map(|event| event["Name"].as_str().unwrap().to_string()).collect()
}

fn snapshots_every_minute(world: &mut World) {
    configure(world, json!({ "snapshotFrequency": { "value": "PT1M" } }));
}

#[test]
fn the_twin_may_set_the_priority_of_each_event_and_of_no_other() {
    // System information travels as FlatBuffers, by its priority all the same.
    let collected = COLLECTORS.iter().map(|collector| collector.event).chain(["SystemInformation"]);
    assert_eq!(collected.collect::<BTreeSet<_>>(), EVENTS.into());
}

#[test]
fn of_a_device_as_it_left_the_factory_nothing_is_told_unasked() {
    let mut world = World::connected();
    world.run_for_s(1800);
    assert_eq!(world.security_messages(), [Value::Null; 0]);
}

#[test]
fn a_twin_that_asks_for_snapshots_gets_every_kind_at_every_collection() {
    let mut world = World::connected();
    snapshots_every_minute(&mut world);
    world.run_for_s(5 * 60);
    let kinds = [
        "ConnectedHardware",
        "DroppedEventsStatistics",
        "FirewallConfiguration",
        "ListeningPorts",
        "LocalUsers",
        "MessageStatistics",
        "OSBaseline",
    ];
    assert_eq!(told(&world), kinds.map(ToString::to_string).into());
    let users = world.security_events("LocalUsers");
    assert!((8..=10).contains(&users.len()), "two users each minute after the first: {users:?}");
    assert_eq!((&users[1]["UserName"], &users[1]["GroupIds"]), (&"operator".into(), &"1000".into()));
}

#[test]
fn a_kind_that_the_twin_turns_off_is_not_told_and_the_others_are() {
    let mut world = World::connected();
    let off = json!({ "value": "Off" });
    configure(
        &mut world,
        json!({
            "snapshotFrequency": { "value": "PT1M" },
            "eventPriorityLocalUsers": off, "eventPriorityOSBaseline": off,
        }),
    );
    world.run_for_s(5 * 60);
    assert!(world.security_events("LocalUsers").is_empty());
    assert!(world.security_events("OSBaseline").is_empty());
    assert!(!world.security_events("FirewallConfiguration").is_empty());
}

#[test]
fn what_happens_while_its_kind_is_off_is_not_told_when_the_twin_turns_it_on() {
    for (kind, behaviour, arg, text) in [
        ("Login", "sign-in", "user", "operator"),
        ("ProcessCreate", "start-process", "executable", "/usr/bin/logrotate"),
    ] {
        let args = [(arg.to_string(), hilarm_link::Value::Text(text.to_string()))];
        let mut world = World::connected();
        let priority = format!("eventPriority{kind}");
        configure(&mut world, json!({ &priority: { "value": "Off" } }));
        world.run_behaviour(behaviour, &args).unwrap();
        world.run_for_s(100);
        configure(&mut world, json!({ &priority: { "value": "High" } }));
        world.run_for_s(100);
        assert!(world.security_events(kind).is_empty(), "{kind}");
        // It was on, and would have told.
        let _ = world.stop_behaviour(behaviour);
        world.run_behaviour(behaviour, &args).unwrap();
        world.run_for_s(100);
        assert_eq!(world.security_events(kind).len(), 1, "{kind}");
    }
}

#[test]
fn the_agent_s_log_is_told_only_when_the_twin_asks_for_it() {
    let mut world = World::connected();
    world
        .run_behaviour("sign-in", &[("user".to_string(), hilarm_link::Value::Text("x".to_string()))])
        .unwrap();
    world.run_for_s(120);
    assert!(world.security_events("Diagnostic").is_empty());
    configure(&mut world, json!({ "eventPriorityDiagnostic": { "value": "High" } }));
    world.run_for_s(20);
    let lines = world.security_events("Diagnostic");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["Message"], &lines[0]["Severity"]),
        (&"user x added".into(), &"Information".into())
    );
}

#[test]
fn the_agent_counts_its_messages_and_what_its_queue_lost() {
    let mut world = World::connected();
    snapshots_every_minute(&mut world);
    world.run_for_s(10 * 60);
    let counts = world.security_events("MessageStatistics");
    // In a minute: a message of collections, one of users, who have their own hour, and one of all else.
    let last = counts.last().unwrap();
    assert_eq!(*last, json!({ "MessagesSent": 3, "MessagesUnder4KB": 3, "TotalFailed": 0 }));
    let queues = world.security_events("DroppedEventsStatistics");
    assert!(queues.iter().all(|queue| queue["DroppedEvents"] == 0));
    // Users go by high priority, the six others by low.
    let collected: Vec<_> =
        queues[queues.len() - 2..].iter().map(|queue| &queue["CollectedEvents"]).collect();
    assert_eq!(collected, [1, 6]);
}

/// Far more logins than the queue holds.
fn flood_the_queue(world: &mut World) {
    let args = [crate::testing::int("attempts", 2000), crate::testing::int("interval_ms", 500)];
    world.run_behaviour("guess-passwords", &args).unwrap();
    world.run_for_s(1200);
}

#[test]
fn a_change_that_a_flood_of_logins_drove_out_of_the_queue_is_told_all_the_same() {
    let mut world = World::connected();
    world.run_for_s(100);
    world.command(hilarm_link::Command::Disconnect).unwrap();
    world.run_behaviour("weaken-firewall", &[]).unwrap();
    world.run_for_s(100);
    flood_the_queue(&mut world);
    world.connect();
    world.run_for_s(100);
    let rules = world.security_events("FirewallConfiguration");
    assert!(!rules.is_empty() && rules.iter().all(|rule| rule["Enabled"] == false), "{rules:?}");
    assert!(!told(&world).contains("LocalUsers"), "nobody touched the users");
}

#[test]
fn a_return_to_the_state_at_boot_is_told_though_a_flood_of_logins_drove_it_out_of_the_queue() {
    let mut world = World::connected();
    world.run_behaviour("weaken-firewall", &[]).unwrap();
    world.run_for_s(100);
    world.command(hilarm_link::Command::Disconnect).unwrap();
    world.stop_behaviour("weaken-firewall").unwrap();
    world.run_for_s(100);
    flood_the_queue(&mut world);
    world.connect();
    world.run_for_s(100);
    let rules = world.security_events("FirewallConfiguration");
    let enabled: Vec<_> = rules.iter().map(|rule| &rule["Enabled"]).collect();
    assert_eq!((enabled.first(), enabled.last()), (Some(&&false.into()), Some(&&true.into())));
}

#[test]
fn happenings_that_no_room_was_left_for_are_counted_as_lost() {
    let mut world = World::connected();
    snapshots_every_minute(&mut world);
    configure(&mut world, json!({ "highPriorityMessageFrequency": { "value": "PT10M" } }));
    world.run_for_s(100);
    let args = [crate::testing::int("attempts", 300), crate::testing::int("interval_ms", 1000)];
    world.run_behaviour("guess-passwords", &args).unwrap();
    world.run_for_s(900);
    assert_eq!(world.security_events("Login").len(), 256);
    let queues = world.security_events("DroppedEventsStatistics");
    let sum = |field: &str| queues.iter().map(|queue| queue[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("DroppedEvents"), 44);
    assert!(sum("CollectedEvents") >= 300, "{queues:?}");
}

#[test]
fn losses_of_a_long_time_without_a_connection_are_told_unasked() {
    let mut world = World::connected();
    world.command(hilarm_link::Command::Disconnect).unwrap();
    flood_the_queue(&mut world);
    world.connect();
    world.run_for_s(10);
    let queues = world.security_events("DroppedEventsStatistics");
    // What told of the first losses was among the next.
    let lost: u64 = queues.iter().map(|queue| queue["DroppedEvents"].as_u64().unwrap()).sum();
    assert!(lost > 0 && world.security_events("Login").len() < 2000, "{queues:?}");
}
