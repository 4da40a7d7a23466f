use super::*;

const QEMU: &str = "schema: 1\nname: x\nbackend: qemu\ncapabilities: [ethernet]\n\
    firmware: { triple: thumbv7m-none-eabi, target: mps2-an385 }\n\
    qemu: { machine: mps2-an385, min_version: \"7.2\", nic: lan9118, config_address: 0x20300000 }\n";

#[test]
fn every_shipped_board_parses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../boards");
    let ids: Vec<_> = Board::list(&folder).unwrap().into_iter().map(|board| board.id).collect();
    let known = ["qemu-mps2-an385", "qemu-mps2-an385-c", "sim"];
    assert!(known.iter().all(|id| ids.iter().any(|read| read == id)), "{ids:?}");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let error = Board::parse("x", &format!("{QEMU}colour: red\n")).unwrap_err();
    assert!(error.contains("colour") && error.contains("line 7"), "{error}");
}

#[test]
fn a_limit_without_unit_teaches_the_form() {
    let error = Board::parse("x", &format!("{QEMU}timeouts: {{ boot: \"5\" }}\n")).unwrap_err();
    assert!(error.contains("e.g. `5s`"), "{error}");
}

#[test]
fn an_image_of_somebody_elses_needs_an_identity_and_no_target() {
    let board = |firmware: &str, rest: &str| {
        let text = "schema: 1\nname: x\nbackend: qemu\ncapabilities: [ethernet]\n\
            qemu: { machine: mps2-an385, min_version: \"7.2\", nic: lan9118 }\n";
        Board::parse("x", &format!("{text}firmware: {{ {firmware} }}\n{rest}"))
    };
    let symbol = "identity: { symbol: who_i_am }\n";
    assert!(board("elf: build/pump.elf", symbol).is_ok());
    assert!(board("elf: build/pump.elf", "").unwrap_err().contains("`identity`"));
    assert!(board("elf: x, triple: a, target: b", symbol).unwrap_err().contains("either"));
    assert!(board("target: b", symbol).unwrap_err().contains("or `elf`"));
    let both = "identity: { symbol: a, address: 1 }\n";
    assert!(board("elf: x", both).unwrap_err().contains("one of"));
    let keyless = "identity: { provisioned: { device_id: pump-1 } }\n";
    assert!(board("elf: x", keyless).unwrap_err().contains("either `key` or `certificate`"));
}

#[test]
fn paths_of_a_board_file_are_below_the_project() {
    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir(project.path().join("boards")).unwrap();
    let path = project.path().join("boards/pump.yaml");
    let text = "schema: 1\nname: x\nbackend: qemu\ncapabilities: []\nfirmware: { elf: build/pump.elf }\n\
        qemu: { machine: x, min_version: \"7.2\" }\nidentity: { address: 0x100, ca: my/ca }\n";
    std::fs::write(&path, text).unwrap();
    let board = Board::read(&path).unwrap();
    assert_eq!(board.firmware.unwrap().elf, Some(project.path().join("build/pump.elf")));
    assert_eq!(board.identity.unwrap().ca, Some(project.path().join("my/ca")));
}

#[test]
fn a_qemu_board_without_firmware_is_refused() {
    let error = Board::parse("x", "schema: 1\nname: x\nbackend: qemu\ncapabilities: []\n").unwrap_err();
    assert!(error.contains("firmware"), "{error}");
}

#[test]
fn a_probe_board_reads_as_designed_and_needs_its_section() {
    let text = "schema: 1\nname: x\nbackend: probe\ncapabilities: [uart, flash, reset, rtt, coredump]\n\
        firmware: { triple: thumbv7em-none-eabihf, target: nucleo-f429zi }\nreset: [soft, nreset, power]\n\
        link: { via: serial, same_usb_as_probe: true }\n";
    let error = Board::parse("x", text).unwrap_err();
    assert!(error.contains("`probe`"), "{error}");
    let probe = "probe: { vid: \"0483\", pid: \"374b\", speed_khz: 4000, config_address: 0x20020000 }\n";
    let ignored = format!("{text}{probe}identity: {{ symbol: who_i_am }}\n");
    assert!(Board::parse("x", &ignored).unwrap_err().contains("`probe.config_address`"));
    let board = Board::parse("x", &format!("{text}{probe}")).unwrap();
    assert_eq!(board.reset, [ResetKind::Soft, ResetKind::Nreset, ResetKind::Power]);
    let probe = board.probe.unwrap();
    assert_eq!(probe.protocol, WireProtocol::Swd);
    assert_eq!(probe.usb_ids(), Ok((Some(0x0483), Some(0x374b))));
    let wrong = format!("{text}probe: {{ vid: \"483\", config_address: 0 }}\n");
    assert!(Board::parse("x", &wrong).unwrap_err().contains("four hexadecimal digits"));
}

#[test]
fn a_link_that_the_backend_cannot_carry_is_refused() {
    let error = |via: &str| Board::parse("x", &format!("{QEMU}link: {{ via: {via} }}\n")).unwrap_err();
    assert!(error("rtt").contains("backend `qemu` has a link `via` uart0, uart1 or serial"));
    assert!(error("tcp").contains("unknown variant"), "{}", error("tcp"));
    let probe = "schema: 1\nname: x\nbackend: probe\ncapabilities: []\nprobe: { config_address: 0 }\n\
        firmware: { triple: a, target: b }\n";
    let parse = |via: &str| Board::parse("x", &format!("{probe}link: {{ via: {via} }}\n"));
    assert_eq!(parse("rtt").unwrap().pace(), Pace::Real, "it does not say `virtual-time`");
    assert!(parse("uart1").unwrap_err().contains("via` serial or rtt"));
}

#[test]
fn a_missing_board_lists_what_there_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../boards");
    let error = Board::find(&folder, "mps2").unwrap_err().to_string();
    assert!(error.contains("did you mean `qemu-mps2-an385`?"), "{error}");
}
