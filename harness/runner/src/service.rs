//! Steps of the hub's service side: what a back end asks of the hub, and what a step makes of the answer.

use std::collections::BTreeMap;

use hilarm_hub::{HubError, MethodTicket, ServiceReply, ServiceRequest};
use hilarm_scenario::{InvokeMethod, SendCloudToDevice, Step};

use crate::world::World;

/// What a step of the service side came to.
pub(crate) enum Served {
    /// The step is over.
    Done,
    /// A direct method is under way.
    Method(MethodTicket),
    /// The step is not of the service side.
    NotMine(Step),
}

/// Carries out a step of the service side. An error is the scenario's: the hub refused what it asked for.
pub(crate) fn serve(path: &str, step: Step, world: &mut World) -> Result<Served, HubError> {
    let request = match step {
        Step::InvokeMethod(invoke) => return invoke_method(invoke, world),
        Step::SendCloudToDevice(send) => return send_cloud_to_device(path, &send, world),
        Step::PatchDesired(patch) => ServiceRequest::PatchDesired {
            device: patch.device,
            module: patch.module,
            patch: patch.properties.into(),
        },
        Step::PatchTags(patch) => {
            ServiceRequest::PatchTags { device: patch.device, module: patch.module, patch: patch.tags.into() }
        }
        Step::PurgeQueue(purge) => ServiceRequest::PurgeCloudToDevice { device: purge.device },
        Step::SetDevice(set) => ServiceRequest::SetDeviceEnabled { device: set.device, enabled: set.enabled },
        Step::DeleteDevice(delete) => ServiceRequest::DeleteDevice { device: delete.device },
        step => return Ok(Served::NotMine(step)),
    };
    world.service(request).map(|_| Served::Done)
}

fn invoke_method(invoke: InvokeMethod, world: &mut World) -> Result<Served, HubError> {
    let request = ServiceRequest::InvokeMethod {
        device: invoke.device,
        module: None,
        name: invoke.method,
        payload: invoke.payload,
        timeout: invoke.timeout.0,
    };
    match world.service(request) {
        Ok(ServiceReply::MethodInvoked(ticket)) => Ok(Served::Method(ticket)),
        // An offline device is an outcome: the hub has recorded it.
        Ok(_) | Err(HubError::DeviceNotOnline(_)) => Ok(Served::Done),
        Err(error) => Err(error),
    }
}

fn send_cloud_to_device(path: &str, send: &SendCloudToDevice, world: &mut World) -> Result<Served, HubError> {
    let name = send.message_id.as_deref().unwrap_or(path);
    for number in 1..=send.count {
        let message_id = if send.count == 1 { name.to_owned() } else { format!("{name}-{number}") };
        world.service(ServiceRequest::SendCloudToDevice {
            message_id,
            device: send.device.clone(),
            payload: send.payload.clone().into_bytes(),
            properties: BTreeMap::new(),
            ttl: send.ttl.map(|ttl| ttl.0),
        })?;
    }
    Ok(Served::Done)
}
