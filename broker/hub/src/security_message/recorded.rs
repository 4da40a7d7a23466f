//! The tables of FlatBuffers schema 2.3 that no detection judges: Baseline, Log, and the processes that start no
//! program. They are recorded with the names that JSON schema 1.0 has for the same things.

use std::collections::BTreeMap;

use hilarm_model::{EventCategory, EventType, RecordedEvent, SecurityPayload};

use super::budget::ITEM_WORK;
use super::flatbuffer::{Invalid, Table};
use super::schema::process;

const RESULTS: [&str; 3] = ["Pass", "Fail", "Err"];
const SEVERITIES: [&str; 4] = ["Critical", "Important", "Warning", "Informational"];
/// Schema 2.3 writes `WARN` and `INFO` for what schema 1.0 calls by these words.
const LEVELS: [&str; 6] = ["NotSet", "Fatal", "Error", "Warning", "Information", "Debug"];

mod check {
    pub(super) const ID: usize = 0;
    pub(super) const RESULT: usize = 1;
    pub(super) const ERROR: usize = 2;
    pub(super) const DESCRIPTION: usize = 3;
    pub(super) const SEVERITY: usize = 4;
    pub(super) const REMEDIATION: usize = 5;
}

mod record {
    pub(super) const MESSAGE: usize = 0;
    pub(super) const LEVEL: usize = 1;
    pub(super) const TIMESTAMP: usize = 2;
    pub(super) const LINE: usize = 3;
    pub(super) const FILE_NAME: usize = 4;
}

/// An item under way: fields that hold nothing are left out.
#[derive(Default)]
struct Item(BTreeMap<String, String>);

impl Item {
    fn text(mut self, name: &str, text: Option<&str>) -> Self {
        if let Some(text) = text {
            self.0.insert(name.to_owned(), text.to_owned());
        }
        self
    }

    fn number(mut self, name: &str, number: impl ToString) -> Self {
        self.0.insert(name.to_owned(), number.to_string());
        self
    }
}

fn event(
    name: &str,
    category: EventCategory,
    event_type: EventType,
    items: impl IntoIterator<Item = Item>,
) -> SecurityPayload {
    let items = items.into_iter().map(|item| item.0).collect();
    SecurityPayload::Recorded(RecordedEvent { name: name.to_owned(), category, event_type, items })
}

/// The word of an enumeration's value.
fn word(words: &[&'static str], name: &'static str, value: u8) -> Result<Option<&'static str>, Invalid> {
    match words.get(usize::from(value)) {
        Some(word) => Ok(Some(word)),
        None => Err(Invalid::Unknown { name, value }),
    }
}

/// The baseline's checks.
pub(super) fn baseline(table: &Table<'_, '_>) -> Result<SecurityPayload, Invalid> {
    let checks = table.tables(0)?.into_iter().flatten().map(|check| {
        let check = check?;
        check.spend(ITEM_WORK)?;
        let id = check.string(check::ID)?.ok_or(Invalid::Missing("id"))?;
        Ok(Item::default()
            .text("CceId", Some(id))
            .text("Result", word(&RESULTS, "result", check.u8(check::RESULT)?)?)
            .text("Error", check.string(check::ERROR)?)
            .text("Description", check.string(check::DESCRIPTION)?)
            .text("Severity", word(&SEVERITIES, "severity", check.u8(check::SEVERITY)?)?)
            .text("Remediation", check.string(check::REMEDIATION)?))
    });
    let checks = checks.collect::<Result<Vec<_>, Invalid>>()?;
    Ok(event("OSBaseline", EventCategory::Periodic, EventType::Security, checks))
}

/// Lines of the agent's log.
pub(super) fn log(table: &Table<'_, '_>) -> Result<SecurityPayload, Invalid> {
    let records = table.tables(0)?.into_iter().flatten().map(|record| {
        let record = record?;
        record.spend(ITEM_WORK)?;
        let message = record.string(record::MESSAGE)?.ok_or(Invalid::Missing("message"))?;
        let file = record.string(record::FILE_NAME)?.ok_or(Invalid::Missing("filename"))?;
        Ok(Item::default()
            .text("Message", Some(message))
            .text("Severity", word(&LEVELS, "level", record.u8(record::LEVEL)?)?)
            .number("Timestamp", record.u64(record::TIMESTAMP)?)
            .number("Line", record.u32(record::LINE)?)
            .text("FileName", Some(file)))
    });
    let records = records.collect::<Result<Vec<_>, Invalid>>()?;
    Ok(event("Diagnostic", EventCategory::Triggered, EventType::Diagnostic, records))
}

/// A process that was forked, under the table's own name, for JSON schema 1.0 knows no such thing.
pub(super) fn forked(table: &Table<'_, '_>) -> Result<SecurityPayload, Invalid> {
    Ok(event("Process", EventCategory::Triggered, EventType::Security, [process(table)?]))
}

/// A process that ended; of its exit status schema 2.3 has no word.
pub(super) fn exited(table: &Table<'_, '_>) -> Result<SecurityPayload, Invalid> {
    Ok(event("ProcessTerminate", EventCategory::Triggered, EventType::Security, [process(table)?]))
}

fn process(table: &Table<'_, '_>) -> Result<Item, Invalid> {
    table.spend(ITEM_WORK)?;
    Ok(Item::default()
        .text("Executable", table.string(process::EXECUTABLE)?)
        .number("ProcessId", table.u32(process::PROCESS_ID)?)
        .number("ParentProcessId", table.u32(process::PARENT_PROCESS_ID)?)
        .number("UserId", table.u32(process::USER_ID)?)
        .text("UserName", table.string(process::USER_NAME)?)
        .text("CommandLine", table.string(process::COMMAND_LINE)?))
}
