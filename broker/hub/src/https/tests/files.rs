//! File uploads over HTTPS.

use hilarm_model::HubEvent;
use serde_json::Value;

use super::world::{World, device, request, request_with};

/// Asks for a place; the answer's body.
fn begin(world: &mut World, name: &str) -> Value {
    let body = serde_json::json!({ "blobName": name }).to_string();
    let answer = world.ask(&request("POST /devices/pump-1/files?api-version=1", "", body.as_bytes()));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

fn put(world: &mut World, grant: &Value, comp: &str, body: &[u8]) -> String {
    let text = |name: &str| grant[name].as_str().unwrap().to_owned();
    let line = format!("PUT /{}/{}{}{comp}", text("containerName"), text("blobName"), text("sasToken"));
    world.ask(&request_with(&line, "x-ms-blob-type: BlockBlob\r\n", body))
}

fn end(world: &mut World, body: &str) -> String {
    world.ask(&request("POST /devices/pump-1/files/notifications", "", body.as_bytes()))
}

fn completed(world: &mut World) -> Vec<(String, u64, bool)> {
    let upload = |event| match event {
        HubEvent::FileUploadCompleted { device: uploader, blob, blob_bytes, success } => {
            assert_eq!(uploader, device("pump-1"));
            Some((blob, blob_bytes, success))
        }
        _ => None,
    };
    world.facts().into_iter().filter_map(upload).collect()
}

#[test]
fn an_upload_is_asked_for_put_and_told() {
    let mut world = World::new();
    let grant = begin(&mut world, "dump.bin");
    assert_eq!(
        (&grant["hostName"], &grant["blobName"]),
        (&"hub.hilarm.test".into(), &"pump-1/dump.bin".into())
    );
    assert!(put(&mut world, &grant, "", &[7; 3000]).starts_with("HTTP/1.1 201 Created\r\n"));
    assert_eq!(completed(&mut world), []);
    let told = format!(r#"{{"correlationId":{},"isSuccess":true,"statusCode":201}}"#, grant["correlationId"]);
    assert_eq!(end(&mut world, &told), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(completed(&mut world), [("dump.bin".into(), 3000, true)]);
    assert!(end(&mut world, &told).starts_with("HTTP/1.1 400 "), "its correlation id is spent");
}

#[test]
fn a_blobs_name_may_have_nothing_between_two_slashes() {
    let mut world = World::new();
    let grant = begin(&mut world, "logs//today");
    assert!(put(&mut world, &grant, "", b"1").starts_with("HTTP/1.1 201 Created\r\n"));
    let told = format!(r#"{{"correlationId":{},"isSuccess":true}}"#, grant["correlationId"]);
    end(&mut world, &told);
    assert_eq!(completed(&mut world), [("logs//today".into(), 1, true)]);
}

#[test]
fn blocks_add_up_and_the_correlation_id_may_stand_in_the_path() {
    let mut world = World::new();
    let grant = begin(&mut world, "a/b");
    put(&mut world, &grant, "&comp=block&blockid=MQ", &[1; 100]);
    put(&mut world, &grant, "&comp=block&blockid=Mg", &[1; 50]);
    assert!(put(&mut world, &grant, "&comp=blocklist", b"<BlockList/>").starts_with("HTTP/1.1 201 "));
    let line =
        format!("POST /devices/pump-1/files/notifications/{}", grant["correlationId"].as_str().unwrap());
    world.ask(&request(&line, "", br#"{"isSuccess":false}"#));
    assert_eq!(completed(&mut world), [("a/b".into(), 150, false)]);
}

#[test]
fn a_blob_without_its_signature_is_refused_and_one_that_nobody_asked_for_is_not_there() {
    let mut world = World::new();
    let mut grant = begin(&mut world, "a");
    grant["sasToken"] = "?sig=other".into();
    assert!(put(&mut world, &grant, "", b"x").starts_with("HTTP/1.1 403 "));
    grant["blobName"] = "pump-1/b".into();
    assert!(put(&mut world, &grant, "", b"x").starts_with("HTTP/1.1 404 "));
}

#[test]
fn bodies_that_are_no_requests_of_an_upload_are_refused() {
    let mut world = World::new();
    for body in ["", "{}", "[]", r#"{"blobName":""}"#, r#"{"blobName":7}"#] {
        let answer = world.ask(&request("POST /devices/pump-1/files", "", body.as_bytes()));
        assert!(answer.contains("iothub-errorcode: ArgumentInvalid\r\n"), "{answer}");
    }
    for body in [
        "{}",
        r#"{"isSuccess":true}"#,
        r#"{"correlationId":"x"}"#,
        r#"{"correlationId":"x","isSuccess":true}"#,
    ] {
        assert!(end(&mut world, body).starts_with("HTTP/1.1 400 "), "{body}");
    }
    let facts = world.facts();
    let refused = |code: u32| {
        let is = |fact: &&HubEvent| matches!(fact, HubEvent::RequestRefused { code: is, .. } if *is == code);
        facts.iter().filter(is).count()
    };
    assert_eq!((refused(400_004), refused(400_015)), (5 + 3, 1), "{facts:?}");
    assert!(!facts.iter().any(|fact| matches!(fact, HubEvent::FileUploadCompleted { .. })), "{facts:?}");
}

#[test]
fn the_eleventh_upload_under_way_is_refused() {
    let mut world = World::new();
    (0..10).for_each(|number| drop(begin(&mut world, &number.to_string())));
    let answer = world.ask(&request("POST /devices/pump-1/files", "", br#"{"blobName":"x"}"#));
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.contains("DeviceMaximumActiveFileUploadLimitExceeded"), "{answer}");
}
