//! The arguments.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand};
use hilarm_board::{LOCAL_EXAMPLE, LOCAL_FILE};

/// Hardware-in-the-loop security tests for IoT devices: real firmware, a local IoT Hub, and the Defender
/// alerts that follow.
#[derive(Debug, Parser)]
// Lines end where they were written to end: an example of a file in a help text is one to be copied.
#[command(name = "hilarm", version, term_width = 0)]
pub(crate) struct Arguments {
    /// Folder with `boards/` and `scenarios/`; found upwards from here when absent.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios with their controls.
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// List scenarios and what they provoke.
    List(PathArgs),
    /// Check scenario files without running them.
    Lint(PathArgs),
    /// Look at pending snapshots and accept or reject them.
    Review(ReviewArgs),
    /// Judge a recorded journal again, without running anything.
    Replay(ReplayArgs),
    /// Tell which rows of the catalogue a run has shown to fire, from its journals; fail if one lost coverage.
    #[command(after_help = COVERAGE_EXIT_CODES)]
    Coverage(CoverageArgs),
    /// Change each rule and each check of the hub in turn, and tell which changes no scenario notices.
    #[command(after_help = MUTATE_EXIT_CODES)]
    Mutate(MutateArgs),
    /// Serve the IoT Hub on a loopback address for any client.
    Hub(HubArgs),
    /// A certificate authority that persists, for firmware that has one built in.
    #[command(subcommand)]
    Ca(CaCommand),
    /// Boards: which there are, what is plugged in, and whether they work.
    #[command(subcommand, after_long_help = LOCAL_FILE_HELP.as_str())]
    Boards(BoardsCommand),
}

const EXIT_CODES: &str = "Exit codes:\n  \
    0  every scenario passed\n  \
    1  a scenario failed, is unproven, or is flaky\n  \
    2  a scenario or board file is wrong\n  \
    3  the harness, the emulator or the firmware failed\n  \
    4  nothing ran\n  \
    130  interrupted before all had run, and nothing failed until then";

const COVERAGE_EXIT_CODES: &str = "Exit codes:\n  \
    0  the run shows what scenarios/COVERAGE.md says of its boards and scenarios\n  \
    1  a row lost coverage\n  \
    2  there is no run, or it is of another commit than the one checked out";

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Scenario files or folders; all of `scenarios/` when absent.
    pub(crate) paths: Vec<PathBuf>,
    /// Board to run on; may be given more than once. All that can be had when absent.
    #[arg(long = "board", value_name = "ID")]
    pub(crate) boards: Vec<String>,
    /// Firmware image in place of the built one.
    #[arg(long, value_name = "FILE")]
    pub(crate) elf: Option<PathBuf>,
    /// Seed in place of each scenario's own.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Security group as Azure's JSON, in the place of the one of its name in every scenario; may be given
    /// more than once.
    #[arg(long = "security-group", value_name = "FILE")]
    pub(crate) security_groups: Vec<PathBuf>,
    /// Run each trial this often; any difference is `flaky`.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// Trials at once; the number of cores when absent.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Write JSON lines to a file, or `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write JUnit XML to a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PathArgs {
    /// Scenario files or folders; all of `scenarios/` when absent.
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// Accept all without asking.
    #[arg(long, conflicts_with = "reject")]
    pub(crate) accept: bool,
    /// Reject all without asking.
    #[arg(long)]
    pub(crate) reject: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A `journal.jsonl` of an earlier run.
    pub(crate) journal: PathBuf,
    /// In place of judging it: what Defender would have written, one JSON object a line.
    #[arg(long = "as", value_name = "SHAPE", value_enum)]
    pub(crate) shape: Option<Shape>,
}

/// Shapes of what Defender writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// Log Analytics: SecurityAlert.
    SecurityAlert,
    /// Log Analytics: SecurityRecommendation.
    SecurityRecommendation,
    /// Log Analytics: SecurityIoTRawEvent, what agents reported.
    RawEvent,
    /// Azure Resource Manager: Microsoft.Security/Locations/alerts.
    Arm,
    /// OCSF: Detection and Compliance Findings.
    Ocsf,
}

#[derive(Debug, Args)]
pub(crate) struct CoverageArgs {
    /// One JSON object a row, one a line.
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) json: bool,
    /// The text of scenarios/COVERAGE.md.
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Folder of the run; the newest under `.hilarm/runs` when absent, which must be of the commit checked out.
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
}

const MUTATE_EXIT_CODES: &str = "Exit codes:\n  \
    0  each change was noticed by some scenario, or is none for the reason given\n  \
    1  a change survived, or a scenario does not pass as it is\n  \
    2  a scenario or board file is wrong\n  \
    4  there is no scenario";

