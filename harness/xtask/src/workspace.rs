//! Where things are in the checkout.

use std::path::PathBuf;

/// The root of the checkout: this crate lives two levels below it.
pub(crate) fn root() -> PathBuf {
    let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    crate_folder.ancestors().nth(2).map_or_else(|| crate_folder.clone(), PathBuf::from)
}

/// The firmware's own workspace.
pub(crate) fn firmware() -> PathBuf {
    root().join("firmware")
}

/// The host's build folder; cargo's own variable moves it.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}
