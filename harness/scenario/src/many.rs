//! Many devices of one kind: `pump-{1..100}` among `devices` is a hundred of them, and a `for_each` step lets each do
//! the same, side by side. Both are spelled out in the tree before anything else looks at it, so that every other room
//! sees devices and `parallel` branches as if somebody had written them.

use std::ops::Range;

use crate::error::Report;
use crate::node::{Content, Entry, Node, Scalar};
use crate::problem::Problem;
use crate::suggest::Suggestion;

/// What stands for the device within a `for_each`.
const DEVICE: &str = "${device}";
const FOR_EACH: &str = "for_each";
const KEYS: [&str; 2] = ["device", "steps"];
/// More names than the device network holds; the lint says how many that is.
const NAMES_MAX: u32 = 1000;
/// Parts of a file that one `for_each` may be spelled out to.
const PARTS_MAX: usize = 200_000;

/// Spells out names and steps.
pub(crate) fn expand(root: &mut Node, report: &mut Report) {
    let Content::Map(entries) = &mut root.content else { return };
    for entry in entries {
        match entry.key.as_str() {
            "devices" => devices(&mut entry.value, report),
            "steps" => steps(&mut entry.value, false, report),
            _ => {}
        }
    }
}

fn devices(node: &mut Node, report: &mut Report) {
    let Content::Map(entries) = &mut node.content else { return };
    let mut spelled: Vec<Entry> = Vec::new();
    for entry in std::mem::take(entries) {
        let Some(names) = names(&entry.key, &entry.key_range, report) else {
            spelled.push(entry);
            continue;
        };
        for key in names {
            if let Some(first) = spelled.iter().find(|known| known.key == key) {
                let first_line = report.line(first.key_range.start);
                report.add(entry.key_range.clone(), Problem::DuplicateKey { key, first_line });
                break;
            }
            spelled.push(Entry { key, ..entry.clone() });
        }
    }
    *entries = spelled;
}

fn steps(list: &mut Node, within: bool, report: &mut Report) {
    let Content::List(items) = &mut list.content else { return };
    for item in items {
        let Content::Map(entries) = &mut item.content else { continue };
        for entry in entries {
            step(entry, within, report);
        }
    }
}

fn step(entry: &mut Entry, within: bool, report: &mut Report) {
    match (entry.key.as_str(), &mut entry.value.content) {
        (FOR_EACH, _) if within => {
            report.add(entry.key_range.clone(), Problem::NestedForEach);
            (entry.key, entry.value.content) = ("parallel".to_owned(), Content::Poisoned);
        }
        (FOR_EACH, _) => {
            let branches = for_each(&mut entry.value, &entry.key_range, report);
            entry.key = "parallel".to_owned();
            entry.value.content = branches.map_or(Content::Poisoned, Content::List);
        }
        ("malicious", Content::Map(lists)) => {
            lists.iter_mut().for_each(|list| steps(&mut list.value, within, report));
        }
        ("repeat", Content::Map(keys)) => {
            let lists = keys.iter_mut().filter(|entry| entry.key == "steps");
            lists.for_each(|list| steps(&mut list.value, within, report));
        }
        ("parallel", Content::List(branches)) => {
            branches.iter_mut().for_each(|branch| steps(branch, within, report));
        }
        _ => {}
    }
}

/// The branches, one for each device; nothing when the report says why.
fn for_each(body: &mut Node, key_range: &Range<usize>, report: &mut Report) -> Option<Vec<Node>> {
    for entry in body.entries().iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
        let (key, suggestion) = (entry.key.clone(), Suggestion::new(&entry.key, KEYS));
        report.add(entry.key_range.clone(), Problem::UnknownKey { key, suggestion });
    }
    let mut part = |key: &str| {
        if body.get(key).is_none() {
            report.add(key_range.clone(), Problem::MissingKey { key: key.to_owned() });
        }
        body.get(key).cloned()
    };
    let (device, list) = (part("device"), part("steps"));
    let (device, mut list) = (device?, list?);
    let text = device.text().unwrap_or_default();
    let Some(names) = names(text, &device.range, report) else {
        let expected = "a range of devices, such as `pump-{1..100}`";
        report.add(device.range.clone(), Problem::Malformed { text: text.to_owned(), expected });
        return None;
    };
    steps(&mut list, true, report);
    let parts = parts_of(&list) * names.len();
    if parts > PARTS_MAX {
        report.add(key_range.clone(), Problem::TooManyParts { found: parts, most: PARTS_MAX });
        return None;
    }
    Some(names.iter().map(|name| named(&list, name)).collect())
}

