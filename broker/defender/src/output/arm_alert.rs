//! An alert as Azure Resource Manager answers it: `Microsoft.Security/Locations/alerts`, 2022-01-01.

use serde_json::{Value, json};

use crate::alert::Alert;
use crate::security_alert::{AlertContext, entities, security_alert};

/// Where Azure would keep the alert; a local stand-in has no region of its own.
const LOCATION: &str = "centralus";

/// The ARM resource of an alert.
///
/// # Panics
/// When the alert's slug is not in the catalogue, which no alert of a [`crate::Defender`] is.
pub fn arm_alert(alert: &Alert, context: &AlertContext) -> Value {
    let row = security_alert(alert, context);
    let AlertContext { subscription_id, resource_group, .. } = context;
    let name = &row.system_alert_id;
    let text = |json: &str| serde_json::from_str::<Value>(json).unwrap_or(Value::Null);
    json!({
        "id": format!(
            "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.Security/locations/{LOCATION}/alerts/{name}"
        ),
        "name": name,
        "type": "Microsoft.Security/Locations/alerts",
        "properties": {
            "version": "2022-01-01",
            "alertType": row.alert_type,
            "systemAlertId": name,
            "productComponentName": row.product_component_name,
            "productName": row.product_name,
            "vendorName": row.vendor_name,
            "alertDisplayName": row.display_name,
            "description": row.description,
            "severity": row.alert_severity,
            "intent": row.tactics,
            "techniques": text(&row.techniques),
            "subTechniques": text(&row.sub_techniques),
            "startTimeUtc": row.start_time,
            "endTimeUtc": row.end_time,
            "timeGeneratedUtc": row.time_generated,
            "processingEndTimeUtc": row.processing_end_time,
            "resourceIdentifiers": [{ "type": "AzureResource", "azureResourceId": row.resource_id }],
            "remediationSteps": text(&row.remediation_steps),
            "status": "Active",
            "isIncident": row.is_incident,
            "entities": entities(alert, context),
            "extendedProperties": text(&row.extended_properties),
            "extendedLinks": [],
            "compromisedEntity": row.compromised_entity,
        },
    })
}
