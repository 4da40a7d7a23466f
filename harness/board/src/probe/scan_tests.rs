use super::*;
use crate::{LOCAL_FILE, LocalUnit};

fn board(id: &str, usb: &str, link: &str) -> Board {
    let text = format!(
        "schema: 1\nname: The {id}\nbackend: probe\ncapabilities: []\nprobe: {{ {usb}config_address: 0 }}\n\
         link: {{ {link} }}\nfirmware: {{ triple: x, target: x }}\n"
    );
    Board::parse(id, &text).unwrap()
}

fn boards() -> Vec<Board> {
    let same = "via: serial, same_usb_as_probe: true";
    vec![board("nordic", "vid: \"1366\", ", same), board("nucleo", "vid: \"0483\", pid: \"374b\", ", same)]
}

fn probe(serial: Option<&str>, usb_path: &str) -> Candidate {
    Candidate {
        name: "STLink V2-1".to_owned(),
        vid: 0x0483,
        pid: 0x374b,
        serial: serial.map(str::to_owned),
        usb_path: Some(usb_path.to_owned()),
        accessible: true,
    }
}

fn port(path: &str, serial: Option<&str>, interface: u8) -> UsbSerialPort {
    UsbSerialPort {
        path: path.to_owned(),
        vid: 0x0483,
        pid: 0x374b,
        serial: serial.map(str::to_owned),
        interface: Some(interface),
        product: None,
    }
}

fn units(proposal: &Proposal, boards: &[Board], id: &str) -> Vec<LocalUnit> {
    let read = LocalBoards::parse(Path::new(LOCAL_FILE), &proposal.text, boards);
    read.unwrap_or_else(|error| panic!("{error}\n{}", proposal.text)).units(id)
}

fn propose(scan: &Scan) -> Proposal {
    scan.proposal(&boards(), &LocalBoards::default())
}

#[test]
fn a_probe_with_its_port_is_proposed_with_reasons_and_reads_back() {
    let ports = vec![port("/dev/ttyACM0", Some("A \"1\""), 2), port("/dev/ttyACM9", Some("other"), 0)];
    let scan = Scan { probes: vec![probe(Some("A \"1\""), "1-1")], ports };
    let proposal = propose(&scan);
    let [unit] = &units(&proposal, &boards(), "nucleo")[..] else { panic!("{}", proposal.text) };
    assert_eq!(unit.probe_serial.as_deref(), Some("A \"1\""));
    assert_eq!(unit.port.as_deref(), Some("usb:0483:374b,serial=A \"1\",interface=2"));
    assert!(proposal.text.contains("boards/nucleo.yaml alone wants a probe 0483:374b"), "{}", proposal.text);
    assert!(proposal.text.contains("the only one of the probe's own USB device"), "{}", proposal.text);
    assert!(
        proposal
            .text
            .contains("/dev/ttyACM9 (usb:0483:374b,serial=other,interface=0): belongs to no debug probe")
    );
    assert!(!proposal.text.contains("nordic"), "{}", proposal.text);
    assert_eq!(proposal.troubles, [""; 0]);
}

#[test]
fn two_probes_of_one_kind_are_two_units_and_one_without_a_number_goes_by_its_socket() {
    let scan = Scan { probes: vec![probe(Some("A"), "1-1"), probe(None, "1-2")], ports: Vec::new() };
    let proposal = propose(&scan);
    let units = units(&proposal, &boards(), "nucleo");
    assert_eq!(units[0].probe_serial.as_deref(), Some("A"));
    assert_eq!(units[1].usb_path.as_deref(), Some("1-2"));
    assert!(
        proposal.text.contains("no serial port of the probe's own USB device is there"),
        "{}",
        proposal.text
    );
}

