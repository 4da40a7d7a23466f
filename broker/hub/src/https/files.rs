//! File uploads: the two requests to the hub around one to the blob store, which answers here too.

use hilarm_model::Now;
use serde::Deserialize;
use serde_json::json;

use super::head::Head;
use super::refusal::Refusal;
use super::response::Response;
use crate::core::Core;
use crate::core::registry::ClientIdentity;
use crate::service::BlobWrite;

/// Greatest length of what one request adds to a blob. Only counted, never kept.
pub(super) const BLOB_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Greatest length of the other requests.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begin {
    blob_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct End {
    correlation_id: Option<String>,
    is_success: bool,
}

/// Grants a place for a blob.
pub(super) fn begin(
    core: &mut Core,
    identity: &ClientIdentity,
    body: &[u8],
    now: Now,
) -> Result<Response, Refusal> {
    let begin: Begin =
        serde_json::from_slice(body).map_err(|_| Refusal::Argument("the body names no blobName"))?;
    let grant = core.begin_upload(&identity.device, &begin.blob_name, now)?;
    let body = json!({
        "correlationId": grant.correlation_id,
        "hostName": grant.host,
        "containerName": grant.container,
        "blobName": grant.blob_path,
        "sasToken": grant.sas_token,
    });
    Ok(Response::json(200, &body))
}

/// Takes the length of a blob, or of a block of it.
pub(super) fn put(
    core: &mut Core,
    head: &Head,
    path: &str,
    bytes: u64,
    write: BlobWrite,
    now: Now,
) -> Result<Response, Refusal> {
    let query = head.target.split_once('?').map_or("", |(_, query)| query);
    core.put_blob(path, query, bytes, write, now)?;
    Ok(Response::new(201))
}

/// The device says how its upload ended. Some clients put the correlation id into the path.
pub(super) fn end(
    core: &mut Core,
    identity: &ClientIdentity,
    correlation: Option<&str>,
    body: &[u8],
    now: Now,
) -> Result<Response, Refusal> {
    let end: End = serde_json::from_slice(body)
        .map_err(|_| Refusal::Argument("the body is no notification of a file upload"))?;
    let correlation = correlation
        .or(end.correlation_id.as_deref())
        .ok_or(Refusal::Argument("the notification names no correlationId"))?;
    core.complete_upload(&identity.device, correlation, end.is_success, now)?;
    Ok(Response::no_content())
}
