//! Mutants of what detections compare in an event: each field that some rule looks at, taken for another
//! value. A rule is mutated by the fields of the kinds of event that it looks at.

use hilarm_defender::{EventKind, Rule};
use hilarm_model::{
    CertificateChange, DeadLetter, FilterAction, FlowDirection, FlowProtocol, HubEvent, Protocol,
    RefusalCause, RegisteredAuthentication, SecurityPayload, Timestamp, UsedAuthentication,
};

use super::super::mutant::Mutant;
use super::lists::is_listening_ports;
use super::seeing;

/// A field taken for another value.
type Operand = (&'static str, fn(&mut HubEvent));

pub(super) fn mutants(row: &Rule) -> Vec<Mutant> {
    let slug = row.detection.slug;
    let mut operands: Vec<Operand> = Vec::new();
    for kind in row.detection.trigger.on() {
        operands.extend(compared(slug, *kind).into_iter().flatten());
    }
    operands.into_iter().map(|(change, shift)| seeing(row, change, shift)).collect()
}

/// What the row compares in events of a kind.
fn compared(slug: &str, kind: EventKind) -> Vec<&'static [Operand]> {
    match (kind, slug) {
        (EventKind::TelemetryReceived, _) => vec![TELEMETRY],
        (EventKind::CloudToDeviceEnqueued, _) => vec![ENQUEUED],
        (EventKind::CloudToDeviceDelivered, _) => vec![DELIVERED],
        (EventKind::CloudToDeviceRejected, _) => vec![REJECTED],
        (EventKind::CloudToDeviceDeadLettered, _) => vec![DEAD_LETTERED],
        (EventKind::TwinUpdated, _) => vec![TWIN],
        (EventKind::FileUploadCompleted, _) => vec![UPLOADED],
        (EventKind::ConnectionAccepted, _) => vec![ACCEPTED],
        (EventKind::ConnectionRefused, "sas-expired" | "sas-invalid-signature") => vec![CAUSES, TOKENS],
        (EventKind::ConnectionRefused, "x509-expired" | "x509-thumbprint-mismatch") => {
            vec![CAUSES, CERTIFICATES]
        }
        (EventKind::ConnectionRefused, "identical-credentials") => vec![LEAVES],
        (EventKind::ServiceOperationRefused, _) => vec![SERVICE_REFUSED],
        (EventKind::CertificateWritten, "certificate-added") => vec![WRITTEN, CHANGES],
        (EventKind::CertificateWritten, _) => vec![WRITTEN],
        (EventKind::CertificateDeleted, "certificate-deleted") => vec![DELETED, EXISTED],
        (EventKind::CertificateDeleted, _) => vec![DELETED],
        (EventKind::DiagnosticSettingWritten, "diagnostics-logs") => vec![CATEGORIES],
        (EventKind::DiagnosticSettingDeleted, "diagnostics-logs") => vec![SETTING_DELETED],
        (EventKind::DeviceRegistered, _) => vec![REGISTERED],
        (EventKind::DeviceRemoved, _) => vec![REMOVED],
        (EventKind::DeviceStatusChanged, _) => vec![STATUS],
        (EventKind::NetworkRulesChanged, "ip-filter-default-deny") => vec![DEFAULT_ACTION],
        (EventKind::SecurityMessageReceived, "failed-local-logins" | "local-user-not-allowed") => {
            vec![LOGINS]
        }
        (EventKind::SecurityMessageReceived, "active-connections") => vec![CONNECTIONS],
        (
            EventKind::SecurityMessageReceived,
            "outbound-connection-not-allowed" | "inbound-connection-not-allowed",
        ) => vec![FLOWS],
        _ => Vec::new(),
    }
}