#[test]
fn twins_are_left_out_and_told_of_once() {
    let scan = Scan { probes: vec![probe(Some("A"), "1-1"), probe(Some("A"), "1-2")], ports: Vec::new() };
    let proposal = propose(&scan);
    assert_eq!(proposal.text.matches("left out, it has a twin").count(), 2);
    let [trouble] = &proposal.troubles[..] else { panic!("{:?}", proposal.troubles) };
    assert!(trouble.contains("one of them at a time"), "{trouble}");
}

#[test]
fn what_fits_two_boards_is_for_a_person_to_decide() {
    let mut boards = boards();
    boards.push(board("discovery", "vid: \"0483\", ", "via: rtt"));
    let scan = Scan { probes: vec![probe(Some("A"), "1-1")], ports: Vec::new() };
    let proposal = scan.proposal(&boards, &LocalBoards::default());
    assert_eq!(proposal.text.matches("\n    # - probe_serial: \"A\"").count(), 2, "{}", proposal.text);
    assert!(proposal.text.contains("fits discovery too"), "{}", proposal.text);
}

#[test]
fn several_ports_of_one_probe_are_all_offered_and_none_is_guessed() {
    let ports = vec![port("/dev/ttyACM0", Some("A"), 0), port("/dev/ttyACM1", Some("A"), 2)];
    let scan = Scan { probes: vec![probe(Some("A"), "1-1")], ports };
    let proposal = propose(&scan);
    assert!(proposal.text.contains("# port: \"usb:0483:374b,serial=A,interface=2\""), "{}", proposal.text);
    assert_eq!(units(&proposal, &boards(), "nucleo")[0].port, None);
}

#[test]
fn a_probe_that_may_not_be_opened_is_told_with_its_udev_rule() {
    let scan =
        Scan { probes: vec![Candidate { accessible: false, ..probe(Some("A"), "1-1") }], ports: Vec::new() };
    let proposal = propose(&scan);
    assert!(proposal.troubles[0].contains("ATTRS{idVendor}==\"0483\", ATTRS{idProduct}==\"374b\""));
    assert!(proposal.troubles[0].contains("69-hilarm.rules"));
}

#[test]
fn what_the_file_has_already_is_marked_and_what_it_names_in_vain_is_told() {
    let text = "boards:\n  nucleo:\n  - probe_serial: A\n  - probe_serial: Z\n  nordic:\n  - port: /dev/x\n";
    let local = LocalBoards::parse(Path::new(LOCAL_FILE), text, &boards()).unwrap();
    let scan = Scan { probes: vec![probe(Some("A"), "1-1"), probe(Some("B"), "1-2")], ports: Vec::new() };
    let proposal = scan.proposal(&boards(), &local);
    let marked: Vec<_> = proposal.text.lines().filter(|line| line.contains("has it already")).collect();
    assert!(marked.len() == 1 && marked[0].contains("serial A"), "{}", proposal.text);
    let [absent] = &proposal.troubles[..] else { panic!("{:?}", proposal.troubles) };
    assert!(absent.contains("nucleo with probe *:* serial Z, which is not plugged in"), "{absent}");
}

#[test]
fn a_probe_that_no_board_file_wants_is_shown_all_the_same() {
    let scan = Scan { probes: vec![Candidate { vid: 0x2e8a, ..probe(Some("A"), "1-1") }], ports: Vec::new() };
    let proposal = propose(&scan);
    assert!(proposal.text.contains("no board file wants a probe 2e8a:374b"), "{}", proposal.text);
    assert_eq!(units(&proposal, &boards(), "nucleo"), [LocalUnit::default()]);
}

#[test]
fn with_nothing_plugged_in_each_board_s_rule_is_among_what_to_check() {
    assert!(Scan::default().is_empty());
    let checks = Scan::what_to_check(&boards()).join("\n");
    assert!(checks.contains("lsusb") && checks.contains("ATTRS{idVendor}==\"1366\", MODE"), "{checks}");
}

#[test]
fn this_machine_can_be_asked() {
    Scan::new().unwrap().proposal(&boards(), &LocalBoards::default());
}
