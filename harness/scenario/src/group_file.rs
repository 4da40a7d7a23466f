//! Security groups in files of their own. This room opens no file: whoever parses a scenario hands in what
//! reads one, and the rules that come back take their place among those that the scenario writes itself.

use std::collections::BTreeMap;
use std::ops::Range;

use hilarm_model::{AllowList, SecurityGroup};

use crate::duration::Span;
use crate::error::Report;
use crate::lint::services_not_allowed;
use crate::node::Node;
use crate::problem::Problem;
use crate::registry;
use crate::schema::{NamesSpec, NetworksSpec, PutSecurityGroup, RangeSpec, RuleSpec, Scenario, Step};
use crate::steps::Steps;

/// Reads the security group in a file, by its path in the scenario; or says why not, and where.
pub type ReadGroup<'a> = dyn FnMut(&str) -> Result<SecurityGroup, String> + 'a;

/// The groups that a scenario takes from files, by their path in it.
pub(crate) type Groups = BTreeMap<String, SecurityGroup>;

/// Reads every file that the scenario names, each once, and holds what it says against the virtual network.
pub(crate) fn read(root: &Node, reader: &mut ReadGroup<'_>, report: &mut Report) -> Groups {
    let mut groups = Groups::new();
    for (path, range) in named(root) {
        if groups.contains_key(path) {
            continue;
        }
        match reader(path) {
            Ok(group) => {
                let missing = services_not_allowed(&group);
                if !missing.is_empty() {
                    report.add(range, Problem::AllowListLacks { missing });
                }
                groups.insert(path.to_owned(), group);
            }
            Err(why) => report.add(range, Problem::GroupFile { why }),
        }
    }
    groups
}

/// The paths in a scenario, and where they stand.
fn named(root: &Node) -> Vec<(&str, Range<usize>)> {
    let files = root.get("hub").and_then(|hub| hub.get("security_group_files"));
    let files = files.map(Node::entries).unwrap_or_default().iter().map(|entry| &entry.value);
    let steps = Steps::of(root).leaves;
    let steps = steps.iter().filter(|step| step.name == "put_security_group");
    let nodes = files.chain(steps.filter_map(|step| step.body.get("file")));
    nodes.filter_map(|node| Some((node.text()?, node.range.clone()))).collect()
}

/// Puts the rules of each group where its file is named.
pub(crate) fn insert(scenario: &mut Scenario, groups: &Groups) {
    for (name, path) in &scenario.hub.security_group_files {
        if let Some(group) = groups.get(path) {
            scenario.hub.security_groups.insert(name.clone(), rules_of(group));
        }
    }
    insert_into_steps(&mut scenario.steps, groups);
}

fn insert_into_steps(steps: &mut [Step], groups: &Groups) {
    for step in steps {
        match step {
            Step::PutSecurityGroup(PutSecurityGroup { file: Some(path), rules, .. }) => {
                if let Some(group) = groups.get(path.as_str()) {
                    *rules = rules_of(group);
                }
            }
            Step::Malicious(malicious) => {
                insert_into_steps(&mut malicious.attack, groups);
                insert_into_steps(&mut malicious.benign, groups);
            }
            Step::Repeat(repeat) => insert_into_steps(&mut repeat.steps, groups),
            Step::Parallel(branches) => {
                branches.iter_mut().for_each(|branch| insert_into_steps(branch, groups));
            }
            _ => {}
        }
    }
}

