//! Shapes of alerts and recommendations besides Log Analytics' `SecurityAlert` (defender.md 4.2): the
//! `SecurityRecommendation` and `SecurityIoTRawEvent` tables, the ARM alert, OCSF findings.
//!
//! Pure renderers: the same fold in the same scenario gives the same bytes. What a local stand-in cannot know
//! is empty or left out, never invented.

mod arm_alert;
mod ocsf;
mod raw_event;
mod security_recommendation;

pub use arm_alert::arm_alert;
pub use ocsf::{compliance_finding, detection_finding};
pub use raw_event::{SecurityIotRawEvent, security_iot_raw_events};
pub use security_recommendation::{SecurityRecommendation, security_recommendations};
