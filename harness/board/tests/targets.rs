//! The image of each target, those for silicon included: none has lost a behaviour to the linker, each holds what
//! a debug probe looks for, and each fits the boards that boot it. One trial for each target and question: an
//! image that is missing is skipped and counted as such, and in CI it is a failure.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hilarm_board::{Backend, Board};
use libtest_mimic::{Arguments, Failed, Trial};
use object::{Object, ObjectSegment, ObjectSymbol};

/// What a debug probe finds by name: logs, and the sign of life.
const FOR_THE_PROBE: [&str; 2] = ["_SEGGER_RTT", "HILARM_HEARTBEAT"];
/// What asks the chip's own generator for every seed, and what stretches the seed of a configuration.
/// Compilers differ in how they spell it.
const HARDWARE_SEEDS: [&str; 2] =
    ["hilarm_device..rng..HardwareSeeds$LT$Fill$GT$$u20$as", "13hilarm_device3rng13HardwareSeeds"];
const CONFIGURED_SEEDS: [&str; 2] = ["hilarm_device..rng..Seeds$u20$as", "13hilarm_device3rng5Seeds"];

type Question = fn(&Target, &Image) -> Result<(), Failed>;

const QUESTIONS: [(&str, Question); 4] = [
    ("holds_every_behaviour", holds_every_behaviour),
    ("holds_what_a_probe_looks_for", holds_what_a_probe_looks_for),
    ("draws_its_seeds_where_it_should", draws_its_seeds_where_it_should),
    ("leaves_room_for_the_configuration", leaves_room_for_the_configuration),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let boards = Board::list(&root().join("boards")).unwrap();
    let names = std::fs::read_dir(root().join("firmware/targets")).unwrap();
    let names = names.map(|target| target.unwrap().file_name().into_string().unwrap());
    let targets: Vec<Target> = names.map(|name| Target::new(name, &boards)).collect();
    let mut trials = vec![Trial::test("every_target_is_a_boards", {
        let targets = targets.clone();
        move || every_target_is_a_boards(&targets)
    })];
    for target in targets {
        for (name, question) in QUESTIONS {
            let (label, target) = (format!("{}::{name}", target.name), target.clone());
            let skipped = target.image.is_none() && std::env::var_os("CI").is_none();
            let ask = move || question(&target, &target.read()?);
            trials.push(Trial::test(label, ask).with_ignored_flag(skipped));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder below `firmware/targets`, the boards that boot it, and its image if it has been built.
#[derive(Clone)]
struct Target {
    name: String,
    boards: Vec<Board>,
    image: Option<PathBuf>,
}

impl Target {
    fn new(name: String, boards: &[Board]) -> Self {
        let boots = |board: &&Board| board.firmware.as_ref().is_some_and(|firmware| firmware.target == name);
        let boards: Vec<Board> = boards.iter().filter(boots).cloned().collect();
        let built = root().join("target/firmware");
        let firmware = boards.first().and_then(|board| board.firmware.as_ref());
        let image = firmware.map(|firmware| firmware.image(&built)).filter(|path| path.is_file());
        Self { name, boards, image }
    }

    fn read(&self) -> Result<Image, Failed> {
        let missing = || format!("no image of {}: `cargo xtask firmware` builds it", self.name);
        let bytes = std::fs::read(self.image.as_ref().ok_or_else(missing)?)?;
        let file = object::File::parse(&*bytes)?;
        let named = file.symbols().filter(|symbol| !symbol.is_undefined());
        let symbols = named.map(|symbol| Ok((symbol.name()?.to_owned(), symbol.address())));
        let symbols = symbols.collect::<object::Result<_>>()?;
        let segments = file.segments().map(|segment| (segment.address(), segment.size())).collect();
        Ok(Image { symbols, segments })
    }

    fn is_silicon(&self) -> bool {
        self.boards.iter().all(|board| board.backend == Backend::Probe && board.emulator.is_none())
    }
}

/// What an image tells of itself.
struct Image {
    symbols: BTreeSet<(String, u64)>,
    /// Address and size of what it takes of memory.
    segments: Vec<(u64, u64)>,
}

impl Image {
    fn has(&self, part: &str) -> bool {
        self.symbols.iter().any(|(name, _)| name.contains(part))
    }

    fn address(&self, name: &str) -> Result<u64, Failed> {
        let found = self.symbols.iter().find(|(symbol, _)| symbol == name);
        found.map(|(_, address)| *address).ok_or_else(|| format!("it lacks {name}").into())
    }
}

fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

fn every_target_is_a_boards(targets: &[Target]) -> Result<(), Failed> {
    let orphans: Vec<&str> =
        targets.iter().filter(|target| target.boards.is_empty()).map(|target| target.name.as_str()).collect();
    must(orphans.is_empty(), || format!("no board file boots {orphans:?}"))?;
    let silicon = targets.iter().filter(|target| target.is_silicon()).count();
    must(silicon >= 2 && silicon < targets.len(), || {
        format!("{silicon} of {} are for silicon", targets.len())
    })
}

fn holds_every_behaviour(_: &Target, image: &Image) -> Result<(), Failed> {
    let behaviours = hilarm_agent::behaviours::all();
    must(behaviours.len() >= 19, || format!("the agent has {} behaviours only", behaviours.len()))?;
    let lost: Vec<&str> = behaviours
        .iter()
        .map(|behaviour| behaviour.name)
        .filter(|name| {
            // As compilers spell a path in a symbol: each part behind its length.
            let module = name.replace('-', "_");
            !image.has(&format!("10behaviours{}{module}", module.len()))
        })
        .collect();
    must(lost.is_empty(), || format!("it lacks {lost:?}"))
}

fn holds_what_a_probe_looks_for(_: &Target, image: &Image) -> Result<(), Failed> {
    FOR_THE_PROBE.iter().try_for_each(|name| image.address(name).map(|_| ()))
}

/// A seed that anybody can know is for emulators alone, where runs must repeat.
fn draws_its_seeds_where_it_should(target: &Target, image: &Image) -> Result<(), Failed> {
    let has = |spellings: [&str; 2]| spellings.iter().any(|spelling| image.has(spelling));
    let found = (has(HARDWARE_SEEDS), has(CONFIGURED_SEEDS));
    let expected = (target.is_silicon(), !target.is_silicon());
    must(found == expected, || {
        format!("(generator of the chip, seed of the configuration) is {found:?}, not {expected:?}")
    })
}

/// Whatever writes the configuration before the first instruction must hit neither what the image brings along
/// nor its stack and heap.
fn leaves_room_for_the_configuration(target: &Target, image: &Image) -> Result<(), Failed> {
    let (ram, ram_end) = (image.address("__sdata")?, image.address("_stack_start")?);
    for board in &target.boards {
        let probe = board.probe.as_ref().map(|probe| probe.config_address);
        let at = probe.or(board.qemu.as_ref().and_then(|qemu| qemu.config_address));
        let at = at.ok_or_else(|| format!("{} says nowhere to write it", board.id))?;
        let taken = |(start, size): &(u64, u64)| (*start..start + size).contains(&at);
        let free = !image.segments.iter().any(taken) && !(ram..ram_end).contains(&at);
        must(free, || format!("{} has it at {at:#x}, which the firmware uses", board.id))?;
    }
    Ok(())
}
