//! `hilarm replay`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use hilarm_runner::{Verdict, read_journal};

use crate::INFRA;

pub(crate) fn replay(path: &Path) -> anyhow::Result<u8> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let recorded = read_journal(BufReader::new(file)).with_context(|| path.display().to_string())?;
    let header = &recorded.header;
    println!("{} on {} ({}), seed {}", header.scenario_id, header.board, header.variant, header.seed);
    let replayed = hilarm_runner::replay(recorded);
    print!("{}", replayed.alerts);
    for finding in &replayed.findings {
        println!("{}", finding.message);
    }
    println!("{}", replayed.verdict.as_str());
    Ok(match replayed.verdict {
        Verdict::Pass => 0,
        Verdict::Infra => INFRA,
        _ => 1,
    })
}
