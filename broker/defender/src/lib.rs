//! Defender for IoT as a pure fold over HubEvents.
