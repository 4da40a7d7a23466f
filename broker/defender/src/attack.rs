//! MITRE ATT&CK: the tactics of each technique that the catalogue names, as `SecurityAlert.Tactics` lists
//! them. Enterprise techniques are T1xxx, those of the ICS matrix T0xxx.

/// The tactics of a technique; a sub-technique has those of its own entry. Empty for an unknown one.
pub(crate) fn tactics(technique: &str) -> &'static [&'static str] {
    match technique {
        "T0869" | "T0885" | "T1071" => &["CommandAndControl"],
        "T1041" | "T1567.002" => &["Exfiltration"],
        "T1046" => &["Discovery"],
        "T1059" | "T1651" => &["Execution"],
        "T1070" | "T1553.004" | "T1562.008" => &["DefenseEvasion"],
        "T1078" | "T1078.003" => &["DefenseEvasion", "InitialAccess", "Persistence", "PrivilegeEscalation"],
        "T1098.001" => &["Persistence", "PrivilegeEscalation"],
        "T1110" | "T1606" | "T1649" => &["CredentialAccess"],
        "T1133" => &["InitialAccess", "Persistence"],
        "T1498" | "T1499" | "T1531" | "T1565.001" => &["Impact"],
        "T1550.001" => &["DefenseEvasion", "LateralMovement"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technique_of_the_catalogue_has_tactics() {
        for detection in crate::catalogue::entries() {
            assert!(!detection.attack.is_empty(), "{}", detection.slug);
            for technique in detection.attack {
                assert!(!tactics(technique).is_empty(), "{}: {technique}", detection.slug);
            }
        }
    }
}
