//! The payloads of JSON schema 1.0. ConnectionCreate, Login, ProcessCreate and ListeningPorts become what the
//! detections judge; the other documented kinds are checked by `json_fields`, and all others recorded with what
//! they say.
//! Numbers may come as numbers or as text: agents in the field do both.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hilarm_model::{
    EventCategory, EventType, Flow, FlowDirection, FlowProtocol, ListeningPort, Login, ProcessCreate,
    RecordedEvent, SecurityPayload,
};
use serde_json::{Map, Value};

use super::budget::{Budget, ITEM_WORK, Overspent};
use super::json_fields;

/// What an event says it is.
#[derive(Clone, Copy)]
pub(super) struct Kind<'a> {
    pub(super) name: &'a str,
    pub(super) category: EventCategory,
    pub(super) event_type: EventType,
}

/// One item of a payload, with the name of its kind for complaints.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    kind: &'a str,
    fields: &'a Map<String, Value>,
}

pub(super) fn decode_payload(
    kind: Kind<'_>,
    payload: &[Value],
    budget: &Budget,
) -> Result<Vec<SecurityPayload>, String> {
    let items = payload.iter().map(|item| Item::new(kind.name, item)).collect::<Result<Vec<_>, _>>()?;
    let items = items.into_iter();
    Ok(match kind.name {
        "ConnectionCreate" => {
            vec![SecurityPayload::NetworkActivity(
                items.map(|item| connection(&item)).collect::<Result<_, _>>()?,
            )]
        }
        "ListeningPorts" => {
            vec![SecurityPayload::ListeningPorts(items.map(|item| port(&item)).collect::<Result<_, _>>()?)]
        }
        "Login" => items.map(|item| login(&item)).collect::<Result<_, _>>()?,
        "ProcessCreate" => items.map(|item| process(&item)).collect::<Result<_, _>>()?,
        name => {
            let record = |item: Item<'_>| {
                json_fields::check(&item)?;
                item.as_texts(budget).map_err(|Overspent| "the items outgrow the message".to_owned())
            };
            vec![SecurityPayload::Recorded(RecordedEvent {
                name: name.to_owned(),
                category: kind.category,
                event_type: kind.event_type,
                items: items.map(record).collect::<Result<_, _>>()?,
            })]
        }
    })
}

impl<'a> Item<'a> {
    fn new(kind: &'a str, item: &'a Value) -> Result<Self, String> {
        let fields = item.as_object().ok_or_else(|| format!("{kind}: an item is no object"))?;
        let item = Self { kind, fields };
        if let Some(details) = item.field("ExtraDetails") {
            let texts = details.as_object().is_some_and(|details| details.values().all(Value::is_string));
            if !texts {
                return Err(item.wrong("ExtraDetails", "a map of texts"));
            }
        }
        Ok(item)
    }

    pub(super) fn kind(&self) -> &'a str {
        self.kind
    }

    /// All that it says.
    fn as_texts(&self, budget: &Budget) -> Result<BTreeMap<String, String>, Overspent> {
        budget.spend(ITEM_WORK)?;
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let said = self.fields.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?)));
        said.map(|(name, text)| budget.spend(name.len() + text.len()).map(|()| (name, text))).collect()
    }

    pub(super) fn wrong(&self, name: &str, expected: &str) -> String {
        format!("{}: {name} is not {expected}", self.kind)
    }

    fn missing(&self, name: &str) -> String {
        format!("{}: {name} is missing", self.kind)
    }

    /// A field that is there; null counts as absent.
    fn field(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a Value, String> {
        self.field(name).ok_or_else(|| self.missing(name))
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        self.required(name)?.as_str().ok_or_else(|| self.wrong(name, "text"))
    }

    /// Text, or a number in its place.
    fn plain(&self, name: &str) -> Result<Option<String>, String> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(name, "text")),
        }
    }

    /// What a text says; an empty one says nothing.
    fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, String> {
        let Some(text) = self.plain(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.wrong(name, expected))
    }

    fn address(&self, name: &str) -> Result<Option<IpAddr>, String> {
        self.parsed(name, "an address")
    }

    fn port(&self, name: &str) -> Result<Option<u16>, String> {
        self.parsed(name, "a port")
    }

    fn id(&self, name: &str) -> Result<u64, String> {
        self.parsed(name, "a number")?.ok_or_else(|| self.missing(name))
    }

    fn protocol(&self) -> Result<FlowProtocol, String> {
        match self.text("Protocol")?.to_ascii_lowercase().as_str() {
            "tcp" | "tcp6" => Ok(FlowProtocol::Tcp),
            "udp" | "udp6" => Ok(FlowProtocol::Udp),
            "icmp" => Ok(FlowProtocol::Icmp),
            _ => Err(self.wrong("Protocol", "tcp, udp or icmp")),
        }
    }

    /// The name, or the id where no name is given.
    fn user(&self) -> Result<Option<String>, String> {
        let name = self.plain("UserName")?.filter(|name| !name.is_empty());
        Ok(name.or(self.plain("UserId")?.filter(|id| !id.is_empty())))
    }
}

