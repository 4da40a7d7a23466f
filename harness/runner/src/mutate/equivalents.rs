//! Mutants that no run can tell from the original, each with the reason. Everything else must be noticed.

/// Rule, change, reason. `*` stands for any rest of a name.
pub(super) const ALL: &[(&str, &str, &str)] = &[
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
        "c2d-rejected-http",
        "any protocol taken for HTTPS",
        "MQTT knows no rejection, and nothing speaks AMQP yet",
    ),
    ("d2c-http", "retransmissions count", "HTTPS knows no retransmission"),
    ("active-connections", "ICMP is a connection", NO_ICMP),
    ("outbound-connection-not-allowed", "ICMP is a connection", NO_ICMP),
    ("outbound-connection-not-allowed", "multicast is a connection", "no device sends to many"),
    ("unauthorized-operations", "a malformed user name is unauthorized", GOOD_CONNECT),
    ("unauthorized-operations", "an unknown protocol level is unauthorized", GOOD_CONNECT),
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
        "nothing connects to a device, and none connects from a port on which it listens",
    ),
    (
        "range rules",
        "events before monitoring starts count",
        "devices boot when monitoring has started: what comes before is configuration, and counts nowhere",
    ),
    (
        "file-uploads",
        "failed uploads count",
        "the storage takes every file for which the hub gave leave in time",
    ),
];

const NO_ENTITY: &str = "a recommendation names what it lists, not an entity";
const NO_CREDENTIAL: &str = "the hub judges no credential of a stranger";
const NO_ICMP: &str = "no device sends ICMP";
const GOOD_CONNECT: &str = "the agent's CONNECT is well-formed, whatever it sends afterwards";
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
