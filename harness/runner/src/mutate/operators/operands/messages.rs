//! What is compared in messages between devices and cloud, twins and uploads.

use hilarm_model::{DeadLetter, HubEvent, ModuleId, Protocol};

use super::{Operand, operands};

pub(super) const TELEMETRY: &[Operand] = operands! {
    HubEvent::TelemetryReceived { protocol, duplicate, .. } => {
        "any protocol taken for MQTT": *protocol = Protocol::Mqtt,
        "any protocol taken for AMQP": *protocol = Protocol::Amqp,
        "any protocol taken for HTTPS": *protocol = Protocol::Https,
        "retransmissions count": *duplicate = false,
        "only retransmissions count": *duplicate = !*duplicate,
    }
};

pub(super) const ENQUEUED: &[Operand] = operands! {
    HubEvent::CloudToDeviceEnqueued { protocol, .. } => {
        "any protocol taken for MQTT": *protocol = Some(Protocol::Mqtt),
        "any protocol taken for AMQP": *protocol = Some(Protocol::Amqp),
        "any protocol taken for HTTPS": *protocol = Some(Protocol::Https),
    }
};

pub(super) const DELIVERED: &[Operand] = operands! {
    HubEvent::CloudToDeviceDelivered { protocol, .. } => {
        "any protocol taken for MQTT": *protocol = Protocol::Mqtt,
        "any protocol taken for AMQP": *protocol = Protocol::Amqp,
        "any protocol taken for HTTPS": *protocol = Protocol::Https,
    }
};

pub(super) const REJECTED: &[Operand] = operands! {
    HubEvent::CloudToDeviceRejected { protocol, .. } => {
        "any protocol taken for MQTT": *protocol = Protocol::Mqtt,
        "any protocol taken for AMQP": *protocol = Protocol::Amqp,
        "any protocol taken for HTTPS": *protocol = Protocol::Https,
    }
};

pub(super) const DEAD_LETTERED: &[Operand] = operands! {
    HubEvent::CloudToDeviceDeadLettered { outcome, delivered_over, .. } => {
        "every dead letter counts": *outcome = DeadLetter::Expired,
        "a dead letter that was handed out to nobody counts": *delivered_over = Some(Protocol::Mqtt),
        "a dead letter that was handed out does not count": *delivered_over = None,
    }
};

pub(super) const TWIN: &[Operand] = operands! {
    HubEvent::TwinUpdated { module, .. } => {
        "device twins count": *module = ModuleId::new("any").ok(),
        "module twins do not count": *module = None,
    }
};

pub(super) const UPLOADED: &[Operand] = operands! {
    HubEvent::FileUploadCompleted { success, .. } => {
        "failed uploads count": *success = true,
        "only failed uploads count": *success = !*success,
    }
};
