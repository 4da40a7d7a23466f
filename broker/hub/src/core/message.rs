//! Device-to-cloud messages, and which of them are security messages. The classifier: interface id
//! equals the security agent's URN; then `mti` (Major.Minor-Encoding-Source-Type) with encoding 1 says
//! FlatBuffers, everything else JSON.

use std::borrow::Cow;

/// Interface id of security messages (`$.ifid` in MQTT, `iothub-interface-id` elsewhere).
pub(crate) const SECURITY_AGENT: &str = "urn:azureiot:Security:SecurityAgent:1";

/// An application property; IoT Hub tells a missing value from an empty one.
pub(crate) type Property<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// A message from a device, as an adapter hands it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceMessage<'a> {
    /// System property: the interface that the message belongs to.
    pub(crate) interface_id: Option<Cow<'a, str>>,
    /// Application properties in the order sent.
    pub(crate) application: Vec<Property<'a>>,
    pub(crate) payload: &'a [u8],
    /// The client marked it as a retransmission.
    pub(crate) duplicate: bool,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageClass {
    Telemetry,
    Security(Encoding),
}

/// How a security message is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// FlatBuffers schema 2.x.
    FlatBuffers,
    /// JSON schema 1.0.
    Json,
}

impl DeviceMessage<'_> {
    pub(crate) fn class(&self) -> MessageClass {
        if self.interface_id.as_deref() != Some(SECURITY_AGENT) {
            return MessageClass::Telemetry;
        }
        let mti = self.application.iter().find(|(key, _)| key == "mti");
        let encoding = mti.and_then(|(_, value)| value.as_deref()?.split('-').nth(1));
        MessageClass::Security(if encoding == Some("1") { Encoding::FlatBuffers } else { Encoding::Json })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(interface_id: Option<&str>, mti: Option<&str>) -> MessageClass {
        let application = mti.map(|mti| (Cow::from("mti"), Some(Cow::from(mti)))).into_iter().collect();
        let interface_id = interface_id.map(Cow::from);
        DeviceMessage { interface_id, application, payload: b"", duplicate: false }.class()
    }

    #[test]
    fn the_interface_id_makes_a_security_message_and_mti_its_encoding() {
        let security = |mti| class(Some(SECURITY_AGENT), mti);
        assert_eq!(security(Some("2.3-1-0-0")), MessageClass::Security(Encoding::FlatBuffers));
        assert_eq!(security(Some("1.0-0-1-0")), MessageClass::Security(Encoding::Json));
        assert_eq!(security(Some("1")), MessageClass::Security(Encoding::Json));
        assert_eq!(security(None), MessageClass::Security(Encoding::Json));
    }

    #[test]
    fn without_that_interface_id_a_message_is_telemetry() {
        assert_eq!(class(None, Some("2.3-1-0-0")), MessageClass::Telemetry);
        assert_eq!(class(Some("urn:azureiot:Security:SecurityAgent:2"), None), MessageClass::Telemetry);
    }
}
