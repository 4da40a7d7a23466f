//! What no detection judges, built by the official `flatbuffers` crate and read back.

use std::collections::BTreeMap;

use hilarm_model::{EventCategory, EventType, ProcessCreate, RecordedEvent, SecurityPayload};

use super::flatbuffer::{Buffer, Invalid};
use super::schema_tests::{
    Builder, Finished, build, finish_message, message, put_event, put_process, slot, tables,
};
use super::{recorded, schema};

/// The words of JSON schema 1.0 for the enumerations, in the order of their values.
const RESULTS: [&str; 3] = ["Pass", "Fail", "Err"];
const SEVERITIES: [&str; 4] = ["Critical", "Important", "Warning", "Informational"];
const LEVELS: [&str; 6] = ["NotSet", "Fatal", "Error", "Warning", "Information", "Debug"];

/// The fields of an item.
type Said = BTreeMap<String, String>;

/// Baseline, log, forked and ended processes.
pub(super) fn put_recorded(builder: &mut Builder, event: &RecordedEvent) -> (u8, Finished) {
    match event.name.as_str() {
        "OSBaseline" => (5, put_items(builder, event, put_check)),
        "Diagnostic" => (7, put_items(builder, event, put_log_record)),
        name => {
            let said = |name: &str| event.items[0][name].clone();
            let (executable, command_line) = (said("Executable"), said("CommandLine"));
            let process = ProcessCreate { executable, command_line, user: said("UserName") };
            let ids = ["ProcessId", "ParentProcessId", "UserId"].map(|id| said(id).parse().unwrap());
            (6, put_process(builder, &process, ids, if name == "Process" { 0 } else { 2 }))
        }
    }
}

/// The value that stands for a word.
fn value(words: &[&str], word: &str) -> i8 {
    words.iter().position(|known| *known == word).unwrap() as i8
}

/// A table of one vector of tables.
fn put_items(
    builder: &mut Builder,
    event: &RecordedEvent,
    put: fn(&mut Builder, &Said) -> Finished,
) -> Finished {
    let items: Vec<_> = event.items.iter().map(|item| put(builder, item)).collect();
    let items = tables(builder, &items);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), items);
    builder.end_table(start)
}

fn put_check(builder: &mut Builder, said: &Said) -> Finished {
    let texts =
        ["CceId", "Error", "Description", "Remediation"].map(|name| builder.create_string(&said[name]));
    let start = builder.start_table();
    for (index, text) in [0, 2, 3, 5].into_iter().zip(texts) {
        builder.push_slot_always(slot(index), text);
    }
    builder.push_slot(slot(1), value(&RESULTS, &said["Result"]), 0);
    builder.push_slot(slot(4), value(&SEVERITIES, &said["Severity"]), 0);
    builder.end_table(start)
}

fn put_log_record(builder: &mut Builder, said: &Said) -> Finished {
    let message = builder.create_string(&said["Message"]);
    let file = builder.create_string(&said["FileName"]);
    let start = builder.start_table();
    builder.push_slot(slot(2), said["Timestamp"].parse::<u64>().unwrap(), 0);
    builder.push_slot_always(slot(0), message);
    builder.push_slot(slot(1), value(&LEVELS, &said["Severity"]), 0);
    builder.push_slot(slot(3), said["Line"].parse::<u32>().unwrap(), 0);
    builder.push_slot_always(slot(4), file);
    builder.end_table(start)
}

/// An event of one item.
fn event(
    name: &str,
    category: EventCategory,
    event_type: EventType,
    said: &[(&str, &str)],
) -> SecurityPayload {
    let items = vec![said.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()];
    SecurityPayload::Recorded(RecordedEvent { name: name.into(), category, event_type, items })
}

#[test]
fn what_is_not_judged_is_read_back_with_the_names_of_the_other_schema() {
    let process_said = [
        ("CommandLine", "/tmp/miner -t 4"),
        ("Executable", "/tmp/miner"),
        ("ParentProcessId", "4"),
        ("ProcessId", "9"),
        ("UserId", "1000"),
        ("UserName", "operator"),
    ];
    let sent = message(vec![
        event("Process", EventCategory::Triggered, EventType::Security, &process_said),
        event("ProcessTerminate", EventCategory::Triggered, EventType::Security, &process_said),
        check("Pass", "Critical"),
        log_line("Error"),
    ]);
    assert_eq!(schema::decode(&build(&sent)), Ok(sent));
}

