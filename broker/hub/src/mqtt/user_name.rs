//! Who a CONNECT claims to be: client id `{dev}` or `{dev}/{mod}`, user name
//! `{host}/{client id}/?api-version=...`, also without the `?` or without anything behind the id. What the
//! query says is not judged.

use hilarm_model::{DeviceId, ModuleId};

use crate::core::registry::ClientIdentity;

/// The identity that a client id names.
pub(crate) fn identity(client_id: &str) -> Option<ClientIdentity> {
    let (device, module) = match client_id.split_once('/') {
        None => (client_id, None),
        Some((device, module)) => (device, Some(ModuleId::new(module).ok()?)),
    };
    Some(ClientIdentity { device: DeviceId::new(device).ok()?, module })
}

/// Checks that the user name is of this hub and of the identity that the client id names.
pub(crate) fn check(user_name: Option<&str>, host: &str, client_id: &str) -> Result<(), &'static str> {
    let user_name = user_name.ok_or("there is no user name")?;
    let (claimed_host, rest) = user_name.split_once('/').ok_or("it has no device id")?;
    if !claimed_host.eq_ignore_ascii_case(host) {
        return Err("it names another hub");
    }
    let query = rest.strip_prefix(client_id).ok_or("it names another device than the client id")?;
    let well_formed = match query.strip_prefix('/') {
        None => query.is_empty(),
        Some(query) => query.is_empty() || query.starts_with('?') || is_pair(query),
    };
    if well_formed { Ok(()) } else { Err("it names another device than the client id") }
}

/// The form without `?`: it starts with `key=`, where a module id would start a level of its own.
fn is_pair(query: &str) -> bool {
    query.split_once('=').is_some_and(|(key, _)| !key.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "hub.hilarm.test";

    #[test]
    fn every_form_that_clients_send_is_accepted() {
        for (user_name, client_id) in [
            ("hub.hilarm.test/pump-1/?api-version=2020-09-30&DeviceClientType=azsdk-c%2F1.3.2", "pump-1"),
            ("HUB.hilarm.test/pump-1/?", "pump-1"),
            ("hub.hilarm.test/pump-1/api-version=2016-11-14", "pump-1"),
            ("hub.hilarm.test/pump-1", "pump-1"),
            ("hub.hilarm.test/pump-1/", "pump-1"),
            ("hub.hilarm.test/pump-1/agent/?api-version=2021-04-12", "pump-1/agent"),
        ] {
            assert_eq!(check(Some(user_name), HOST, client_id), Ok(()), "{user_name}");
        }
    }

    #[test]
    fn other_hubs_and_other_devices_are_refused() {
        for (user_name, why) in [
            ("other/pump-1/?api-version=1", "it names another hub"),
            ("hub.hilarm.test", "it has no device id"),
            ("hub.hilarm.test/pump-2/?api-version=1", "it names another device than the client id"),
            ("hub.hilarm.test/pump-10/?api-version=1", "it names another device than the client id"),
            ("hub.hilarm.test/pump-1/agent/?api-version=1", "it names another device than the client id"),
        ] {
            assert_eq!(check(Some(user_name), HOST, "pump-1"), Err(why), "{user_name}");
        }
        assert_eq!(check(None, HOST, "pump-1"), Err("there is no user name"));
    }

    #[test]
    fn a_client_id_names_a_device_or_a_module_or_nothing() {
        assert!(identity("pump-1").is_some_and(|identity| identity.module.is_none()));
        assert!(identity("pump-1/agent").is_some_and(|identity| identity.module.is_some()));
        for bad in ["", "a b", "a/b/c", "/a", "a/"] {
            assert_eq!(identity(bad), None, "{bad}");
        }
    }
}
