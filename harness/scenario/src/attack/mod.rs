//! Techniques of MITRE ATT&CK, Enterprise and ICS, as one release names them: `techniques.tsv` beside this file,
//! pinned by the version in its first line. A scenario may name no other.

use std::sync::OnceLock;

use crate::suggest::Suggestion;

static TABLE: &str = include_str!("techniques.tsv");

/// A technique or sub-technique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Technique {
    /// Its id, e.g. `T1550.001`.
    pub id: &'static str,
    /// Its name; that of a sub-technique is short of its parent's.
    pub name: &'static str,
    /// The tactics that it serves, e.g. `lateral-movement`, in ATT&CK's order.
    pub tactics: Vec<&'static str>,
}

/// The release that the techniques are of, e.g. `17.1`.
pub fn attack_version() -> &'static str {
    let (_, behind) = TABLE.split_once("version ").unwrap_or_default();
    behind.split_once(':').map_or("", |(version, _)| version)
}

/// The technique of that id.
pub fn technique(id: &str) -> Option<&'static Technique> {
    let all = techniques();
    all.binary_search_by_key(&id, |known| known.id).ok().map(|at| &all[at])
}

/// Every technique, by id.
pub fn techniques() -> &'static [Technique] {
    static TECHNIQUES: OnceLock<Vec<Technique>> = OnceLock::new();
    TECHNIQUES.get_or_init(|| TABLE.lines().filter_map(read).collect())
}

fn read(line: &'static str) -> Option<Technique> {
    let mut columns = line.split('\t');
    let (id, name, tactics) = (columns.next()?, columns.next()?, columns.next()?);
    Some(Technique { id, name, tactics: tactics.split(' ').collect() })
}

/// What could have been meant by an unknown id: of a family that is known, one of its members.
pub(crate) fn suggestion(id: &str) -> Suggestion {
    let family = id.split('.').next().unwrap_or(id);
    let is_of_family = |known: &&Technique| known.id.split('.').next() == Some(family);
    let family: Vec<&str> = techniques().iter().filter(is_of_family).map(|known| known.id).collect();
    if family.is_empty() {
        return Suggestion::new(id, techniques().iter().map(|known| known.id));
    }
    Suggestion::new(id, family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_one_release_sorted_and_whole() {
        assert_eq!(attack_version(), "17.1");
        assert!(techniques().is_sorted_by_key(|known| known.id));
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(techniques().len(), rows, "a line that is no row");
        assert!(techniques().iter().all(|known| !known.name.is_empty() && !known.tactics[0].is_empty()));
    }

    #[test]
    fn a_technique_is_found_with_its_name_and_tactics() {
        let found = technique("T1550.001").unwrap();
        assert_eq!(found.name, "Application Access Token");
        assert_eq!(found.tactics, ["defense-evasion", "lateral-movement"]);
        assert_eq!(technique("T0869").unwrap().tactics, ["command-and-control"]);
        assert_eq!(technique("T1550.999"), None);
    }

    #[test]
    fn an_unknown_sub_technique_is_taken_for_one_of_its_family() {
        assert_eq!(suggestion("T1550.005").nearest.as_deref(), Some("T1550.001"));
        assert_eq!(suggestion("T1498.100").nearest.as_deref(), Some("T1498.001"));
        assert_eq!(suggestion("T9071").nearest.as_deref(), Some("T1071"));
    }

    #[test]
    fn behaviours_and_detections_name_known_techniques_only() {
        let behaviours = hilarm_agent::behaviours::all().iter();
        let behaviours = behaviours.map(|behaviour| (behaviour.name, behaviour.attack));
        let detections =
            hilarm_defender::catalogue().iter().chain(hilarm_defender::recommendation_catalogue());
        let detections = detections.map(|detection| (detection.slug, detection.attack));
        for (name, attack) in behaviours.chain(detections) {
            for id in attack {
                assert!(technique(id).is_some(), "{name}: {id} is not of ATT&CK {}", attack_version());
            }
        }
    }
}
