//! File uploads: a device asks for a place, puts a blob there, and says that it is done. Only the length of
//! a blob is kept. The blob store answers on the hub's own name.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hilarm_model::{DeviceId, HubEvent, Now, Timestamp};
use rand::Rng;

use super::Core;
use super::calendar::iso8601;
use super::messages::told;
use crate::config::Telling;
use crate::service::{BlobWrite, FileNotification, HubError, ServiceReply, UploadGrant};

/// How long a device may take, IoT Hub's default.
const UPLOAD_TTL: Duration = Duration::from_secs(3600);
/// Uploads under way for one device.
const UPLOADS_MAX: usize = 10;
const BLOB_NAME_BYTES_MAX: usize = 1024;

/// The container of all blobs.
pub(crate) const CONTAINER: &str = "uploads";

#[derive(Debug)]
struct Upload {
    device: DeviceId,
    blob: String,
    blob_path: String,
    signature: String,
    expiry: Timestamp,
    blob_bytes: u64,
}

/// All uploads under way, by correlation id.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    under_way: BTreeMap<String, Upload>,
}

impl Core {
    /// Grants a device a place for a blob of this name.
    pub(crate) fn begin_upload(
        &mut self,
        device: &DeviceId,
        blob: &str,
        now: Now,
    ) -> Result<UploadGrant, HubError> {
        if blob.is_empty() || blob.len() > BLOB_NAME_BYTES_MAX || blob.chars().any(char::is_control) {
            return Err(HubError::ArgumentInvalid(
                "blobName is empty, too long, or holds control characters".into(),
            ));
        }
        let under_way = self.uploads.under_way.values();
        let running = under_way.filter(|upload| upload.device == *device && upload.expiry > now.unix);
        if running.count() >= UPLOADS_MAX {
            return Err(HubError::DeviceMaximumActiveFileUploadLimitExceeded(device.clone()));
        }
        self.forget_old_uploads(device, now);
        let correlation_id = self.correlation_id(now);
        let signature = URL_SAFE_NO_PAD.encode(self.random.random::<[u8; 32]>());
        let expiry = now.unix + UPLOAD_TTL;
        let blob_path = format!("{device}/{blob}");
        let expires = iso8601(expiry).replace(':', "%3A");
        let sas_token = format!("?sv=2018-03-28&sr=b&sig={signature}&se={expires}&sp=rw");
        let upload = Upload {
            device: device.clone(),
            blob: blob.to_owned(),
            blob_path: blob_path.clone(),
            signature,
            expiry,
            blob_bytes: 0,
        };
        self.uploads.under_way.insert(correlation_id.clone(), upload);
        self.charge(0, now);
        let host = self.config.host.clone();
        Ok(UploadGrant { correlation_id, host, container: CONTAINER, blob_path, sas_token })
    }

    /// Like IoT Hub's: base64 of a time and a random part.
    fn correlation_id(&mut self, now: Now) -> String {
        let random: u64 = self.random.random();
        URL_SAFE_NO_PAD.encode(format!("{}_{random:016x}", now.unix.as_secs()))
    }

    /// An upload whose time is over is remembered for as long again, to be told apart from one that never was.
    fn forget_old_uploads(&mut self, device: &DeviceId, now: Now) {
        let remembered = |upload: &Upload| upload.device != *device || upload.expiry + UPLOAD_TTL > now.unix;
        self.uploads.under_way.retain(|_, upload| remembered(upload));
    }

    /// Stores a blob, or a block that adds to one; `query` is that of the request.
    /// A path that no upload has is 404, a signature that is another's or old is 403.
    pub(crate) fn put_blob(
        &mut self,
        blob_path: &str,
        query: &str,
        bytes: u64,
        write: BlobWrite,
        now: Now,
    ) -> Result<(), HubError> {
        let query = query.strip_prefix('?').unwrap_or(query);
        let signature = query.split('&').find_map(|pair| pair.strip_prefix("sig="));
        let mut of_path =
            self.uploads.under_way.values_mut().filter(|upload| upload.blob_path == blob_path).peekable();
        if of_path.peek().is_none() {
            return Err(HubError::ResourceNotFound(blob_path.to_owned()));
        }
        let fits = |upload: &&mut Upload| signature == Some(&upload.signature) && upload.expiry > now.unix;
        let upload =
            of_path.find(fits).ok_or_else(|| HubError::BlobNotAuthenticated(blob_path.to_owned()))?;
        upload.blob_bytes = match write {
            BlobWrite::Whole => bytes,
            BlobWrite::Block => upload.blob_bytes.saturating_add(bytes),
        };
        Ok(())
    }

    /// The device says how an upload ended; its correlation id is spent.
    pub(crate) fn complete_upload(
        &mut self,
        device: &DeviceId,
        correlation_id: &str,
        success: bool,
        now: Now,
    ) -> Result<(), HubError> {
        let own = self.uploads.under_way.get(correlation_id).is_some_and(|upload| upload.device == *device);
        let upload = if own { self.uploads.under_way.remove(correlation_id) } else { None };
        let Some(upload) = upload else {
            return Err(HubError::InvalidFileUploadCorrelationId(correlation_id.to_owned()));
        };
        if upload.expiry <= now.unix {
            return Err(HubError::ExpiredFileUploadCorrelationId(correlation_id.to_owned()));
        }
        self.charge(0, now);
        let Upload { device, blob, blob_path, blob_bytes, .. } = upload;
        if let (true, Some(limits)) = (success, self.config.file_notifications) {
            let notice = FileNotification { device: device.clone(), blob_path, blob_bytes, at: now.unix };
            self.file_notifications.put(notice, limits, now);
        }
        self.record(HubEvent::FileUploadCompleted { device, blob, blob_bytes, success }, now);
        Ok(())
    }

    pub(super) fn receive_file_notification(&mut self, now: Now) -> ServiceReply {
        let limits = self.config.file_notifications.unwrap_or(Telling::DEFAULT);
        let held = self.hold_for_service(limits, now);
        let items = self.file_notifications.receive(1, held, limits, now);
        ServiceReply::FileNotification(told(held, items))
    }
}

impl Uploads {
    pub(super) fn forget_device(&mut self, device: &DeviceId) {
        self.under_way.retain(|_, upload| upload.device != *device);
    }
}
