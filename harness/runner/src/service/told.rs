//! Direct methods, cloud-to-device messages, and what the hub tells of its own accord: feedback and file uploads.

use std::collections::BTreeMap;

use hilarm_hub::{Feedback, FileNotification, ServiceReply, ServiceRequest, Settlement, Told};
use hilarm_scenario::{
    Acknowledgement, Disposition, FeedbackOutcome, InvokeMethod, SendCloudToDevice, TakeFeedback,
    TakeFileNotifications,
};

use super::{Served, ask};
use crate::journal::HarnessRecord;
use crate::world::World;

pub(super) fn invoke_method(invoke: InvokeMethod, world: &mut World) -> Result<Served, String> {
    let request = ServiceRequest::InvokeMethod {
        device: invoke.device,
        module: invoke.module,
        name: invoke.method,
        payload: invoke.payload,
        timeout: invoke.timeout.0,
    };
    let caller = super::caller(invoke.caller.as_deref(), world)?;
    match world.service_as(&caller, request) {
        // What is wanted may be what becomes of it.
        Ok(ServiceReply::MethodInvoked(ticket)) => Ok(Served::Method(ticket, invoke.refused)),
        Ok(_) => Ok(Served::Done),
        Err(error) => {
            super::refusal(error, invoke.caller.as_deref(), invoke.refused)?;
            Ok(Served::Done)
        }
    }
}

pub(super) fn send_cloud_to_device(
    path: &str,
    send: &SendCloudToDevice,
    world: &mut World,
) -> Result<Served, String> {
    let name = send.message_id.as_deref().unwrap_or(path);
    for number in 1..=send.count {
        let message_id = if send.count == 1 { name.to_owned() } else { format!("{name}-{number}") };
        let request = ServiceRequest::SendCloudToDevice {
            message_id,
            device: send.device.clone(),
            payload: send.payload.clone().into_bytes(),
            properties: acknowledgement(send.ack),
            ttl: send.ttl.map(|ttl| ttl.0),
        };
        ask(send.caller.as_deref(), send.refused, request, world)?;
    }
    Ok(Served::Done)
}

/// The property with which a sender asks for feedback.
fn acknowledgement(wanted: Acknowledgement) -> BTreeMap<String, String> {
    let word = match wanted {
        Acknowledgement::None => return BTreeMap::new(),
        Acknowledgement::Positive => "positive",
        Acknowledgement::Negative => "negative",
        Acknowledgement::Full => "full",
    };
    BTreeMap::from([("iothub-ack".to_owned(), word.to_owned())])
}

pub(super) fn take_feedback(take: &TakeFeedback, world: &mut World) -> Result<Served, String> {
    let by = take.caller.as_deref();
    let mut locks = Vec::new();
    while let Some(ServiceReply::Feedback(Some(told))) =
        ask(by, take.refused, ServiceRequest::ReceiveFeedback, world)?
    {
        let Told { lock, items } = told;
        locks.push(lock);
        for Feedback { device, message_id, outcome, .. } in items {
            world.record(HarnessRecord::FeedbackTaken { device, message_id, outcome: outcome_of(outcome) });
        }
    }
    for lock in locks {
        let settlement = settlement(take.disposition);
        ask(by, None, ServiceRequest::SettleFeedback { lock, settlement }, world)?;
    }
    Ok(Served::Done)
}

pub(super) fn take_file_notifications(
    take: &TakeFileNotifications,
    world: &mut World,
) -> Result<Served, String> {
    let by = take.caller.as_deref();
    let mut locks = Vec::new();
    while let Some(ServiceReply::FileNotification(Some(told))) =
        ask(by, take.refused, ServiceRequest::ReceiveFileNotification, world)?
    {
        locks.push(told.lock);
        for FileNotification { device, blob_path, blob_bytes, .. } in told.items {
            world.record(HarnessRecord::FileNotificationTaken { device, blob_path, blob_bytes });
        }
    }
    for lock in locks {
        let settlement = settlement(take.disposition);
        ask(by, None, ServiceRequest::SettleFileNotification { lock, settlement }, world)?;
    }
    Ok(Served::Done)
}

fn settlement(disposition: Disposition) -> Settlement {
    match disposition {
        Disposition::Complete => Settlement::Complete,
        Disposition::Reject => Settlement::Reject,
        Disposition::Abandon => Settlement::Abandon,
    }
}

fn outcome_of(outcome: hilarm_hub::FeedbackOutcome) -> FeedbackOutcome {
    match outcome {
        hilarm_hub::FeedbackOutcome::Success => FeedbackOutcome::Success,
        hilarm_hub::FeedbackOutcome::Expired => FeedbackOutcome::Expired,
        hilarm_hub::FeedbackOutcome::DeliveryCountExceeded => FeedbackOutcome::DeliveryCountExceeded,
        hilarm_hub::FeedbackOutcome::Rejected => FeedbackOutcome::Rejected,
        hilarm_hub::FeedbackOutcome::Purged => FeedbackOutcome::Purged,
    }
}