fn connection(item: &Item<'_>) -> Result<Flow, String> {
    let remote_address = item.address("RemoteAddress")?.ok_or_else(|| item.missing("RemoteAddress"))?;
    let direction = match item.text("Direction")? {
        "In" => FlowDirection::In,
        "Out" => FlowDirection::Out,
        _ => return Err(item.wrong("Direction", "In or Out")),
    };
    let protocol = item.protocol()?;
    let remote_port = item.port("RemotePort")?.ok_or_else(|| item.missing("RemotePort"))?;
    item.id("ProcessId")?;
    item.text("Executable")?;
    Ok(Flow {
        protocol,
        local_address: item.address("LocalAddress")?.unwrap_or(unspecified(remote_address)),
        local_port: item.port("LocalPort")?.unwrap_or(0),
        remote_address,
        remote_port,
        bytes_in: 0,
        bytes_out: 0,
        direction: Some(direction),
    })
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn login(item: &Item<'_>) -> Result<SecurityPayload, String> {
    item.id("ProcessId")?;
    item.text("Operation")?;
    let success = match item.text("Result")? {
        "Success" => true,
        "Fail" => false,
        _ => return Err(item.wrong("Result", "Success or Fail")),
    };
    Ok(SecurityPayload::Login(Login {
        user: item.user()?.ok_or_else(|| item.missing("UserId or UserName"))?,
        success,
        executable: item.text("Executable")?.to_owned(),
        remote_address: item.address("RemoteAddress")?,
    }))
}

fn process(item: &Item<'_>) -> Result<SecurityPayload, String> {
    item.id("ProcessId")?;
    item.id("ParentProcessId")?;
    item.plain("UserId")?.ok_or_else(|| item.missing("UserId"))?;
    Ok(SecurityPayload::ProcessCreate(ProcessCreate {
        executable: item.text("Executable")?.to_owned(),
        command_line: item.text("CommandLine")?.to_owned(),
        user: item.user()?.unwrap_or_default(),
    }))
}

fn port(item: &Item<'_>) -> Result<ListeningPort, String> {
    Ok(ListeningPort {
        protocol: item.protocol()?,
        address: item.address("LocalAddress")?.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        port: item.port("LocalPort")?.ok_or_else(|| item.missing("LocalPort"))?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode_payload(name: &str, payload: &[Value]) -> Result<Vec<SecurityPayload>, String> {
        let (category, event_type) = (EventCategory::Periodic, EventType::Security);
        super::decode_payload(Kind { name, category, event_type }, payload, &Budget::of(4096))
    }

    fn one(kind: &str, item: Value) -> Result<SecurityPayload, String> {
        decode_payload(kind, &[item]).map(|mut payloads| payloads.remove(0))
    }

    /// Complains about each of the fields when it is missing.
    fn requires(kind: &str, whole: &Value, fields: &[&str]) {
        assert!(one(kind, whole.clone()).is_ok(), "{kind}");
        for field in fields {
            let mut item = whole.clone();
            item.as_object_mut().unwrap().remove(*field);
            assert!(one(kind, item).unwrap_err().contains(field), "{kind} without {field}");
        }
    }

    fn signed_in() -> Value {
        json!({ "ProcessId": 4, "Operation": "Login", "Executable": "/bin/login", "Result": "Success", "UserId": 0 })
    }

    #[test]
    fn a_login_has_its_user_by_name_or_by_id() {
        let user = |item: Value| match one("Login", item) {
            Ok(SecurityPayload::Login(login)) => login.user,
            other => panic!("{other:?}"),
        };
        assert_eq!(user(signed_in()), "0");
        let mut named = signed_in();
        named["UserName"] = "root".into();
        assert_eq!(user(named), "root");
        requires("Login", &signed_in(), &["ProcessId", "Operation", "Executable", "Result", "UserId"]);
    }

    #[test]
    fn a_login_with_another_result_or_no_address_as_origin_is_refused() {
        for (field, value) in [("Result", "Maybe"), ("RemoteAddress", "somewhere"), ("ExtraDetails", "none")]
        {
            let mut item = signed_in();
            item[field] = value.into();
            assert!(one("Login", item).unwrap_err().contains(field), "{field}");
        }
    }

    #[test]
    fn a_started_process_has_executable_command_line_and_user() {
        let item = json!({
            "Executable": "/tmp/miner", "CommandLine": "/tmp/miner -t 4", "UserName": "root", "UserId": "0",
            "ProcessId": 9, "ParentProcessId": "4",
        });
        let expected = ProcessCreate {
            executable: "/tmp/miner".into(),
            command_line: "/tmp/miner -t 4".into(),
            user: "root".into(),
        };
        assert_eq!(one("ProcessCreate", item.clone()), Ok(SecurityPayload::ProcessCreate(expected)));
        let required = ["Executable", "ProcessId", "ParentProcessId", "UserId", "CommandLine"];
        requires("ProcessCreate", &item, &required);
    }

    #[test]
    fn listening_ports_of_one_event_stay_together() {
        let item = |port: Value| json!({ "Protocol": "tcp", "LocalAddress": "10.42.0.2", "LocalPort": port });
        let payloads = decode_payload("ListeningPorts", &[item("22".into()), item(4444.into())]).unwrap();
        let [SecurityPayload::ListeningPorts(ports)] = &payloads[..] else { panic!("{payloads:?}") };
        assert_eq!(ports.iter().map(|port| port.port).collect::<Vec<_>>(), [22, 4444]);
        requires("ListeningPorts", &item("22".into()), &["LocalPort", "Protocol"]);
        assert!(one("ListeningPorts", item("65536".into())).is_err());
        assert_eq!(decode_payload("ListeningPorts", &[]), Ok(vec![SecurityPayload::ListeningPorts(vec![])]));
    }

    #[test]
    fn a_connection_requires_what_the_schema_requires() {
        let item = json!({
            "RemoteAddress": "198.51.100.7", "RemotePort": "4444", "Direction": "Out", "Protocol": "tcp",
            "ProcessId": 7, "Executable": "/bin/nc",
        });
        let required = ["RemoteAddress", "RemotePort", "Direction", "Protocol", "ProcessId", "Executable"];
        requires("ConnectionCreate", &item, &required);
    }

    #[test]
    fn an_item_that_is_no_object_is_refused() {
        assert!(one("Login", json!("root")).is_err());
        assert!(one("LocalUsers", json!(1)).is_err());
    }
}
