//! What each kind of event says, in the words of JSON schema 1.0. Required fields are all there; of the others those
//! that this device knows.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use hilarm_link::LogLevel;
use serde_json::{Value, json};

use crate::flows::FlowKey;
use crate::state::{Chain, Hardware, LocalUser, MessageCount, QueueCount, Rule};

/// A check of the device's baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BaselineCheck {
    /// Its id.
    pub(crate) id: &'static str,
    /// What should hold.
    pub(crate) description: &'static str,
    /// `Critical`, `Important`, `Warning` or `Informational`.
    pub(crate) severity: &'static str,
    /// Whether it holds.
    pub(crate) passed: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Somebody signed in at the console, or tried to.
    Login {
        /// User name as given.
        user: String,
        /// Whether it succeeded.
        success: bool,
        /// What checked the password.
        executable: String,
        /// Its process id.
        process_id: u32,
        /// Where from, for a remote login.
        remote_address: Option<[u8; 4]>,
    },
    /// A process was started.
    ProcessCreate {
        /// Path of the executable.
        executable: String,
        /// Its command line.
        command_line: String,
        /// Name and id of the user it runs as.
        user: (String, u32),
        /// Process id.
        process_id: u32,
        /// Process id of what started it.
        parent_process_id: u32,
    },
    /// The TCP ports on which the device listens, all of them.
    ListeningPorts {
        /// The device's address.
        local_address: [u8; 4],
        /// The ports.
        ports: Vec<u16>,
    },
    /// A TCP connection of the device came up.
    ConnectionCreate {
        /// Its ends.
        flow: FlowKey,
        /// Path of the executable that opened it.
        executable: String,
        /// Its process id.
        process_id: u32,
    },
    /// A process ended.
    ProcessTerminate {
        /// Path of the executable.
        executable: String,
        /// Process id.
        process_id: u32,
        /// What it left behind.
        exit_status: i32,
    },
    /// The firewall, all its rules.
    FirewallConfiguration {
        /// Whether it is on.
        enabled: bool,
        /// The rules, the first to be looked at first.
        rules: Vec<Rule>,
    },
    /// The local users, all of them.
    LocalUsers(Vec<LocalUser>),
    /// The device's hardware, all of it.
    ConnectedHardware(Vec<Hardware>),
    /// What the device was checked for.
    OsBaseline(Vec<BaselineCheck>),
    /// A line of the agent's log.
    Diagnostic {
        /// How bad.
        level: LogLevel,
        /// The line.
        message: String,
        /// The agent's process id.
        process_id: u32,
    },
    /// Events that the agent queued and lost: of high priority, of low.
    DroppedEventsStatistics([QueueCount; 2]),
    /// Messages that the agent sent.
    MessageStatistics(MessageCount),
    /// A setting of the twin that the agent cannot use.
    ConfigurationError {
        /// Its name.
        name: String,
        /// What the agent uses in its place.
        used: String,
    },
}

