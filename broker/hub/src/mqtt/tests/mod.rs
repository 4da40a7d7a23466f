//! The hub over MQTT, as its clients see it and as its facts tell it: connecting, sessions, messages.

mod connecting;
mod hostile;
mod messages;
mod metering;
mod world;
