//! Steps of the hub's service side and of its management plane: what a back end or an operator asks of the
//! hub, and what a step makes of the answer.
//!
//! `registry` identities and twins, `resources` the management plane, `reading` what is read and compared, `told`
//! messages, methods and what the hub tells of its own accord.

mod reading;
mod registry;
mod resources;
#[cfg(test)]
mod tests;
mod told;

use std::collections::BTreeMap;

use hilarm_hub::{Caller, HubError, MethodTicket, ServiceReply, ServiceRequest};
use hilarm_link::X509Credential;
use hilarm_scenario::{CallerSpec, Step};

pub(crate) use self::resources::{network_rules, security_solution};
use crate::world::World;

/// What a step of the service side came to.
pub(crate) enum Served {
    /// The step is over.
    Done,
    /// A direct method is under way, and the refusal that is wanted in place of its answer.
    Method(MethodTicket, Option<u32>),
    /// The step is not of the service side.
    NotMine(Step),
}

/// A request, who makes it, and the refusal that is wanted.
struct Asked {
    by: Option<String>,
    refused: Option<u32>,
    request: ServiceRequest,
}

/// Carries out a step of the service side or the management plane. An error is the scenario's: the hub
/// refused what nobody said that it would, or served what it was to refuse.
pub(crate) fn serve(
    path: &str,
    step: Step,
    certificates: &BTreeMap<String, X509Credential>,
    world: &mut World,
) -> Result<Served, String> {
    let asked = match step {
        Step::InvokeMethod(invoke) => return told::invoke_method(invoke, world),
        Step::SendCloudToDevice(send) => return told::send_cloud_to_device(path, &send, world),
        Step::TakeFeedback(take) => return told::take_feedback(&take, world),
        Step::TakeFileNotifications(take) => return told::take_file_notifications(&take, world),
        Step::PutHubProperties(put) => return resources::put_hub_properties(&put, world),
        Step::SetIpFilter(set) => return resources::set_ip_filter(&set, world),
        step => match registry::asked(step, world)? {
            Ok(asked) => Ok(asked),
            Err(step) => resources::asked(step)?,
        },
    };
    match asked {
        Ok(Asked { by, refused, request }) => {
            ask(by.as_deref(), refused, request, world).map(|_| Served::Done)
        }
        Err(step) => match reading::read(step, world)? {
            Served::NotMine(step) => resources::attempt(step, certificates, world),
            served => Ok(served),
        },
    }
}

/// The hub's answer to a caller; nothing where it refused, for want of rights or as the step wants it.
fn ask(
    by: Option<&str>,
    refused: Option<u32>,
    request: ServiceRequest,
    world: &mut World,
) -> Result<Option<ServiceReply>, String> {
    let caller = caller(by, world)?;
    match (world.service_as(&caller, request), refused) {
        (Ok(_), Some(code)) => Err(served_in_place_of(code)),
        (Ok(reply), None) => Ok(Some(reply)),
        (Err(error), refused) => refusal(error, by, refused).map(|()| None),
    }
}

/// Whether a refusal is one that the step wants, or that its caller's rights explain.
fn refusal(error: HubError, by: Option<&str>, wanted: Option<u32>) -> Result<(), String> {
    match (error, wanted) {
        (error, Some(code)) if error.code() == code => Ok(()),
        // An offline device is an outcome of a method.
        (HubError::DeviceNotOnline(_), None) => Ok(()),
        (HubError::UnauthorizedAccess(_) | HubError::Forbidden { .. }, None) if by.is_some() => Ok(()),
        (error, _) => Err(error.to_string()),
    }
}

/// What is wrong with a request that was served.
pub(crate) fn served_in_place_of(code: u32) -> String {
    format!("the hub served what it was to refuse with {code}")
}

/// The caller of that name in the scenario, or the owner.
fn caller(name: Option<&str>, world: &World) -> Result<Caller, String> {
    let Some(name) = name else { return Ok(Caller::owner()) };
    let spec = world.journal().header().scenario.callers.get(name);
    let CallerSpec { rights } = spec.ok_or_else(|| format!("no caller {name} in the scenario"))?;
    let rights: Result<Vec<_>, String> = rights
        .iter()
        .map(|right| {
            let name = serde_json::to_value(right).map_err(|error| error.to_string())?;
            let name = name.as_str().unwrap_or_default().to_owned();
            name.parse().map_err(|error: hilarm_hub::UnknownRight| error.to_string())
        })
        .collect();
    Ok(Caller::new(name, rights?))
}
