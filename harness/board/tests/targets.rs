//! The images of all targets, those for silicon included: none of them has lost a behaviour to the linker, and
//! each holds what a debug probe looks for. In CI a missing image fails; elsewhere it is passed over, aloud.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSymbol};

/// What a debug probe finds by name: logs, and the sign of life.
const FOR_THE_PROBE: [&str; 2] = ["_SEGGER_RTT", "HILARM_HEARTBEAT"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The image of every folder below `firmware/targets` that has been built, with its target's name.
fn images() -> Vec<(String, PathBuf)> {
    let mut images = Vec::new();
    for target in std::fs::read_dir(root().join("firmware/targets")).unwrap() {
        let name = target.unwrap().file_name().into_string().unwrap();
        let triples = std::fs::read_dir(root().join("target/firmware")).into_iter().flatten().flatten();
        let image =
            triples.map(|triple| triple.path().join("release").join(&name)).find(|path| path.is_file());
        match image {
            Some(image) => images.push((name, image)),
            None => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "no image of {name}: `cargo xtask firmware` builds it"
                );
                eprintln!("{name} is passed over: `cargo xtask firmware` builds it");
            }
        }
    }
    images
}

fn symbols(image: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(image).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let named = file.symbols().filter(|symbol| symbol.is_definition());
    named.map(|symbol| symbol.name().unwrap().to_owned()).collect()
}

#[test]
fn every_image_holds_every_behaviour() {
    let behaviours: Vec<&str> =
        hilarm_agent::behaviours::all().iter().map(|behaviour| behaviour.name).collect();
    assert!(behaviours.len() >= 19, "{behaviours:?}");
    for (target, image) in images() {
        let symbols = symbols(&image);
        for behaviour in &behaviours {
            // As compilers spell a path in a symbol: each part behind its length.
            let module = behaviour.replace('-', "_");
            let part = format!("10behaviours{}{module}", module.len());
            assert!(symbols.iter().any(|symbol| symbol.contains(&part)), "{target} lacks {behaviour}");
        }
    }
}

#[test]
fn every_image_holds_what_a_probe_looks_for() {
    for (target, image) in images() {
        let symbols = symbols(&image);
        for name in FOR_THE_PROBE {
            assert!(symbols.contains(name), "{target} lacks {name}");
        }
    }
}