/// A copy of a part with a device's name put in.
fn named(node: &Node, name: &str) -> Node {
    let content = match &node.content {
        Content::Scalar(scalar) if scalar.text.contains(DEVICE) => {
            Content::Scalar(Scalar { text: scalar.text.replace(DEVICE, name), plain: false })
        }
        Content::List(items) => Content::List(items.iter().map(|item| named(item, name)).collect()),
        Content::Map(entries) => {
            let entry = |entry: &Entry| Entry { value: named(&entry.value, name), ..entry.clone() };
            Content::Map(entries.iter().map(entry).collect())
        }
        content => content.clone(),
    };
    Node { range: node.range.clone(), content }
}

fn parts_of(node: &Node) -> usize {
    let within: usize = match &node.content {
        Content::List(items) => items.iter().map(parts_of).sum(),
        Content::Map(entries) => entries.iter().map(|entry| parts_of(&entry.value)).sum(),
        Content::Scalar(_) | Content::Poisoned => 0,
    };
    within + 1
}

/// The names that a text with `{first..last}` in it stands for; nothing if it holds no such range.
fn names(text: &str, shown: &Range<usize>, report: &mut Report) -> Option<Vec<String>> {
    let (before, rest) = text.split_once('{')?;
    let (range, behind) = rest.split_once('}')?;
    let (first, last) = range.split_once("..")?;
    let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) else { return None };
    let count = last.checked_sub(first).and_then(|more| more.checked_add(1)).unwrap_or(0);
    if count == 0 || count > NAMES_MAX {
        let (value, range) = (format!("{first}..{last}"), format!("1 to {NAMES_MAX} devices"));
        report.add(shown.clone(), Problem::OutOfRange { value, range });
        return Some(Vec::new());
    }
    Some((first..=last).map(|number| format!("{before}{number}{behind}")).collect())
}

#[cfg(test)]
mod tests {
    use crate::{Step, parse};

    const SOURCE: &str = r#"schema: 1
name: Many devices
seed: 1
devices:
  pump-{1..12}: { auth: { sas: {} } }
  valve: { auth: { sas: {} } }
steps:
  - for_each:
      device: pump-{2..11}
      steps:
        - connect: { device: "${device}" }
        - send_cloud_to_device: { device: "${device}", payload: "to ${device}" }
expect: {}
"#;

    #[test]
    fn a_range_of_names_is_that_many_devices_and_branches() {
        let file = parse("x", "x.yaml", SOURCE).unwrap();
        assert_eq!(file.scenario.devices.len(), 13);
        let [Step::Parallel(branches)] = &file.scenario.steps[..] else {
            panic!("{:?}", file.scenario.steps)
        };
        assert_eq!(branches.len(), 10);
        let last = format!("{:?}", branches[9]);
        assert!(last.contains("pump-11") && last.contains("to pump-11"), "{last}");
        let place = file.spans.locate("steps[0].parallel[9][1]").unwrap();
        assert_eq!(place.line, 12, "a finding about a branch is shown where its step is written");
    }

    #[test]
    fn a_range_that_is_none_or_too_long_or_collides_is_refused() {
        for (old, new, why) in [
            ("pump-{1..12}:", "pump-{12..1}:", "12..1 is out of range: 1 to 1000 devices"),
            ("pump-{1..12}:", "pump-{1..4000000000}:", "1..4000000000 is out of range"),
            ("  valve:", "  pump-{7..7}:", "duplicate key `pump-7`, first given in line 5"),
            ("device: pump-{2..11}", "device: pump-7", "`pump-7` is not a range of devices"),
            ("device: pump-{2..11}", "device: pump-{9..13}", "unknown device `pump-13`"),
            ("device: pump-{2..11}", "devices: pump-{2..11}", "missing key `device`"),
            (
                "        - connect",
                "        - for_each: {}\n        - connect",
                "`for_each` within `for_each`",
            ),
        ] {
            let errors = parse("x", "x.yaml", &SOURCE.replacen(old, new, 1)).unwrap_err().to_string();
            assert!(errors.contains(why), "{new}: {errors}");
        }
    }
}
