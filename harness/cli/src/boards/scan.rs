//! `hilarm boards scan`: what is plugged in, and what `boards.local.yaml` could say of it. It writes no file.

use crate::project::Project;

#[cfg(feature = "probe")]
pub(super) fn scan(project: &Project) -> anyhow::Result<u8> {
    use hilarm_board::probe::Scan;
    use hilarm_board::{Board, LOCAL_FILE};

    use crate::say;

    let boards = Board::list(&project.boards_folder())?;
    let local = project.local_boards()?;
    let scan = Scan::new()?;
    let proposal = scan.proposal(&boards, &local);
    if scan.is_empty() {
        say::err("nothing is plugged in: no debug probe, and no serial port of a USB device");
        Scan::what_to_check(&boards).iter().for_each(|check| say::err(format_args!("  {check}")));
        proposal.troubles.iter().for_each(|trouble| say::err(format_args!("trouble: {trouble}")));
        return Ok(crate::NOTHING_RAN);
    }
    let (probes, ports) = (scan.probes.len(), scan.ports.len());
    let found = [say::counted(probes, "debug probe"), say::counted(ports, "serial port")].join(", ");
    say::err(format_args!("{found}; proposed for {LOCAL_FILE}, which this command never writes:\n"));
    say::out(proposal.text.trim_end());
    proposal.troubles.iter().for_each(|trouble| say::err(format_args!("\ntrouble: {trouble}")));
    Ok(0)
}

#[cfg(not(feature = "probe"))]
pub(super) fn scan(_project: &Project) -> anyhow::Result<u8> {
    anyhow::bail!("this build drives no debug probe; build it with the feature `probe`")
}