macro_rules! protocols {
    ($variant:ident, $field:ident, $wrap:expr) => {
        &[
            ("any protocol taken for MQTT", |event| {
                if let HubEvent::$variant { $field, .. } = event {
                    *$field = $wrap(Protocol::Mqtt);
                }
            }),
            ("any protocol taken for AMQP", |event| {
                if let HubEvent::$variant { $field, .. } = event {
                    *$field = $wrap(Protocol::Amqp);
                }
            }),
            ("any protocol taken for HTTPS", |event| {
                if let HubEvent::$variant { $field, .. } = event {
                    *$field = $wrap(Protocol::Https);
                }
            }),
        ]
    };
}

const ENQUEUED: &[Operand] = protocols!(CloudToDeviceEnqueued, protocol, Some);
const DELIVERED: &[Operand] = protocols!(CloudToDeviceDelivered, protocol, std::convert::identity);
const REJECTED: &[Operand] = protocols!(CloudToDeviceRejected, protocol, std::convert::identity);

const TELEMETRY: &[Operand] = &[
    ("any protocol taken for MQTT", |event| {
        if let HubEvent::TelemetryReceived { protocol, .. } = event {
            *protocol = Protocol::Mqtt;
        }
    }),
    ("any protocol taken for AMQP", |event| {
        if let HubEvent::TelemetryReceived { protocol, .. } = event {
            *protocol = Protocol::Amqp;
        }
    }),
    ("any protocol taken for HTTPS", |event| {
        if let HubEvent::TelemetryReceived { protocol, .. } = event {
            *protocol = Protocol::Https;
        }
    }),
    ("retransmissions count", |event| {
        if let HubEvent::TelemetryReceived { duplicate, .. } = event {
            *duplicate = false;
        }
    }),
    ("only retransmissions count", |event| {
        if let HubEvent::TelemetryReceived { duplicate, .. } = event {
            *duplicate = !*duplicate;
        }
    }),
];

const DEAD_LETTERED: &[Operand] = &[
    ("every dead letter counts", |event| {
        if let HubEvent::CloudToDeviceDeadLettered { outcome, .. } = event {
            *outcome = DeadLetter::Expired;
        }
    }),
    ("a dead letter that was handed out to nobody counts", |event| {
        if let HubEvent::CloudToDeviceDeadLettered { delivered_over, .. } = event {
            *delivered_over = Some(Protocol::Mqtt);
        }
    }),
    ("a dead letter that was handed out does not count", |event| {
        if let HubEvent::CloudToDeviceDeadLettered { delivered_over, .. } = event {
            *delivered_over = None;
        }
    }),
];

const TWIN: &[Operand] = &[
    ("device twins count", |event| {
        if let HubEvent::TwinUpdated { module, .. } = event {
            *module = hilarm_model::ModuleId::new("any").ok();
        }
    }),
    ("module twins do not count", |event| {
        if let HubEvent::TwinUpdated { module, .. } = event {
            *module = None;
        }
    }),
];

const UPLOADED: &[Operand] = &[
    ("failed uploads count", |event| {
        if let HubEvent::FileUploadCompleted { success, .. } = event {
            *success = true;
        }
    }),
    ("only failed uploads count", |event| {
        if let HubEvent::FileUploadCompleted { success, .. } = event {
            *success = !*success;
        }
    }),
];

const ACCEPTED: &[Operand] = &[("tokens and certificates confused", |event| {
    if let HubEvent::ConnectionAccepted { authentication, .. } = event {
        let at = Timestamp::default();
        *authentication = match authentication {
            UsedAuthentication::Sas { .. } => {
                UsedAuthentication::X509 { not_after: at, sha256: "00".repeat(32) }
            }
            UsedAuthentication::X509 { .. } => UsedAuthentication::Sas { expiry: at },
        };
    }
})];

const CAUSES: &[Operand] = &[
    ("refusals of strangers are a device's", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            refused.registered = true;
        }
    }),
    ("refusals of devices are a stranger's", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            refused.registered = false;
        }
    }),
    ("only the first cause of a refusal counts", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            refused.causes.truncate(1);
        }
    }),
    ("only the last cause of a refusal counts", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            refused.causes.drain(..refused.causes.len().saturating_sub(1));
        }
    }),
];