#[derive(Debug, Args)]
pub(crate) struct MutateArgs {
    /// Scenario files or folders; all of `scenarios/` when absent.
    pub(crate) paths: Vec<PathBuf>,
    /// Tell of every mutant which scenario noticed it.
    #[arg(long)]
    pub(crate) all: bool,
    /// Mutants at once; the number of cores when absent.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct HubArgs {
    /// Loopback address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) address: IpAddr,
    /// Listen on an address that others can reach: for containers, whose network is their own.
    #[arg(long)]
    pub(crate) expose: bool,
    /// Name that devices know the hub by; its certificate says it too.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub(crate) host: String,
    /// Only ask the hub that runs with this state, address and port whether it serves: exit code 0 if so.
    #[arg(long)]
    pub(crate) check: bool,
    /// Port of MQTT over TLS; SDKs expect 8883.
    #[arg(long, value_name = "PORT", alias = "port", default_value_t = 8883)]
    pub(crate) mqtt_port: u16,
    /// Port of HTTPS and of the blob store; SDKs expect 443, which is taken when absent and permitted.
    #[arg(long, value_name = "PORT")]
    pub(crate) https_port: Option<u16>,
    /// Device to register with generated keys; may be given more than once.
    #[arg(long = "device", value_name = "ID", default_values_t = ["device-1".to_owned()])]
    pub(crate) devices: Vec<String>,
    /// Security group as Azure's JSON; may be given more than once. Devices are of the group `default`.
    #[arg(long = "security-group", value_name = "FILE")]
    pub(crate) security_groups: Vec<PathBuf>,
    /// Folder for the certificate authority and keys, kept between runs.
    #[arg(long, value_name = "DIR", default_value = ".hilarm/hub")]
    pub(crate) state: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BoardsCommand {
    /// List boards and whether each can be used here.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Look at what is plugged in, and propose a text for `boards.local.yaml`. It never writes the file.
    #[command(after_help = SCAN_EXIT_CODES)]
    Scan,
    /// Have boards boot, answer over their link, and do so again after a reset.
    #[command(after_help = CHECK_EXIT_CODES)]
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Boards to check; every board that works here when absent.
    pub(crate) ids: Vec<String>,
    /// Write what was shown to `boards/evidence/<id>.json`.
    #[arg(long)]
    pub(crate) attest: bool,
    /// One JSON object a board, one a line.
    #[arg(long)]
    pub(crate) json: bool,
}

const SCAN_EXIT_CODES: &str = "Exit codes:\n  \
    0  something is plugged in\n  \
    2  a board file or boards.local.yaml is wrong\n  \
    4  nothing is plugged in";

const CHECK_EXIT_CODES: &str = "Exit codes:\n  \
    0  every board that was checked works\n  \
    2  a board file or boards.local.yaml is wrong, or a board that was named does not exist\n  \
    3  a board does not work, or one that was named cannot be used here\n  \
    4  nothing was checked";

/// The one place where the file of what is plugged in is described.
static LOCAL_FILE_HELP: LazyLock<String> = LazyLock::new(|| {
    let example = LOCAL_EXAMPLE.trim_end().replace('\n', "\n  ");
    format!(
        "{LOCAL_FILE}, beside `boards/`, says which of the things plugged in is which board. It is needed when a \
         choice would have to be guessed, for a power hook, and for more than one board of a kind:\n\n  {example}"
    )
});

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make the authority and the hub's certificates; what is there stays.
    Init {
        #[command(flatten)]
        folder: CaFolder,
        /// Name that the firmware knows the hub by; may be given more than once.
        #[arg(long = "host", value_name = "NAME", default_values_t = ["hub.hilarm.test".to_owned()])]
        hosts: Vec<String>,
    },
    /// Tell what is there, without secrets.
    Show {
        #[command(flatten)]
        folder: CaFolder,
    },
    /// Write the authority's certificate to standard output, for building it into a firmware.
    Export {
        #[command(flatten)]
        folder: CaFolder,
        /// In which form.
        #[arg(long, value_enum, default_value_t = CaForm::Pem)]
        form: CaForm,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CaFolder {
    /// Folder of the authority; `hilarm hub --state` and `identity: { ca: ... }` of board files take the same.
    #[arg(long, value_name = "DIR", default_value = ".hilarm/ca")]
    pub(crate) state: PathBuf,
}

/// Forms of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CaForm {
    /// Base64 between its marks.
    Pem,
    /// Bytes.
    Der,
    /// An array of C.
    C,
}
