//! `hilarm replay`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use hilarm_runner::{Header, Verdict, read_journal};

use crate::{INFRA, say};

pub(crate) fn replay(path: &Path) -> anyhow::Result<u8> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let recorded = read_journal(BufReader::new(file)).with_context(|| path.display().to_string())?;
    let header = &recorded.header;
    let Header { scenario_id, board, variant, seed, .. } = header;
    say::out(format_args!("{scenario_id} on {board} ({variant}), seed {seed}"));
    let replayed = hilarm_runner::replay(recorded);
    say::out(replayed.alerts.trim_end());
    for finding in &replayed.findings {
        say::out(&finding.message);
    }
    say::out(replayed.verdict.as_str());
    Ok(match replayed.verdict {
        Verdict::Pass => 0,
        Verdict::Infra => INFRA,
        _ => 1,
    })
}