const TOKENS: &[Operand] = &[
    ("an expired token taken for a forged one", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            refused
                .causes
                .iter_mut()
                .filter(|cause| matches!(cause, RefusalCause::SasExpired { .. }))
                .for_each(|cause| *cause = RefusalCause::SasInvalidSignature);
        }
    }),
    ("a forged token taken for an expired one", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            let expiry = Timestamp::default();
            refused
                .causes
                .iter_mut()
                .filter(|cause| **cause == RefusalCause::SasInvalidSignature)
                .for_each(|cause| *cause = RefusalCause::SasExpired { expiry });
        }
    }),
];

const CERTIFICATES: &[Operand] = &[
    ("an expired certificate taken for a foreign one", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            let mismatch =
                || RefusalCause::X509ThumbprintMismatch { sha1: "00".repeat(20), sha256: "00".repeat(32) };
            refused
                .causes
                .iter_mut()
                .filter(|cause| matches!(cause, RefusalCause::X509Expired { .. }))
                .for_each(|cause| *cause = mismatch());
        }
    }),
    ("a foreign certificate taken for an expired one", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            let not_after = Timestamp::default();
            refused
                .causes
                .iter_mut()
                .filter(|cause| matches!(cause, RefusalCause::X509ThumbprintMismatch { .. }))
                .for_each(|cause| *cause = RefusalCause::X509Expired { not_after });
        }
    }),
];

const LEAVES: &[Operand] = &[
    ("only the first cause of a refusal counts", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            refused.causes.truncate(1);
        }
    }),
    ("only the last cause of a refusal counts", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            refused.causes.drain(..refused.causes.len().saturating_sub(1));
        }
    }),
    ("a foreign certificate taken for an expired one", |event| {
        if let HubEvent::ConnectionRefused(refused) = event {
            let not_after = Timestamp::default();
            refused
                .causes
                .iter_mut()
                .filter(|cause| matches!(cause, RefusalCause::X509ThumbprintMismatch { .. }))
                .for_each(|cause| *cause = RefusalCause::X509Expired { not_after });
        }
    }),
];

const SERVICE_REFUSED: &[Operand] = &[
    ("refused calls that name a device do not count", |event| {
        if let HubEvent::ServiceOperationRefused { device, .. } = event {
            *device = None;
        }
    }),
    ("refused calls count for whatever reason they are refused", |event| {
        if let HubEvent::ServiceOperationRefused { code, .. } = event {
            *code = 401_002;
        }
    }),
];

const WRITTEN: &[Operand] = &[
    ("every status is a success", |event| {
        if let HubEvent::CertificateWritten { status, .. } = event {
            *status = 200;
        }
    }),
    ("every status is a failure", |event| {
        if let HubEvent::CertificateWritten { status, .. } = event {
            *status = 400;
        }
    }),
    ("status one higher: success from 201 on, failure from 401 on", |event| {
        if let HubEvent::CertificateWritten { status, .. } = event {
            *status -= 1;
        }
    }),
    ("status one lower: success from 199 on, failure from 399 on", |event| {
        if let HubEvent::CertificateWritten { status, .. } = event {
            *status += 1;
        }
    }),
];

const CHANGES: &[Operand] = &[
    ("an unchanged certificate is an addition", |event| {
        if let HubEvent::CertificateWritten { change, .. } = event {
            *change = Some(CertificateChange::Added);
        }
    }),
    ("a replaced certificate is no addition", |event| {
        if let HubEvent::CertificateWritten { change, .. } = event
            && *change == Some(CertificateChange::Replaced)
        {
            *change = Some(CertificateChange::Unchanged);
        }
    }),
    ("a new certificate is no addition", |event| {
        if let HubEvent::CertificateWritten { change, .. } = event
            && *change == Some(CertificateChange::Added)
        {
            *change = Some(CertificateChange::Unchanged);
        }
    }),
];

