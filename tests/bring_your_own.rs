//! Firmware that hilarm did not write and that knows nothing of it: the example in C, in its builds without a link. It
//! lives at its own pace, takes its address by DHCP and the date by SNTP. `tests/scenarios.rs` has the build with a
//! link. Whatever needs a link is skipped and counted as such; so is everything where the images are missing, but in
//! CI that is a failure.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use hilarm_board::{Board, Elf, IdentityFormat, IdentitySpec, identity_text};
use hilarm_link::{AgentConfig, Credential, DeviceConfig, NetworkConfig, SasCredential};
use hilarm_runner::report::{Human, failure_text};
use hilarm_runner::{Pool, RunResult, Snapshots, Trial, TrialResult, Verdict, lacking};
use hilarm_scenario::ScenarioFile;
use hilarm_tests::{boards_of, firmware, in_ci, root, scenarios, scenarios_of};
use hilarm_tls::CertificateAuthority;
use libtest_mimic::{Arguments, Failed, Trial as TestCase};
use object::{Object, ObjectSection};

const PROJECT: &str = "firmware/examples/c-lwip";
/// The board whose firmware signs one token only.
const FLAWED: &str = "never-renews";
/// The same firmware without that flaw.
const SOUND_IMAGE: &str = "target/firmware/c-lwip/c-lwip.elf";
/// Devices here wait for the wall clock, and hardly compute.
const AT_ONCE: usize = 8;

/// A device connects and is heard of, and nothing else.
const HEARD_OF: &str = "schema: 1
name: A device connects and sends telemetry
seed: 3
devices: { pump-1: { auth: { sas: { ttl: 1h } } } }
steps:
  - connect: { device: pump-1 }
  - wait_for: { event: { telemetry_received: { device: pump-1 } }, within: 10s }
proof: [{ event: { telemetry_received: { device: pump-1 } } }]
expect: { alerts: [] }
";

type Question = fn(&Board, &Elf) -> Result<(), Failed>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let board = boards_of(&root().join(PROJECT)).into_iter().find(|board| board.id == FLAWED).unwrap();
    let elf = firmware(&board).map(|elf| elf.expect("the board boots an image"));
    let mut cases = Vec::new();
    for (project, files) in
        [(root().join(PROJECT), scenarios_of(&root().join(PROJECT))), (root(), scenarios())]
    {
        let snapshots = Snapshots::new(&project.join("scenarios/snapshots"), &project.join(".hilarm"));
        let snapshots = Arc::new(snapshots.expect("a folder for insta's configuration"));
        cases.extend(files.into_iter().map(|file| scenario_case(file, &board, &elf, &snapshots)));
    }
    let questions: [(&str, Question); 4] = [
        ("firmware_that_renews_its_token_is_not_blamed", sound_firmware_is_not_blamed),
        ("an_identity_may_be_written_to_an_address", by_address),
        ("an_identity_may_be_built_in", built_in),
        ("the_date_comes_by_sntp_and_the_console_is_in_the_journal", journal_tells),
    ];
    for (name, ask) in questions {
        let board = board.clone();
        cases.push(case(name.to_owned(), None, &elf, move |elf| ask(&board, elf)));
    }
    libtest_mimic::run(&arguments, cases).exit_code()
}

fn scenario_case(
    file: ScenarioFile,
    board: &Board,
    elf: &Result<Elf, String>,
    snapshots: &Arc<Snapshots>,
) -> TestCase {
    let (board, snapshots) = (board.clone(), Arc::clone(snapshots));
    let name = format!("{}::{}", board.id, file.id);
    let reason = lacking(&file.scenario, &board);
    case(name, reason, elf, move |elf| {
        let runs = Trial { snapshots: Some(&snapshots), ..trial(&file, &board, elf, &Pool::default()) }.run();
        // A control that only granted time can place is skipped, and says so.
        must_pass(&file, runs, |run| matches!(run.verdict, Verdict::Pass | Verdict::Skipped))
    })
}

fn case(
    name: String,
    lacking: Option<String>,
    elf: &Result<Elf, String>,
    ask: impl FnOnce(&Elf) -> Result<(), Failed> + Send + 'static,
) -> TestCase {
    let elf = elf.clone();
    let reason = lacking.or_else(|| elf.clone().err().filter(|_| !in_ci()));
    if let Some(reason) = &reason {
        eprintln!("{name} is ignored: {reason}");
    }
    TestCase::test(name, move || ask(&elf?)).with_ignored_flag(reason.is_some())
}

fn trial<'a>(file: &'a ScenarioFile, board: &'a Board, elf: &'a Elf, pool: &'a Pool) -> Trial<'a> {
    Trial { file, board, elf: Some(elf), seed: None, folder: None, snapshots: None, pool }
}

