//! `hilarm list`.

use std::path::PathBuf;

use crate::SPEC_ERROR;
use crate::project::Project;
use crate::say;

pub(crate) fn list(project: &Project, paths: &[PathBuf]) -> anyhow::Result<u8> {
    let mut wrong = false;
    for file in project.read_scenarios(paths)? {
        match &file.parsed {
            Ok(parsed) => {
                let detects = parsed.scenario.detects.join(", ");
                let detects = if detects.is_empty() { "no alert" } else { &detects };
                say::out(format_args!("{:<34} {:<26} {}", file.id, detects, parsed.scenario.name));
            }
            Err(_) => {
                wrong = true;
                let path = file.path.display();
                say::out(format_args!("{:<34} {:<26} see `hilarm lint {path}`", file.id, "(wrong)"));
            }
        }
    }
    Ok(if wrong { SPEC_ERROR } else { 0 })
}