impl Payload {
    /// Name, category and type of the event.
    pub(super) fn kind(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Login { .. } => ("Login", "Triggered", "Security"),
            Self::ProcessCreate { .. } => ("ProcessCreate", "Triggered", "Security"),
            Self::ConnectionCreate { .. } => ("ConnectionCreate", "Triggered", "Security"),
            Self::ProcessTerminate { .. } => ("ProcessTerminate", "Triggered", "Security"),
            Self::ListeningPorts { .. } => ("ListeningPorts", "Periodic", "Security"),
            Self::FirewallConfiguration { .. } => ("FirewallConfiguration", "Periodic", "Security"),
            Self::LocalUsers(_) => ("LocalUsers", "Periodic", "Security"),
            Self::ConnectedHardware(_) => ("ConnectedHardware", "Periodic", "Security"),
            Self::OsBaseline(_) => ("OSBaseline", "Periodic", "Security"),
            Self::Diagnostic { .. } => ("Diagnostic", "Triggered", "Diagnostic"),
            Self::ConfigurationError { .. } => ("ConfigurationError", "Triggered", "Operational"),
            Self::DroppedEventsStatistics(_) => ("DroppedEventsStatistics", "Periodic", "Operational"),
            Self::MessageStatistics(_) => ("MessageStatistics", "Periodic", "Operational"),
        }
    }

    /// Its items.
    pub(super) fn items(&self) -> Vec<Value> {
        match self {
            Self::Login { user, success, executable, process_id, remote_address } => {
                let mut item = json!({
                    "UserName": user,
                    "Result": if *success { "Success" } else { "Fail" },
                    "Operation": "Login",
                    "Executable": executable,
                    "ProcessId": process_id,
                });
                if let Some(address) = remote_address {
                    item["RemoteAddress"] = Ipv4Addr::from(*address).to_string().into();
                }
                Vec::from([item])
            }
            Self::ProcessCreate {
                executable,
                command_line,
                user: (name, id),
                process_id,
                parent_process_id,
            } => Vec::from([json!({
                "Executable": executable,
                "CommandLine": command_line,
                "UserName": name,
                "UserId": id.to_string(),
                "ProcessId": process_id,
                "ParentProcessId": parent_process_id,
            })]),
            Self::ConnectionCreate { flow, executable, process_id } => Vec::from([json!({
                "RemoteAddress": Ipv4Addr::from(flow.remote_address).to_string(),
                "RemotePort": flow.remote_port.to_string(),
                "Direction": "Out",
                "Protocol": "tcp",
                "ProcessId": process_id,
                "Executable": executable,
                "LocalAddress": Ipv4Addr::from(flow.local_address).to_string(),
                "LocalPort": flow.local_port.to_string(),
                "UserId": "0",
            })]),
            Self::ProcessTerminate { executable, process_id, exit_status } => Vec::from([json!({
                "Executable": executable,
                "ProcessId": process_id,
                "ExitStatus": exit_status,
            })]),
            Self::ListeningPorts { local_address, ports } => {
                let address = Ipv4Addr::from(*local_address).to_string();
                let item = |port: &u16| json!({ "Protocol": "tcp", "LocalAddress": address, "LocalPort": port.to_string() });
                ports.iter().map(item).collect()
            }
            Self::FirewallConfiguration { enabled, rules } => {
                (0..).zip(rules).map(|(place, rule)| firewall_rule(*enabled, place, *rule)).collect()
            }
            Self::LocalUsers(users) => users.iter().map(local_user).collect(),
            Self::ConnectedHardware(hardware) => hardware.iter().map(piece_of_hardware).collect(),
            Self::OsBaseline(checks) => checks.iter().map(baseline_check).collect(),
            Self::Diagnostic { level, message, process_id } => Vec::from([json!({
                "Severity": severity(*level),
                "Message": message,
                "ProcessId": process_id,
                "ThreadId": 0,
            })]),
            Self::ConfigurationError { name, used } => Vec::from([json!({
                "ConfigurationName": name,
                "ErrorType": "TypeMismatch",
                "UsedConfiguration": used,
                "Message": format!("{name} is not of the documented form"),
            })]),
            Self::DroppedEventsStatistics([high, low]) => {
                Vec::from([queue_count("High", *high), queue_count("Low", *low)])
            }
            Self::MessageStatistics(count) => Vec::from([json!({
                "MessagesSent": count.sent,
                "MessagesUnder4KB": count.under_4_kb,
                "TotalFailed": count.failed,
            })]),
        }
    }
}

fn firewall_rule(enabled: bool, place: u32, rule: Rule) -> Value {
    let (chain, direction) = match rule.chain {
        Chain::Input => ("INPUT", "In"),
        Chain::Output => ("OUTPUT", "Out"),
    };
    let mut item = json!({
        "Enabled": enabled,
        "Action": if rule.allows { "Allow" } else { "Deny" },
        "Priority": place,
        "Direction": direction,
        "ChainName": chain,
        "Protocol": "tcp",
    });
    if let Some(port) = rule.port {
        item["DestinationPort"] = port.to_string().into();
    }
    item
}

fn local_user(user: &LocalUser) -> Value {
    let id = user.id.to_string();
    json!({ "UserName": user.name, "UserId": id, "GroupNames": user.name, "GroupIds": id })
}

fn piece_of_hardware(hardware: &Hardware) -> Value {
    json!({
        "HardwareCategory": hardware.category,
        "HardwareSubCategory": hardware.sub_category,
        "HardwareName": hardware.name,
    })
}

fn baseline_check(check: &BaselineCheck) -> Value {
    json!({
        "CceId": check.id,
        "Description": check.description,
        "Result": if check.passed { "Pass" } else { "Fail" },
        "Error": "",
        "Severity": check.severity,
    })
}

fn queue_count(queue: &str, count: QueueCount) -> Value {
    json!({ "Queue": queue, "CollectedEvents": count.collected, "DroppedEvents": count.dropped })
}

