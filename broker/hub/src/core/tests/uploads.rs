//! File uploads from grant to completion.

use super::*;
use crate::service::{BlobWrite, FileNotification, Settlement, Told, UploadGrant};

fn begin(core: &mut Core, now: Now) -> Result<UploadGrant, HubError> {
    let request = ServiceRequest::BeginFileUpload { device: device(), blob: "logs/a.txt".into() };
    match core.service(request, now) {
        Ok(ServiceReply::FileUploadBegun(grant)) => Ok(grant),
        other => Err(other.expect_err("another reply")),
    }
}

fn put_blob(core: &mut Core, grant: &UploadGrant, bytes: u64, write: BlobWrite, now: Now) -> Result<(), u16> {
    let (blob_path, sas_token) = (grant.blob_path.clone(), grant.sas_token.clone());
    let request = ServiceRequest::PutBlob { blob_path, sas_token, bytes, write };
    core.service(request, now).map(drop).map_err(|why| why.status())
}

fn complete(core: &mut Core, grant: &UploadGrant, success: bool, now: Now) -> Result<(), u32> {
    let correlation_id = grant.correlation_id.clone();
    let request = ServiceRequest::CompleteFileUpload { device: device(), correlation_id, success };
    core.service(request, now).map(drop).map_err(|why| why.code())
}

fn receive(core: &mut Core, seconds: u64) -> Option<Told<FileNotification>> {
    match core.service(ServiceRequest::ReceiveFileNotification, at(seconds)) {
        Ok(ServiceReply::FileNotification(told)) => told,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_blob_is_put_where_it_was_granted_and_its_completion_is_a_fact() {
    let mut core = core();
    let grant = begin(&mut core, at(0)).unwrap();
    assert_eq!(grant.blob_path, "pump-1/logs/a.txt");
    put_blob(&mut core, &grant, 100, BlobWrite::Whole, at(1)).unwrap();
    put_blob(&mut core, &grant, 20, BlobWrite::Block, at(1)).unwrap();
    complete(&mut core, &grant, true, at(2)).unwrap();
    let completed = HubEvent::FileUploadCompleted {
        device: device(),
        blob: "logs/a.txt".into(),
        blob_bytes: 120,
        success: true,
    };
    assert_eq!(facts(&mut core), [completed]);
    let notification =
        FileNotification { device: device(), blob_path: grant.blob_path, blob_bytes: 120, at: at(2).unix };
    let told = receive(&mut core, 3).unwrap();
    assert_eq!(told.items, [notification]);
    assert_eq!(receive(&mut core, 3), None, "it is locked");
    let settle = |settlement| ServiceRequest::SettleFileNotification { lock: told.lock.clone(), settlement };
    assert_eq!(core.service(settle(Settlement::Reject), at(3)).unwrap_err().code(), 400_004);
    core.service(settle(Settlement::Complete), at(3)).unwrap();
    assert_eq!(core.service(settle(Settlement::Complete), at(3)).unwrap_err().code(), 412_002);
    assert_eq!(receive(&mut core, 100), None);
}

#[test]
fn a_correlation_id_is_spent_by_its_completion_and_expires_after_an_hour() {
    let mut core = core();
    let spent = begin(&mut core, at(0)).unwrap();
    complete(&mut core, &spent, false, at(1)).unwrap();
    assert_eq!(complete(&mut core, &spent, true, at(1)), Err(400_015));
    let late = begin(&mut core, at(0)).unwrap();
    assert_eq!(put_blob(&mut core, &late, 1, BlobWrite::Whole, at(3600)), Err(403));
    assert_eq!(complete(&mut core, &late, true, at(3600)), Err(400_016));
}

#[test]
fn another_device_cannot_complete_an_upload() {
    let mut core = core();
    let grant = begin(&mut core, at(0)).unwrap();
    let other = DeviceId::new("pump-2").unwrap();
    let why = core.complete_upload(&other, &grant.correlation_id, true, at(1)).unwrap_err();
    assert_eq!(why.code(), 400_015);
    assert!(complete(&mut core, &grant, true, at(1)).is_ok());
}

#[test]
fn the_eleventh_upload_under_way_is_refused_until_one_is_completed_or_expires() {
    let mut core = core();
    let grants: Vec<_> = (0..10).map(|_| begin(&mut core, at(0)).unwrap()).collect();
    assert_eq!(begin(&mut core, at(1)).unwrap_err().code(), 403_006);
    complete(&mut core, &grants[0], true, at(1)).unwrap();
    assert!(begin(&mut core, at(1)).is_ok());
    assert!(begin(&mut core, at(1)).is_err());
    assert!(begin(&mut core, at(3600)).is_ok());
}

#[test]
fn a_blob_needs_the_signature_it_was_granted_with() {
    let mut core = core();
    let grant = begin(&mut core, at(0)).unwrap();
    let forged = UploadGrant { sas_token: "?sig=forged".into(), ..grant.clone() };
    assert_eq!(put_blob(&mut core, &forged, 1, BlobWrite::Whole, at(1)), Err(403));
    let elsewhere = UploadGrant { blob_path: "pump-1/other".into(), ..grant };
    assert_eq!(put_blob(&mut core, &elsewhere, 1, BlobWrite::Whole, at(1)), Err(404));
}
