//! A device that tests boot, and the instants that they tell it.

use hilarm_link::{AgentConfig, Credential, DeviceConfig, NetworkConfig, SasCredential};
use hilarm_model::{Monotonic, Now, Timestamp};

/// A device of this name whose addresses end so.
pub(crate) fn config(device: &str, last_byte: u8) -> DeviceConfig {
    DeviceConfig {
        seed: 1,
        device_id: device.to_owned(),
        hub_host: "hub.hilarm.test".to_owned(),
        hub_port: 8883,
        credential: Credential::Sas(SasCredential { key: vec![1; 32], ttl_s: 3600 }),
        modules: Vec::new(),
        ca_certificate: Vec::new(),
        network: NetworkConfig {
            mac: [2, 0, 0, 0, 0, last_byte],
            address: [10, 42, 0, last_byte],
            prefix_len: 24,
            gateway: [10, 42, 0, 1],
            dns: [10, 77, 0, 53],
        },
        keep_alive_s: 240,
        agent: AgentConfig::default(),
    }
}

/// So long after the start of every scenario.
pub(crate) fn now(micros: u64) -> Now {
    Now { mono: Monotonic::from_micros(micros), unix: Timestamp::from_secs(1_767_225_600) }
}
