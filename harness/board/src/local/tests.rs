use super::*;

fn boards() -> Vec<Board> {
    let probe = |id: &str, more: &str| {
        let text = format!(
            "schema: 1\nname: x\nbackend: probe\ncapabilities: []\nprobe: {{ config_address: 0 }}\n\
             firmware: {{ triple: x, target: x }}\n{more}"
        );
        Board::parse(id, &text).unwrap()
    };
    let emulator = "emulator: { machine: x, min_version: \"7.2\", core: armv7m }\n";
    let sim = Board::parse("sim", "schema: 1\nname: x\nbackend: sim\ncapabilities: []\n").unwrap();
    vec![probe("nucleo-f429zi", ""), probe("nrf52840-dk", ""), probe("qemu-probe", emulator), sim]
}

fn read(text: &str) -> Result<LocalBoards, LocalErrors> {
    LocalBoards::parse(Path::new(LOCAL_FILE), text, &boards())
}

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let error = read(text).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "no `{word}` in\n{error}");
    }
}

#[test]
fn the_example_is_sound_and_a_desk_with_two_boards_of_one_kind_has_two_units() {
    let local = read(LOCAL_EXAMPLE).unwrap();
    let units = local.units("nucleo-f429zi");
    assert_eq!(units[0].probe_serial.as_deref(), Some("066DFF525254888367"));
    assert_eq!(units[1].power[0], "uhubctl");
    assert_eq!(units[1].usb_path.as_deref(), Some("1-4.2"));
    assert_eq!(local.named().map(|(id, _)| id).collect::<Vec<_>>(), ["nucleo-f429zi"; 2]);
}

#[test]
fn without_a_file_or_with_an_empty_one_there_may_be_one_board_of_each_kind() {
    let project = tempfile::tempdir().unwrap();
    let local = LocalBoards::read(project.path(), &boards()).unwrap();
    assert_eq!(local.units("nucleo-f429zi"), [LocalUnit::default()]);
    for nothing in ["# nothing yet\n", "boards:\n  # nothing yet\n", "boards:\n  nucleo-f429zi:\n    # yet\n"]
    {
        assert_eq!(read(nothing).unwrap().named().count(), 0, "{nothing}");
    }
}

#[test]
fn a_serial_number_of_digits_stays_as_it_is_written() {
    let local = read("boards:\n  nrf52840-dk:\n  - probe_serial: 000683001234\n").unwrap();
    assert_eq!(local.units("nrf52840-dk")[0].probe_serial.as_deref(), Some("000683001234"));
}

#[test]
fn a_misspelt_key_is_underlined_with_what_was_meant() {
    let error = read("boards:\n  nucleo-f429zi:\n  - { probe_serail: A }\n").unwrap_err().to_string();
    let expected = "1 error in boards.local.yaml\n\n\
        error: unknown key `probe_serail`\n \
        --> boards.local.yaml:3:7\n  |\n\
        3 |   - { probe_serail: A }\n  |       ^^^^^^^^^^^^\n  \
        = help: did you mean `probe_serial`?";
    assert_eq!(error, expected);
}

#[test]
fn every_error_of_a_file_is_told_at_once() {
    refused(
        "boards:\n  nucleo-f429z:\n  - port: ttyACM0\n  sim:\n  - { power: uhubctl }\nboard: {}\n",
        &[
            "4 errors",
            "unknown board `nucleo-f429z`",
            "did you mean `nucleo-f429zi`?",
            "`ttyACM0` is no serial line",
            "boards.local.yaml:3:11",
            "board `sim` is nothing that is plugged in",
            "a command is a list of words",
            "unknown key `board`",
        ][1..],
    );
}

#[test]
fn a_board_in_qemu_needs_no_entry() {
    refused("boards:\n  qemu-probe: []\n", &["nothing that is plugged in", "boards.local.yaml:2:3"]);
}

#[test]
fn one_probe_is_not_two_units() {
    let twice = "boards:\n  nucleo-f429zi:\n  - probe_serial: A\n  - probe_serial: A\n";
    refused(twice, &["`probe_serial: A` is another unit's, in line 3", ":4:19"]);
    let ports = "boards:\n  nucleo-f429zi:\n  - port: /dev/a\n  nrf52840-dk:\n  - port: /dev/a\n";
    refused(ports, &["`port: /dev/a` is another unit's, in line 3"]);
}

#[test]
fn what_is_no_list_no_text_or_no_yaml_is_told_with_its_place() {
    refused("boards:\n  nucleo-f429zi: { port: /dev/a }\n", &["expected a list, found a map", ":2:18"]);
    refused("boards:\n  nucleo-f429zi:\n  - port:\n", &["expected a text, found nothing"]);
    refused("boards: [\n", &["boards.local.yaml:"]);
    refused("- a\n", &["expected `boards:` with boards below, found a list"]);
    refused("boards: {}\nboards: {}\n", &["`boards` a second time", ":2:1"]);
    refused("a: &x 1\nboards: *x\n", &["an alias", "write it out"]);
    refused("boards: {}\n---\nboards: {}\n", &["a second document"]);
}

#[test]
fn no_text_makes_it_panic() {
    let all = format!("{LOCAL_EXAMPLE}\u{fc}\t[&*:{{\r\n");
    for (at, _) in all.char_indices() {
        // Any answer will do.
        let _ = read(&all[..at]);
        let _ = read(&all[at..]).map_err(|error| error.to_string());
    }
    let _ = read(&"[".repeat(10_000)).map_err(|error| error.to_string());
}