const DELETED: &[Operand] = &[
    ("every status is a success", |event| {
        if let HubEvent::CertificateDeleted { status, .. } = event {
            *status = 200;
        }
    }),
    ("every status is a failure", |event| {
        if let HubEvent::CertificateDeleted { status, .. } = event {
            *status = 400;
        }
    }),
    ("status one higher: success from 201 on, failure from 401 on", |event| {
        if let HubEvent::CertificateDeleted { status, .. } = event {
            *status -= 1;
        }
    }),
    ("status one lower: success from 199 on, failure from 399 on", |event| {
        if let HubEvent::CertificateDeleted { status, .. } = event {
            *status += 1;
        }
    }),
];

const EXISTED: &[Operand] = &[
    ("a certificate that was not there is deleted", |event| {
        if let HubEvent::CertificateDeleted { existed, .. } = event {
            *existed = true;
        }
    }),
    ("only what was not there is deleted", |event| {
        if let HubEvent::CertificateDeleted { existed, .. } = event {
            *existed = !*existed;
        }
    }),
];

const CATEGORIES: &[Operand] = &[
    ("every status is a success", |event| {
        if let HubEvent::DiagnosticSettingWritten { status, .. } = event {
            *status = 200;
        }
    }),
    ("every status is a failure", |event| {
        if let HubEvent::DiagnosticSettingWritten { status, .. } = event {
            *status = 400;
        }
    }),
    ("one enabled category is none", |event| {
        if let HubEvent::DiagnosticSettingWritten { enabled_categories, .. } = event {
            enabled_categories.pop();
        }
    }),
    ("no enabled category is one", |event| {
        if let HubEvent::DiagnosticSettingWritten { enabled_categories, .. } = event {
            enabled_categories.push("any".to_owned());
        }
    }),
];

const SETTING_DELETED: &[Operand] = &[
    ("every status of a deletion is a success", |event| {
        if let HubEvent::DiagnosticSettingDeleted { status, .. } = event {
            *status = 200;
        }
    }),
    ("every status of a deletion is a failure", |event| {
        if let HubEvent::DiagnosticSettingDeleted { status, .. } = event {
            *status = 400;
        }
    }),
];

const REGISTERED: &[Operand] = &[
    ("secondary credentials are not compared", |event| {
        if let HubEvent::DeviceRegistered { device, authentication, .. } = event {
            match authentication {
                RegisteredAuthentication::Sas { secondary_sha256, .. } => {
                    *secondary_sha256 = device.to_string()
                }
                RegisteredAuthentication::SelfSigned { secondary, .. } => *secondary = None,
                RegisteredAuthentication::CertificateAuthority => {}
            }
        }
    }),
    ("primary credentials are not compared", |event| {
        if let HubEvent::DeviceRegistered { device, authentication, .. } = event {
            match authentication {
                RegisteredAuthentication::Sas { primary_sha256, .. } => *primary_sha256 = device.to_string(),
                RegisteredAuthentication::SelfSigned { primary, .. } => *primary = device.to_string(),
                RegisteredAuthentication::CertificateAuthority => {}
            }
        }
    }),
    ("primary and secondary keys are not cross-compared", |event| {
        if let HubEvent::DeviceRegistered { authentication, .. } = event
            && let RegisteredAuthentication::Sas { primary_sha256, secondary_sha256 } = authentication
        {
            primary_sha256.insert(0, 'P');
            secondary_sha256.insert(0, 'S');
        }
    }),
];

const REMOVED: &[Operand] = &[("deleted devices count", |event| {
    if matches!(event, HubEvent::DeviceRemoved { .. }) {
        *event = HubEvent::SecurityGroupRemoved { name: "nobody's".to_owned() };
    }
})];

