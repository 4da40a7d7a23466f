//! Security messages of Defender agents: FlatBuffers schema 2.3 (`schema`, read by `flatbuffer`) and JSON
//! schema 1.0 (`json`, its payloads `json_payload` and `json_fields`). What no detection judges is recorded with what
//! it says, in one form for both (`recorded`).
//!
//! Decoding is total: any bytes give a message or a reason, with every offset checked and the work bounded
//! by the length of the input (`budget`), however its offsets are shared and however little its items say.

mod budget;
mod flatbuffer;
mod json;
mod json_fields;
mod json_payload;
mod recorded;
#[cfg(test)]
mod recorded_tests;
mod schema;
#[cfg(test)]
pub(crate) mod schema_tests;
mod timestamp;

use hilarm_model::{AgentIdentity, SecurityEvent};

use crate::core::message::Encoding;

/// A decoded security message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecurityMessage {
    pub(crate) agent: AgentIdentity,
    pub(crate) events: Vec<SecurityEvent>,
}

/// Why a message that calls itself a security message is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidSecurityMessage {
    #[error("FlatBuffers: {0}")]
    FlatBuffers(#[from] flatbuffer::Invalid),
    #[error("JSON: {0}")]
    Json(String),
}

/// Decodes a payload.
pub(crate) fn decode(encoding: Encoding, payload: &[u8]) -> Result<SecurityMessage, InvalidSecurityMessage> {
    match encoding {
        Encoding::FlatBuffers => Ok(schema::decode(payload)?),
        Encoding::Json => json::decode(payload).map_err(InvalidSecurityMessage::Json),
    }
}
