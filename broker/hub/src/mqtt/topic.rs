//! IoT Hub's topics: what a client may publish to and subscribe to, and what the hub publishes to.

use hilarm_model::DeviceId;

use crate::core::registry::ClientIdentity;

/// Longer request ids are no request ids.
const RID_BYTES_MAX: usize = 1024;

/// What a publish means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublishTopic<'a> {
    /// A device-to-cloud message with its property bag.
    Events { bag: &'a str },
    /// Read the twin.
    TwinGet { rid: &'a str },
    /// Merge reported properties.
    TwinPatchReported { rid: &'a str },
    /// Answer a direct method.
    MethodAnswer { status: i32, rid: &'a str },
}

/// What a subscription is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subscription {
    CloudToDevice,
    ModuleInputs,
    Methods,
    TwinResponses,
    DesiredChanges,
}

/// `devices/{d}/messages/events` or `devices/{d}/modules/{m}/messages/events`.
pub(crate) fn events(identity: &ClientIdentity) -> String {
    match &identity.module {
        None => format!("devices/{}/messages/events", identity.device),
        Some(module) => format!("devices/{}/modules/{module}/messages/events", identity.device),
    }
}

/// The meaning of a topic for the client whose events topic is given; `None` when it has no right to it.
pub(crate) fn publish<'a>(topic: &'a str, own_events: &str) -> Option<PublishTopic<'a>> {
    if let Some(rest) = topic.strip_prefix(own_events) {
        let bag = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
        return Some(PublishTopic::Events { bag: bag.strip_suffix('/').unwrap_or(bag) });
    }
    let hub_topic = topic.strip_prefix("$iothub/")?;
    if let Some(query) = hub_topic.strip_prefix("twin/GET/?") {
        return Some(PublishTopic::TwinGet { rid: rid(query)? });
    }
    if let Some(query) = hub_topic.strip_prefix("twin/PATCH/properties/reported/?") {
        return Some(PublishTopic::TwinPatchReported { rid: rid(query)? });
    }
    let (status, query) = hub_topic.strip_prefix("methods/res/")?.split_once("/?")?;
    Some(PublishTopic::MethodAnswer { status: status.parse().ok()?, rid: rid(query)? })
}

/// `$rid` of a topic's query, opaque; bounded, because it comes back inside a topic of the hub.
fn rid(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("$rid=")).filter(|rid| rid.len() <= RID_BYTES_MAX)
}

/// What a filter asks for; `None` when it is not documented, or another device's. ThreadX devices write a
/// literal `+` for their own id.
pub(crate) fn subscription(filter: &str, identity: &ClientIdentity) -> Option<Subscription> {
    match filter {
        "$iothub/methods/POST/#" => return Some(Subscription::Methods),
        "$iothub/twin/res/#" => return Some(Subscription::TwinResponses),
        "$iothub/twin/PATCH/properties/desired/#" => return Some(Subscription::DesiredChanges),
        _ => {}
    }
    let (device, rest) = filter.strip_prefix("devices/")?.split_once('/')?;
    let own_device = device == identity.device.as_str();
    let Some(module) = &identity.module else {
        let fits = (own_device || device == "+") && rest == "messages/devicebound/#";
        return fits.then_some(Subscription::CloudToDevice);
    };
    let rest = rest.strip_prefix("modules/")?.strip_prefix(module.as_str())?;
    (own_device && matches!(rest, "/#" | "/inputs/#")).then_some(Subscription::ModuleInputs)
}

/// `devices/{d}/messages/devicebound/{bag}`.
pub(crate) fn device_bound(device: &DeviceId, bag: &str) -> String {
    format!("devices/{device}/messages/devicebound/{bag}")
}

/// `$iothub/twin/res/{status}/?$rid={r}[&$version={v}]`.
pub(crate) fn twin_response(status: u16, rid: &str, version: Option<u64>) -> String {
    match version {
        None => format!("$iothub/twin/res/{status}/?$rid={rid}"),
        Some(version) => format!("$iothub/twin/res/{status}/?$rid={rid}&$version={version}"),
    }
}