fn check(result: &str, severity: &str) -> SecurityPayload {
    let said = [
        ("CceId", "hilarm-1"),
        ("Description", "the firewall is on"),
        ("Error", ""),
        ("Remediation", "turn it on"),
        ("Result", result),
        ("Severity", severity),
    ];
    event("OSBaseline", EventCategory::Periodic, EventType::Security, &said)
}

fn log_line(severity: &str) -> SecurityPayload {
    let said = [
        ("FileName", "agent.c"),
        ("Line", "7"),
        ("Message", "no memory"),
        ("Severity", severity),
        ("Timestamp", "1767225600123"),
    ];
    event("Diagnostic", EventCategory::Triggered, EventType::Diagnostic, &said)
}

#[test]
fn every_value_of_an_enumeration_has_its_word() {
    let results = RESULTS.map(|result| check(result, "Critical"));
    let severities = SEVERITIES.map(|severity| check("Pass", severity));
    let lines = LEVELS.map(log_line);
    let sent = message(results.into_iter().chain(severities).chain(lines).collect());
    assert_eq!(schema::decode(&build(&sent)), Ok(sent));
}

#[test]
fn words_that_the_schema_does_not_have_are_refused() {
    let mut builder = Builder::new();
    let id = builder.create_string("hilarm-1");
    let start = builder.start_table();
    builder.push_slot_always(slot(0), id);
    builder.push_slot(slot(1), 3i8, 0);
    let check = builder.end_table(start);
    let checks = tables(&mut builder, &[check]);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), checks);
    let baseline = builder.end_table(start);
    builder.finish_minimal(baseline);
    let buffer = Buffer::new(builder.finished_data());
    let refused = recorded::baseline(&buffer.root().unwrap());
    assert_eq!(refused, Err(Invalid::Unknown { name: "result", value: 3 }));
}

/// A log record as short as they come, in a log of so many.
fn log_of(builder: &mut Builder, records: usize, is_shared: bool) -> Finished {
    let file = builder.create_string("a.c");
    let put = |builder: &mut Builder| {
        let message = builder.create_string("x");
        let start = builder.start_table();
        builder.push_slot_always(slot(0), message);
        builder.push_slot_always(slot(4), file);
        builder.end_table(start)
    };
    let records: Vec<Finished> =
        if is_shared { vec![put(builder); records] } else { (0..records).map(|_| put(builder)).collect() };
    let records = tables(builder, &records);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), records);
    builder.end_table(start)
}

#[test]
fn a_log_of_short_records_is_kept_and_one_record_shared_a_thousandfold_is_not() {
    for (is_shared, is_kept) in [(false, true), (true, false)] {
        let mut builder = Builder::new();
        let log = log_of(&mut builder, 1000, is_shared);
        builder.finish_minimal(log);
        let buffer = Buffer::new(builder.finished_data());
        let read = recorded::log(&buffer.root().unwrap());
        match read {
            Ok(SecurityPayload::Recorded(event)) => assert!(is_kept && event.items.len() == 1000),
            other => assert!(!is_kept && other == Err(Invalid::Amplified), "{other:?}"),
        }
    }
}

/// A message of so many baselines without checks, each an event of its own or all of them the same one.
fn empty_baselines(events: usize, is_shared: bool) -> Vec<u8> {
    let mut builder = Builder::new();
    let put = |builder: &mut Builder| {
        let start = builder.start_table();
        let baseline = builder.end_table(start);
        put_event(builder, 5, baseline)
    };
    let events: Vec<Finished> = if is_shared {
        vec![put(&mut builder); events]
    } else {
        (0..events).map(|_| put(&mut builder)).collect()
    };
    finish_message(&mut builder, &events)
}

#[test]
fn empty_events_are_read_and_one_event_shared_a_thousandfold_is_refused() {
    let read = |is_shared| schema::decode(&empty_baselines(1000, is_shared));
    assert_eq!(read(false).map(|message| message.events.len()), Ok(1000));
    assert_eq!(read(true), Err(Invalid::Amplified));
}
