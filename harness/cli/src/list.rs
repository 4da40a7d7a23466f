//! `hilarm list`.

use std::path::PathBuf;

use crate::SPEC_ERROR;
use crate::project::Project;

pub(crate) fn list(project: &Project, paths: &[PathBuf]) -> anyhow::Result<u8> {
    let mut wrong = false;
    for file in project.read_scenarios(paths)? {
        match &file.parsed {
            Ok(parsed) => {
                let detects = parsed.scenario.detects.join(", ");
                let detects = if detects.is_empty() { "no alert" } else { &detects };
                println!("{:<34} {:<26} {}", file.id, detects, parsed.scenario.name);
            }
            Err(_) => {
                wrong = true;
                println!("{:<34} {:<26} see `hilarm lint {}`", file.id, "(wrong)", file.path.display());
            }
        }
    }
    Ok(if wrong { SPEC_ERROR } else { 0 })
}
