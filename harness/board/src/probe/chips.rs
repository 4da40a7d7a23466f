//! Descriptions of chips: the emulated ones always, the real ones of probe-rs under feature `hardware`.

use probe_rs::Target;
use probe_rs::config::Registry;

use super::ProbeError;

const EMULATED: &str = include_str!("emulated.yaml");

/// Why a chip may be missing here.
const HINT: &str = if cfg!(feature = "hardware") {
    ""
} else {
    "; real chips need a hilarm built with `--features hardware`"
};

/// The description of a chip.
pub(super) fn target(chip: &str) -> Result<Target, ProbeError> {
    let unknown = || ProbeError::UnknownChip { chip: chip.to_owned(), hint: HINT };
    let mut registry =
        if cfg!(feature = "hardware") { Registry::from_builtin_families() } else { Registry::new() };
    registry.add_target_family_from_yaml(EMULATED).map_err(|_| unknown())?;
    registry.get_target_by_name(chip).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_emulated_chip_has_one_core_and_memory() {
        for chip in ["mps2-an385", "mps2-an505", "netduinoplus2"] {
            let target = target(chip).unwrap();
            assert_eq!(target.cores.len(), 1, "{chip}");
            assert!(target.memory_map.iter().any(|region| region.as_ram_region().is_some()), "{chip}");
        }
    }

    #[test]
    fn an_unknown_chip_is_named() {
        let error = target("no-such-chip").unwrap_err().to_string();
        assert!(error.contains("`no-such-chip`"), "{error}");
    }
}
