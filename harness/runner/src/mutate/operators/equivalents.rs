//! Mutants that no run can tell from the original, each with the reason. Everything else must be noticed.

/// Rule, change, reason. `*` stands for any rest of a name.
pub(super) const ALL: &[(&str, &str, &str)] = &[
    ("certificate-*", "scope device", NO_DEVICE),
    ("diagnostic-setting-*", "scope device", NO_DEVICE),
    ("identical-credentials", "scope device", NO_ENTITY),
    ("ip-filter-*", "scope device", NO_ENTITY),
    ("diagnostics-logs", "scope device", NO_ENTITY),
    (
        "certificate-*",
        "status one lower: success from 199 on, failure from 399 on",
        "the hub answers no status next to 199 or 399",
    ),
    (
        "certificate-delete-failed",
        "status one higher: success from 201 on, failure from 401 on",
        "a deletion is refused with 403 or more, never with 400",
    ),
    ("certificate-added", "every status is a success", "a write that failed changed nothing"),
    ("sas-*", "refusals of strangers are a device's", NO_CREDENTIAL),
    ("x509-*", "refusals of strangers are a device's", NO_CREDENTIAL),
    (
        "sas-*",
        "only the last cause of a refusal counts",
        "a token is refused for one cause, and it comes last",
    ),
    (
        "x509-expired",
        "only the last cause of a refusal counts",
        "a certificate that has expired is valid already: nothing comes after",
    ),
    (
        "identical-credentials",
        "only the first cause of a refusal counts",
        "a thumbprint is judged first, but for disabled devices, which share with nobody",
    ),
    (
        "c2d-rejected-http",
        "any protocol taken for HTTPS",
        "MQTT knows no rejection, and nothing speaks AMQP yet",
    ),
    ("d2c-http", "retransmissions count", "HTTPS knows no retransmission"),
    ("active-connections", "ICMP has connections", ONLY_TCP),
    ("active-connections", "UDP has no connections", ONLY_TCP),
    ("outbound-connection-not-allowed", "ICMP is a connection", ONLY_TCP),
    ("outbound-connection-not-allowed", "UDP is no connection", ONLY_TCP),
    ("active-connections", "connections do not differ by remote port", OWN_PORT),
    ("active-connections", "connections do not differ by remote address", OWN_PORT),
    ("outbound-connection-not-allowed", "a flow without bytes sent is outbound", HEADERS),
    ("outbound-connection-not-allowed", "more than a byte must be sent", HEADERS),
    (
        "outbound-connection-not-allowed",
        "a stated direction does not matter",
        "the agent's flows state no direction",
    ),
    (
        "outbound-connection-not-allowed",
        "ports on which the device listens do not matter",
        "nothing in the virtual network connects to a device",
    ),
    ("file-uploads", "failed uploads count", "the agent completes every upload that it begins"),
    ("hub: token", "scope not checked", "the agent signs no token for another resource"),
    ("hub: token", "signature checked before scope", "the agent signs no token for another resource"),
];

const NO_DEVICE: &str = "an operation on the hub names no device";
const NO_ENTITY: &str = "a recommendation names what it lists, not an entity";
const NO_CREDENTIAL: &str = "the hub judges no credential of a stranger";
const ONLY_TCP: &str = "the agent reports TCP alone";
const OWN_PORT: &str = "each connection has a local port of its own";
const HEADERS: &str = "a connection that a device opens has sent its headers";

/// Why a mutant cannot be told from the original, where that is so.
pub(super) fn reason(rule: &str, change: &str) -> Option<&'static str> {
    let known = |(rules, changes, _): &&(&str, &str, &str)| names(rules, changes, rule, change);
    ALL.iter().find(known).map(|(_, _, reason)| *reason)
}

/// Whether an entry of the table means this mutant.
pub(super) fn names(rules: &str, changes: &str, rule: &str, change: &str) -> bool {
    let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    };
    fits(rules, rule) && fits(changes, change)
}