/// `$iothub/twin/PATCH/properties/desired/?$version={v}`.
pub(crate) fn desired_changed(version: u64) -> String {
    format!("$iothub/twin/PATCH/properties/desired/?$version={version}")
}

/// `$iothub/methods/POST/{name}/?$rid={r}`; rids are hexadecimal.
pub(crate) fn method(name: &str, rid: u64) -> String {
    format!("$iothub/methods/POST/{name}/?$rid={rid:x}")
}

#[cfg(test)]
mod tests {
    use hilarm_model::ModuleId;

    use super::*;

    fn device() -> ClientIdentity {
        ClientIdentity { device: DeviceId::new("pump-1").unwrap(), module: None }
    }

    fn module() -> ClientIdentity {
        ClientIdentity { module: Some(ModuleId::new("agent").unwrap()), ..device() }
    }

    fn parsed(topic: &str) -> Option<PublishTopic<'_>> {
        publish(topic, &events(&device()))
    }

    #[test]
    fn the_own_events_topic_carries_a_bag_and_a_slash_after_it_is_dropped() {
        for (topic, bag) in [
            ("devices/pump-1/messages/events", ""),
            ("devices/pump-1/messages/events/", ""),
            ("devices/pump-1/messages/events/a=b", "a=b"),
            ("devices/pump-1/messages/events/a=b/", "a=b"),
        ] {
            assert_eq!(parsed(topic), Some(PublishTopic::Events { bag }), "{topic}");
        }
    }

    #[test]
    fn twin_and_method_topics_are_read() {
        assert_eq!(parsed("$iothub/twin/GET/?$rid=7"), Some(PublishTopic::TwinGet { rid: "7" }));
        let patch = PublishTopic::TwinPatchReported { rid: "a-b" };
        assert_eq!(parsed("$iothub/twin/PATCH/properties/reported/?$rid=a-b"), Some(patch));
        let answer = PublishTopic::MethodAnswer { status: 200, rid: "2" };
        assert_eq!(parsed("$iothub/methods/res/200/?$rid=2&x=y"), Some(answer));
    }

    #[test]
    fn foreign_and_unknown_topics_mean_nothing() {
        for topic in [
            "devices/pump-2/messages/events/",
            "devices/pump-10/messages/events/",
            "devices/pump-1/messages/eventsx",
            "devices/pump-1/modules/agent/messages/events/",
            "devices/pump-1/messages/devicebound/",
            "$iothub/twin/GET/",
            "$iothub/twin/GET/?x=1",
            "$iothub/methods/res/ok/?$rid=1",
            "telemetry",
        ] {
            assert_eq!(parsed(topic), None, "{topic}");
        }
    }

    #[test]
    fn documented_filters_are_granted_and_no_other() {
        for (filter, granted) in [
            ("devices/pump-1/messages/devicebound/#", Subscription::CloudToDevice),
            ("devices/+/messages/devicebound/#", Subscription::CloudToDevice),
            ("$iothub/methods/POST/#", Subscription::Methods),
            ("$iothub/twin/res/#", Subscription::TwinResponses),
            ("$iothub/twin/PATCH/properties/desired/#", Subscription::DesiredChanges),
        ] {
            assert_eq!(subscription(filter, &device()), Some(granted), "{filter}");
        }
        for filter in ["#", "devices/pump-2/messages/devicebound/#", "devices/pump-1/#", "$iothub/#"] {
            assert_eq!(subscription(filter, &device()), None, "{filter}");
        }
    }

    #[test]
    fn a_module_has_its_inputs_and_not_the_devices_messages() {
        for filter in ["devices/pump-1/modules/agent/#", "devices/pump-1/modules/agent/inputs/#"] {
            assert_eq!(subscription(filter, &module()), Some(Subscription::ModuleInputs), "{filter}");
        }
        for filter in [
            "devices/pump-1/messages/devicebound/#",
            "devices/pump-1/modules/agent2/#",
            "devices/+/modules/agent/#",
        ] {
            assert_eq!(subscription(filter, &module()), None, "{filter}");
        }
    }
}
