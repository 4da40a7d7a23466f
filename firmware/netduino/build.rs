//! Hands this board's memory layout to cortex-m-rt's linker script, which includes `memory.x`.

use std::env;
use std::fs;
use std::path::PathBuf;

const LAYOUT: &str = "netduinoplus2.x";

fn main() {
    // Not kept as `memory.x` beside Cargo.toml: the linker would prefer that file for every board.
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::copy(LAYOUT, out.join("memory.x")).expect("the layout can be copied to OUT_DIR");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed={LAYOUT}");
    println!("cargo:rerun-if-changed=build.rs");
}
