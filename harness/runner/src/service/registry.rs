//! Steps of the identity registry, of twins and of queues.

use hilarm_hub::{KeyName, ServiceRequest};
use hilarm_scenario::{KeySpec, PutDevice, Step, WriteTwin};
use serde_json::{Map, Value};

use super::Asked;
use crate::provision::{module_keys, registered, shared_keys};
use crate::world::World;

/// What a step asks of the registry, or the step if it asks something else.
pub(super) fn asked(step: Step, world: &World) -> Result<Result<Asked, Step>, String> {
    let seed = world.journal().header().seed;
    let (by, refused, request) = match step {
        Step::PutDevice(step) => return put_device(step, world).map(Ok),
        Step::WriteTwin(step) => return Ok(Ok(write_twin(step))),
        Step::PutModule(step) => {
            let (device, module) = (step.device, step.module);
            let authentication = module_keys(&device, &module, seed).map_err(|error| error.to_string())?;
            (step.caller, step.refused, ServiceRequest::CreateModule { device, module, authentication })
        }
        Step::DeleteModule(step) => {
            let (device, module, if_match) = (step.device, step.module, step.if_match);
            (step.caller, step.refused, ServiceRequest::DeleteModule { device, module, if_match })
        }
        Step::PatchDesired(step) => {
            let (device, module, patch) = (step.device, step.module, step.properties.into());
            (step.caller, step.refused, ServiceRequest::PatchDesired { device, module, patch })
        }
        Step::PatchTags(step) => {
            let (device, module, patch) = (step.device, step.module, step.tags.into());
            (step.caller, step.refused, ServiceRequest::PatchTags { device, module, patch })
        }
        Step::PurgeQueue(step) => {
            (step.caller, step.refused, ServiceRequest::PurgeCloudToDevice { device: step.device })
        }
        Step::SetDevice(step) => {
            let (device, enabled) = (step.device, step.enabled);
            (step.caller, step.refused, ServiceRequest::SetDeviceEnabled { device, enabled })
        }
        Step::DeleteDevice(step) => {
            let (device, if_match) = (step.device, step.if_match);
            (step.caller, step.refused, ServiceRequest::DeleteDevice { device, if_match })
        }
        Step::RotateKey(step) => {
            let (device, module, key) = (step.device, step.module, key_name(step.key));
            (step.caller, step.refused, ServiceRequest::RegenerateKey { device, module, key })
        }
        Step::CopyKey(copy) => {
            let authentication = shared_keys(&copy.device, &copy.from, copy.key, seed);
            let authentication = authentication.map_err(|error| error.to_string())?;
            let device = copy.device;
            (None, None, ServiceRequest::PutDevice { device, authentication, security_group: None })
        }
        step => return Ok(Err(step)),
    };
    Ok(Ok(Asked { by, refused, request }))
}

/// Without an ETag the identity is created as the scenario describes it, with one its credentials are replaced.
fn put_device(step: PutDevice, world: &World) -> Result<Asked, String> {
    let header = world.journal().header();
    let authentication = registered(&header.scenario, &step.device, header.seed);
    let authentication = authentication.map_err(|error| error.to_string())?;
    let spec = header.scenario.devices.get(&step.device);
    let security_group = spec.and_then(|spec| spec.security_group.clone());
    let device = step.device;
    let authentication = (!step.mint_keys).then_some(authentication);
    let request = match step.if_match {
        None => ServiceRequest::CreateDevice { device, authentication, security_group },
        Some(if_match) => ServiceRequest::UpdateDevice { device, authentication, if_match },
    };
    Ok(Asked { by: step.caller, refused: step.refused, request })
}

fn write_twin(step: WriteTwin) -> Asked {
    let mut json = Map::new();
    if let Some(tags) = step.tags {
        json.insert("tags".to_owned(), tags.into());
    }
    if let Some(desired) = step.desired {
        json.insert("properties".to_owned(), serde_json::json!({ "desired": Value::from(desired) }));
    }
    let (device, module, replace, if_match) = (step.device, step.module, step.replace, step.if_match);
    let request = ServiceRequest::WriteTwinJson { device, module, json: json.into(), replace, if_match };
    Asked { by: step.caller, refused: step.refused, request }
}

fn key_name(key: KeySpec) -> KeyName {
    match key {
        KeySpec::Primary => KeyName::Primary,
        KeySpec::Secondary => KeyName::Secondary,
    }
}
