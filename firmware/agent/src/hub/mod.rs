//! The device's side of IoT Hub over MQTT (`spec/hub.md`, 1, 2 and 8): connecting and staying connected,
//! telemetry, twin, direct methods, cloud-to-device messages.

mod connection;
mod inbound;
mod methods;
pub(crate) mod topics;

pub(crate) use connection::HubConnection;