fn severity(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "Error",
        LogLevel::Warn => "Warning",
        LogLevel::Info => "Information",
        LogLevel::Debug => "Debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The items as the hub gets them.
    fn items(payload: &Payload) -> Value {
        payload.items().into()
    }

    #[test]
    fn a_login_names_user_result_and_origin_also_when_the_name_is_hostile() {
        let name = "ro\"ot\\\u{1}\u{7f}é";
        let login = Payload::Login {
            user: name.to_string(),
            success: false,
            executable: "/bin/login".to_string(),
            process_id: 4,
            remote_address: Some([192, 0, 2, 7]),
        };
        let item: Value = serde_json::from_str(&items(&login)[0].to_string()).unwrap();
        assert_eq!(item["UserName"], name);
        assert_eq!((&item["Result"], &item["RemoteAddress"]), (&json!("Fail"), &json!("192.0.2.7")));
        assert_eq!((&item["ProcessId"], &item["Executable"]), (&json!(4), &json!("/bin/login")));
    }

    #[test]
    fn processes_have_their_ids_and_what_began_or_ended_them() {
        let started = Payload::ProcessCreate {
            executable: "/tmp/miner".to_string(),
            command_line: "/tmp/miner -t 4".to_string(),
            user: ("root".to_string(), 0),
            process_id: 9,
            parent_process_id: 4,
        };
        let expected = json!([{
            "Executable": "/tmp/miner", "CommandLine": "/tmp/miner -t 4", "UserName": "root", "UserId": "0",
            "ProcessId": 9, "ParentProcessId": 4,
        }]);
        assert_eq!(items(&started), expected);
        let executable = "/tmp/miner".to_string();
        let ended = Payload::ProcessTerminate { executable, process_id: 9, exit_status: -1 };
        assert_eq!(items(&ended), json!([{ "Executable": "/tmp/miner", "ProcessId": 9, "ExitStatus": -1 }]));
    }

    #[test]
    fn ports_are_text() {
        let ports = Payload::ListeningPorts { local_address: [10, 42, 0, 2], ports: Vec::from([4444]) };
        let expected = json!([{ "Protocol": "tcp", "LocalAddress": "10.42.0.2", "LocalPort": "4444" }]);
        assert_eq!(items(&ports), expected);
    }

    #[test]
    fn rules_of_the_firewall_count_from_the_first_and_each_says_whether_it_is_on() {
        let input = Rule { chain: Chain::Input, allows: true, port: Some(2323) };
        let output = Rule { chain: Chain::Output, allows: false, port: None };
        let rules = Vec::from([input, output]);
        let expected = json!([
            {
                "Enabled": false, "Action": "Allow", "Priority": 0, "Direction": "In", "ChainName": "INPUT",
                "Protocol": "tcp", "DestinationPort": "2323",
            },
            {
                "Enabled": false, "Action": "Deny", "Priority": 1, "Direction": "Out", "ChainName": "OUTPUT",
                "Protocol": "tcp",
            },
        ]);
        assert_eq!(items(&Payload::FirewallConfiguration { enabled: false, rules }), expected);
    }

    #[test]
    fn users_have_groups_and_hardware_its_categories() {
        let users = Payload::LocalUsers(Vec::from([LocalUser { name: "root".to_string(), id: 0 }]));
        let expected = json!([{ "UserName": "root", "UserId": "0", "GroupNames": "root", "GroupIds": "0" }]);
        assert_eq!(items(&users), expected);
        let [category, sub_category, name] = ["USB", "Mass storage", "stick"].map(ToString::to_string);
        let hardware = Payload::ConnectedHardware(Vec::from([Hardware { category, sub_category, name }]));
        let expected = json!([
            { "HardwareCategory": "USB", "HardwareSubCategory": "Mass storage", "HardwareName": "stick" }
        ]);
        assert_eq!(items(&hardware), expected);
    }

    #[test]
    fn a_check_passes_or_fails_without_an_error() {
        let check = BaselineCheck { id: "x-1", description: "d", severity: "Critical", passed: false };
        let expected = json!([
            { "CceId": "x-1", "Description": "d", "Result": "Fail", "Error": "", "Severity": "Critical" }
        ]);
        assert_eq!(items(&Payload::OsBaseline(Vec::from([check]))), expected);
    }

    #[test]
    fn the_agent_tells_of_itself_in_lines_and_counts() {
        let (level, message) = (LogLevel::Warn, "m".to_string());
        let line = Payload::Diagnostic { level, message, process_id: 2 };
        let expected = json!([{ "Severity": "Warning", "Message": "m", "ProcessId": 2, "ThreadId": 0 }]);
        assert_eq!((line.kind().2, items(&line)), ("Diagnostic", expected));
        let counts = [QueueCount { collected: 3, dropped: 1 }, QueueCount::default()];
        let expected = json!([
            { "Queue": "High", "CollectedEvents": 3, "DroppedEvents": 1 },
            { "Queue": "Low", "CollectedEvents": 0, "DroppedEvents": 0 },
        ]);
        assert_eq!(items(&Payload::DroppedEventsStatistics(counts)), expected);
        let count = MessageCount { sent: 5, under_4_kb: 4, failed: 1 };
        let expected = json!([{ "MessagesSent": 5, "MessagesUnder4KB": 4, "TotalFailed": 1 }]);
        assert_eq!(items(&Payload::MessageStatistics(count)), expected);
    }
}
