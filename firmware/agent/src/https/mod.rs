//! The device's HTTPS side: telemetry, cloud-to-device messages and file uploads, each as requests with an
//! authorization of their own (IoT Hub, device HTTPS). It runs beside the MQTT connection and never touches it.
//!
//! `job` what is to be done and in which order; `connection` the one socket and the one request under way;
//! `request` and `response` bytes and values. Malice is no business of this module: behaviours begin jobs.

mod connection;
mod job;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub(crate) use connection::HttpsConnection;
pub(crate) use job::{JobId, Jobs, Stage, Work};
