//! Device security groups (`Microsoft.Security/deviceSecurityGroups`): which there are, who writes and deletes
//! them. Their bodies are read and written by `security_group_body`.

use hilarm_model::{HubEvent, Now, SecurityGroup};
use serde_json::{Value, json};

use super::security_group_body::StoredGroup;
use super::{answer, deleted, hub_id, written};
use crate::core::Core;
use crate::service::{HubError, ServiceReply};

impl Core {
    pub(in crate::core) fn put_security_group(
        &mut self,
        name: &str,
        group: SecurityGroup,
        now: Now,
    ) -> ServiceReply {
        let name = name.to_lowercase();
        self.management.security_groups.insert(name.clone(), StoredGroup::of(&group));
        self.record(HubEvent::SecurityGroupConfigured { name, group }, now);
        ServiceReply::Done
    }

    pub(in crate::core) fn put_security_group_json(
        &mut self,
        name: &str,
        json: Value,
        now: Now,
    ) -> Result<ServiceReply, HubError> {
        let name = name.to_lowercase();
        let stored = StoredGroup::read(&json)?;
        let group = stored.enabled()?;
        let existed = self.management.security_groups.insert(name.clone(), stored).is_some();
        self.record(HubEvent::SecurityGroupConfigured { name: name.clone(), group }, now);
        self.security_group_reply(&name, written(existed))
    }

    pub(in crate::core) fn security_group_reply(
        &self,
        name: &str,
        status: u16,
    ) -> Result<ServiceReply, HubError> {
        let name = name.to_lowercase();
        let Some(group) = self.management.security_groups.get(&name) else {
            return Err(HubError::ResourceNotFound(name));
        };
        let id =
            format!("{}/providers/Microsoft.Security/deviceSecurityGroups/{name}", hub_id(&self.config.host));
        let kind = "Microsoft.Security/deviceSecurityGroups";
        let body = json!({ "id": id, "name": name, "type": kind, "properties": group.to_json() });
        Ok(answer(status, body))
    }

    pub(in crate::core) fn delete_security_group(&mut self, name: &str, now: Now) -> ServiceReply {
        let name = name.to_lowercase();
        let existed = self.management.security_groups.remove(&name).is_some();
        if existed {
            self.record(HubEvent::SecurityGroupRemoved { name }, now);
        }
        deleted(existed)
    }
}