fn must_pass(
    file: &ScenarioFile,
    runs: Vec<RunResult>,
    good: impl Fn(&RunResult) -> bool,
) -> Result<(), Failed> {
    if runs.first().is_some_and(|main| main.verdict == Verdict::Pass) && runs.iter().all(good) {
        return Ok(());
    }
    let result = TrialResult { number: 0, runs, options: format!(" --project {PROJECT}") };
    Err(Failed::from(failure_text(Human { colour: false }, &result, Some(file))))
}

fn heard_of(board: &Board, elf: &Elf, folder: Option<PathBuf>) -> Result<Option<PathBuf>, Failed> {
    let file = hilarm_runner::read_scenario("heard-of", Path::new("heard-of.yaml"), HEARD_OF);
    let file = file.map_err(|errors| errors.to_string())?;
    let runs = Trial { folder, ..trial(&file, board, elf, &Pool::default()) }.run();
    let journal = runs.first().and_then(|main| main.folder.clone());
    must_pass(&file, runs, |run| run.verdict == Verdict::Pass)?;
    Ok(journal)
}

/// The attack is the calendar's, so firmware without the flaw gives it no hold: nothing fires, and the scenario says
/// that it has proven nothing.
fn sound_firmware_is_not_blamed(board: &Board, _: &Elf) -> Result<(), Failed> {
    let elf = Elf::open(&root().join(SOUND_IMAGE), "")?;
    let files = scenarios_of(&root().join(PROJECT));
    let file = files.iter().find(|file| file.id == "token-outlives-its-expiry").ok_or("no such scenario")?;
    let runs = trial(file, board, &elf, &Pool::default()).run();
    let main = runs.first().ok_or("it did not run")?;
    if main.alerts.is_empty() && main.findings.iter().any(|finding| finding.message.contains("seen 0 of 1")) {
        return Ok(());
    }
    Err(format!("{}: {:?}, {:?}", main.verdict.as_str(), main.alerts, main.findings).into())
}

fn by_address(board: &Board, elf: &Elf) -> Result<(), Failed> {
    let address = elf.symbol("hilarm_identity").ok_or("the example has lost its symbol")?;
    let identity = IdentitySpec { address: Some(address), ..IdentitySpec::default() };
    heard_of(&Board { identity: Some(identity), ..board.clone() }, elf, None).map(drop)
}

/// A factory's way: device, key and authority are in the image, and the board's file names what they are.
fn built_in(board: &Board, elf: &Elf) -> Result<(), Failed> {
    const HOST: &str = "iot.example.net";
    let folder = tempfile::tempdir()?;
    let authority = CertificateAuthority::from_seed([7; 32], "mine")?;
    std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
    std::fs::write(folder.path().join("ca.key"), authority.key_pem()?)?;
    let mut bytes = std::fs::read(elf.path())?;
    let image = object::File::parse(&*bytes)?;
    let section = image.section_by_name(".built_in").ok_or("the example has lost its section")?;
    let (at, room) = section.file_range().ok_or("the section is not in the file")?;
    let text = identity_text(&provisioned(HOST, authority.certificate_der()));
    let at = usize::try_from(at)?;
    assert!(text.len() as u64 <= room, "{} bytes for {room}", text.len());
    bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
    let path = folder.path().join("provisioned.elf");
    std::fs::write(&path, bytes)?;
    let yaml = format!(
        "{{ provisioned: {{ device_id: pump-1, key: BwcHBwcHBwcHBwcHBwcHBw== }}, hub_host: {HOST}, ca: {} }}",
        folder.path().display()
    );
    let identity: IdentitySpec = serde_yaml::from_str(&yaml)?;
    assert_eq!(identity.format, IdentityFormat::Text, "nothing is written");
    heard_of(&Board { identity: Some(identity), ..board.clone() }, &Elf::open(&path, "")?, None).map(drop)
}

fn provisioned(host: &str, authority: &[u8]) -> DeviceConfig {
    DeviceConfig {
        seed: 1,
        device_id: "pump-1".to_owned(),
        hub_host: host.to_owned(),
        hub_port: 8883,
        credential: Credential::Sas(SasCredential { key: vec![7; 16], ttl_s: 3600 }),
        modules: Vec::new(),
        ca_certificate: authority.to_vec(),
        network: NetworkConfig {
            mac: [2, 0, 0, 0, 0, 9],
            address: [10, 42, 0, 9],
            prefix_len: 24,
            gateway: [10, 42, 0, 1],
            dns: [10, 77, 0, 53],
        },
        keep_alive_s: 240,
        agent: AgentConfig::default(),
    }
}

fn journal_tells(board: &Board, elf: &Elf) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let run = heard_of(board, elf, Some(folder.path().to_owned()))?.ok_or("the run left nothing behind")?;
    let journal = std::fs::read_to_string(run.join("journal.jsonl"))?;
    for fact in ["time_told", "name_resolved", "booted, waiting for an address", elf.sha256()] {
        if !journal.contains(fact) {
            return Err(format!("its journal does not tell of `{fact}`").into());
        }
    }
    Ok(())
}
