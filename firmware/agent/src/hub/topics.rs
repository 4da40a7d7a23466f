//! IoT Hub's MQTT topics, user name and client id.

use alloc::format;
use alloc::string::String;

use crate::sas::percent_encode;

const API_VERSION: &str = "2021-04-12";

/// Filter of direct methods.
pub(super) const METHODS: &str = "$iothub/methods/POST/#";
/// Filter of desired properties.
pub(super) const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/#";
/// Filter of answers to twin requests.
pub(super) const TWIN_ANSWERS: &str = "$iothub/twin/res/#";

/// The user name of CONNECT.
pub(super) fn user_name(host: &str, device_id: &str) -> String {
    format!("{host}/{device_id}/{}", client())
}

/// The user name of a module's CONNECT.
pub(crate) fn module_user_name(host: &str, device_id: &str, module_id: &str) -> String {
    format!("{host}/{device_id}/{module_id}/{}", client())
}

fn client() -> String {
    let client = percent_encode(concat!("hilarm-agent/", env!("CARGO_PKG_VERSION")));
    format!("?api-version={API_VERSION}&DeviceClientType={client}")
}

/// Filter of cloud-to-device messages.
pub(super) fn cloud_to_device(device_id: &str) -> String {
    format!("devices/{device_id}/messages/devicebound/#")
}

/// Telemetry: JSON in UTF-8.
pub(crate) fn telemetry(device_id: &str) -> String {
    format!("devices/{device_id}/messages/events/$.ct=application%2Fjson&$.ce=utf-8")
}

/// Messages with properties.
pub(crate) fn events(device_id: &str, properties: &str) -> String {
    format!("devices/{device_id}/messages/events/{properties}")
}

/// Security messages: schema 2.3, FlatBuffers, from an RTOS, raw events (`spec/defender.md`, 1.1).
pub(crate) const FLATBUFFERS: &str = "mti=2.3-1-0-0&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1";
/// Security messages in JSON, schema 1.0, from an RTOS, raw events.
pub(crate) const JSON: &str = "mti=1.0-0-0-0&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1";

/// The topic of security messages in FlatBuffers.
pub(crate) fn security_message(device_id: &str) -> String {
    events(device_id, FLATBUFFERS)
}

/// The topic of security messages in JSON.
pub(crate) fn json_security_message(device_id: &str) -> String {
    events(device_id, JSON)
}

/// A request for the twin.
pub(super) fn twin_get(request: u32) -> String {
    format!("$iothub/twin/GET/?$rid={request}")
}

/// A change of reported properties.
pub(crate) fn twin_patch(request: u32) -> String {
    format!("$iothub/twin/PATCH/properties/reported/?$rid={request}")
}

/// The answer to a direct method; the request id comes back as it came.
pub(super) fn method_answer(status: u16, request: &str) -> String {
    format!("$iothub/methods/res/{status}/?$rid={request}")
}

/// What a message from the hub is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inbound<'a> {
    /// A direct method.
    Method {
        name: &'a str,
        request: &'a str,
    },
    /// The answer to a twin request.
    TwinAnswer {
        status: u16,
    },
    /// A change of desired properties.
    Desired {
        version: u64,
    },
    CloudToDevice,
}

/// Reads a topic; nothing when it is none of IoT Hub's.
pub(super) fn parse<'a>(device_id: &str, topic: &'a str) -> Option<Inbound<'a>> {
    if let Some(rest) = topic.strip_prefix("$iothub/methods/POST/") {
        let (name, query) = rest.split_once("/?")?;
        return Some(Inbound::Method { name, request: parameter(query, "$rid")? });
    }
    if let Some(query) = topic.strip_prefix("$iothub/twin/PATCH/properties/desired/?") {
        return Some(Inbound::Desired { version: parameter(query, "$version")?.parse().ok()? });
    }
    if let Some(rest) = topic.strip_prefix("$iothub/twin/res/") {
        let (status, _) = rest.split_once('/')?;
        return Some(Inbound::TwinAnswer { status: status.parse().ok()? });
    }
    let rest = topic.strip_prefix("devices/")?.strip_prefix(device_id)?;
    rest.starts_with("/messages/devicebound/").then_some(Inbound::CloudToDevice)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_user_name_is_that_of_the_sdks() {
        let name = user_name("hub.hilarm.test", "pump-1");
        assert!(
            name.starts_with(
                "hub.hilarm.test/pump-1/?api-version=2021-04-12&DeviceClientType=hilarm-agent%2F"
            )
        );
    }

    #[test]
    fn the_security_topic_is_the_documented_one() {
        assert_eq!(
            security_message("pump-1"),
            "devices/pump-1/messages/events/mti=2.3-1-0-0&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1"
        );
    }

    #[test]
    fn the_topic_of_json_security_messages_states_their_encoding() {
        assert_eq!(
            json_security_message("pump-1"),
            "devices/pump-1/messages/events/mti=1.0-0-0-0&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1"
        );
    }

    #[test]
    fn each_kind_of_message_is_told_by_its_topic() {
        let parse = |topic| parse("pump-1", topic);
        assert_eq!(
            parse("$iothub/methods/POST/ping/?$rid=1a"),
            Some(Inbound::Method { name: "ping", request: "1a" })
        );
        assert_eq!(
            parse("$iothub/twin/PATCH/properties/desired/?$version=7"),
            Some(Inbound::Desired { version: 7 })
        );
        assert_eq!(
            parse("$iothub/twin/res/204/?$rid=3&$version=9"),
            Some(Inbound::TwinAnswer { status: 204 })
        );
        assert_eq!(parse("devices/pump-1/messages/devicebound/%24.mid=1"), Some(Inbound::CloudToDevice));
    }

    #[test]
    fn other_devices_and_other_topics_are_nothing() {
        for topic in [
            "devices/pump-2/messages/devicebound/",
            "devices/pump-10/messages/devicebound/",
            "$iothub/methods/POST/ping",
            "$iothub/twin/res/ok/?$rid=1",
            "$iothub/twin/PATCH/properties/desired/?$version=-1",
            "",
        ] {
            assert_eq!(parse("pump-1", topic), None, "{topic}");
        }
    }

    proptest! {
        #[test]
        fn hostile_topics_never_panic(topic in r"(\$iothub/|devices/pump-1|twin/|methods/POST/|/|\?|\$rid=|.){0,12}") {
            let _ = parse("pump-1", &topic);
        }
    }
}