/// A group's enabled rules as a scenario writes them. Of two alerts that share a rule the first stands for
/// both: the rule enables both.
pub fn rules_of(group: &SecurityGroup) -> BTreeMap<String, RuleSpec> {
    let ranges = group.ranges.iter().filter_map(|(rule, range)| {
        let range = RangeSpec { min: range.min(), max: range.max(), window: Span(range.window()) };
        Some((registry::range_slug(*rule)?.to_owned(), RuleSpec::Range(range)))
    });
    let allow_lists = group.allow_lists.iter().filter_map(|(rule, list)| {
        let rules = match list {
            AllowList::Networks(networks) => RuleSpec::Networks(NetworksSpec { networks: networks.clone() }),
            AllowList::Names(names) => RuleSpec::Names(NamesSpec { names: names.clone() }),
        };
        Some((registry::allow_slug(*rule)?.to_owned(), rules))
    });
    ranges.chain(allow_lists).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hilarm_model::{AllowRuleType, RangeRule, RangeRuleType};

    use super::*;
    use crate::parse_with_files;

    const SOURCE: &str = r#"schema: 1
name: A group from a file
seed: 1
devices:
  pump-1: { auth: { sas: {} }, security_group: plant }
hub: { security_group_files: { plant: groups/plant.json } }
steps:
  - put_security_group: { name: plant, file: groups/plant.json }
  - repeat: { times: 2, steps: [{ put_security_group: { name: other, file: groups/other.json } }] }
expect: {}
"#;

    fn group(max: u64) -> SecurityGroup {
        let rule = RangeRule::new(0, max, Duration::from_secs(300)).unwrap();
        SecurityGroup { ranges: [(RangeRuleType::MqttD2CMessages, rule)].into(), ..SecurityGroup::default() }
    }

    #[test]
    fn rules_from_a_file_stand_where_it_is_named_and_each_file_is_read_once() {
        let mut asked = Vec::new();
        let mut reader = |path: &str| {
            asked.push(path.to_owned());
            Ok(group(if path.ends_with("plant.json") { 30 } else { 7 }))
        };
        let file = parse_with_files("x", "x.yaml", SOURCE, &mut reader).unwrap();
        assert_eq!(asked, ["groups/plant.json", "groups/other.json"]);
        let text = serde_json::to_string(&file.scenario).unwrap();
        let rules = |max| format!(r#"{{"d2c-mqtt":{{"min":0,"max":{max},"window":"5m"}}}}"#);
        assert_eq!(text.matches(&rules(30)).count(), 2, "{text}");
        assert_eq!(text.matches(&rules(7)).count(), 1, "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_at_its_path() {
        let mut reader = |path: &str| match path {
            "groups/other.json" => Err("groups/other.json:3:9: no".to_owned()),
            _ => Ok(group(1)),
        };
        let errors = parse_with_files("x", "x.yaml", SOURCE, &mut reader).unwrap_err();
        let [error] = errors.errors() else { panic!("{errors}") };
        assert_eq!((error.to_string().as_str(), error.position.line), ("groups/other.json:3:9: no", 9));
    }

    #[test]
    fn an_allow_list_in_a_file_that_forgets_a_service_is_an_error_at_its_path() {
        let listing = |networks: &[&str]| {
            let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
            let list = AllowList::Networks(networks);
            let rule = AllowRuleType::ConnectionToIpNotAllowed;
            SecurityGroup { allow_lists: [(rule, list)].into(), ..SecurityGroup::default() }
        };
        let errors = |networks: &[&str]| -> Vec<(String, usize)> {
            let parsed = parse_with_files("x", "x.yaml", SOURCE, &mut |_| Ok(listing(networks)));
            let errors = parsed.err().map(|errors| errors.errors().to_vec()).unwrap_or_default();
            errors.iter().map(|error| (error.to_string(), error.position.line)).collect()
        };
        for allowed in [&["10.77.0.0/24", "10.42.0.0/24"][..], &["0.0.0.0/0", "10.77.0.10/32"], &[]] {
            assert_eq!(errors(allowed), [], "{allowed:?}");
        }
        let found = errors(&["10.77.0.10/32", "10.77.0.123/32", "10.42.0.1/32"]);
        assert_eq!(found.iter().map(|(_, line)| *line).collect::<Vec<_>>(), [6, 9]);
        assert!(found.iter().all(|(text, _)| text.contains("the name server (10.77.0.53)")), "{found:?}");
        assert!(found.iter().all(|(text, _)| !text.contains("10.77.0.10")), "{found:?}");
    }

    #[test]
    fn every_rule_of_azure_has_an_alert_to_stand_for() {
        for rule in RangeRuleType::ALL {
            assert!(registry::range_slug(rule).is_some(), "{rule:?}");
        }
        for rule in AllowRuleType::ALL {
            assert!(registry::allow_slug(rule).is_some(), "{rule:?}");
        }
    }
}