const STATUS: &[Operand] = &[
    ("disabled devices count", |event| {
        if let HubEvent::DeviceStatusChanged { enabled, .. } = event {
            *enabled = true;
        }
    }),
    ("enabled devices do not count", |event| {
        if let HubEvent::DeviceStatusChanged { enabled, .. } = event {
            *enabled = false;
        }
    }),
];

const DEFAULT_ACTION: &[Operand] = &[
    ("any default action taken for deny", |event| {
        if let HubEvent::NetworkRulesChanged(rules) = event {
            rules.default_action = FilterAction::Deny;
        }
    }),
    ("any default action taken for allow", |event| {
        if let HubEvent::NetworkRulesChanged(rules) = event {
            rules.default_action = FilterAction::Allow;
        }
    }),
    ("a stated default action does not matter", |event| {
        if let HubEvent::NetworkRulesChanged(rules) = event {
            rules.stated = false;
        }
    }),
];

const LOGINS: &[Operand] = &[
    ("failed logins taken for successful ones", |event| {
        each(event, |payload| {
            if let SecurityPayload::Login(login) = payload {
                login.success = true;
            }
        })
    }),
    ("successful logins taken for failed ones", |event| {
        each(event, |payload| {
            if let SecurityPayload::Login(login) = payload {
                login.success = false;
            }
        })
    }),
];

const CONNECTIONS: &[Operand] = &[
    ("ICMP has connections", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| {
                    if flow.protocol == FlowProtocol::Icmp {
                        flow.protocol = FlowProtocol::Tcp;
                    }
                });
            }
        })
    }),
    ("UDP has no connections", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| {
                    if flow.protocol == FlowProtocol::Udp {
                        flow.protocol = FlowProtocol::Icmp;
                    }
                });
            }
        })
    }),
    ("TCP has no connections", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| {
                    if flow.protocol == FlowProtocol::Tcp {
                        flow.protocol = FlowProtocol::Icmp;
                    }
                });
            }
        })
    }),
    ("connections do not differ by local port", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| flow.local_port = 1);
            }
        })
    }),
    ("connections do not differ by remote port", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| flow.remote_port = 1);
            }
        })
    }),
    ("connections do not differ by remote address", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| flow.remote_address = flow.local_address);
            }
        })
    }),
];

const FLOWS: &[Operand] = &[
    ("a flow without bytes sent is outbound", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| flow.bytes_out = flow.bytes_out.max(1));
            }
        })
    }),
    ("more than a byte must be sent", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| flow.bytes_out = flow.bytes_out.saturating_sub(1));
            }
        })
    }),
    ("a stated direction does not matter", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| flow.direction = None);
            }
        })
    }),
    ("every flow is stated to be inbound", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| flow.direction = Some(FlowDirection::In));
            }
        })
    }),
    ("ICMP is a connection", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| {
                    if flow.protocol == FlowProtocol::Icmp {
                        flow.protocol = FlowProtocol::Tcp;
                    }
                });
            }
        })
    }),
    ("UDP is no connection", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| {
                    if flow.protocol == FlowProtocol::Udp {
                        flow.protocol = FlowProtocol::Icmp;
                    }
                });
            }
        })
    }),
    ("TCP is no connection", |event| {
        each(event, |payload| {
            if let SecurityPayload::NetworkActivity(flows) = payload {
                flows.iter_mut().for_each(|flow| {
                    if flow.protocol == FlowProtocol::Tcp {
                        flow.protocol = FlowProtocol::Icmp;
                    }
                });
            }
        })
    }),
    ("ports on which the device listens do not matter", |event| {
        each(event, |payload| {
            if is_listening_ports(payload) {
                *payload = SecurityPayload::Heartbeat;
            }
        })
    }),
];

/// Changes each report of a security message.
fn each(event: &mut HubEvent, change: impl Fn(&mut SecurityPayload)) {
    if let HubEvent::SecurityMessageReceived { events, .. } = event {
        events.iter_mut().for_each(|event| change(&mut event.payload));
    }
}
