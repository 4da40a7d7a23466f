//! `hilarm replay`.

use std::fs::File;
use std::io::BufReader;

use anyhow::Context;
use hilarm_runner::{Header, OutputShape, Verdict, read_journal, render};

use crate::args::{ReplayArgs, Shape};
use crate::{INFRA, say};

pub(crate) fn replay(args: &ReplayArgs) -> anyhow::Result<u8> {
    let path = &args.journal;
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let recorded = read_journal(BufReader::new(file)).with_context(|| path.display().to_string())?;
    if let Some(shape) = args.shape {
        render(&recorded, shape_of(shape))?.iter().for_each(say::out);
        return Ok(0);
    }
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

fn shape_of(shape: Shape) -> OutputShape {
    match shape {
        Shape::SecurityAlert => OutputShape::SecurityAlert,
        Shape::SecurityRecommendation => OutputShape::SecurityRecommendation,
        Shape::RawEvent => OutputShape::SecurityIotRawEvent,
        Shape::Arm => OutputShape::ArmAlert,
        Shape::Ocsf => OutputShape::Ocsf,
    }
}
