//! `hilarm boards list`.

use hilarm_board::Board;

use crate::project::Project;
use crate::say;

pub(crate) fn list(project: &Project, json: bool) -> anyhow::Result<u8> {
    // A wrong file of what is plugged in would else be each board's reason.
    project.local_boards()?;
    for board in Board::list(&project.boards_folder())? {
        let usable = project.firmware(&board, None);
        if json {
            let line = serde_json::json!({
                "id": board.id,
                "name": board.name,
                "backend": format!("{:?}", board.backend).to_lowercase(),
                "chip": board.chip,
                "usable": usable.is_ok(),
                "reason": usable.err(),
            });
            say::out(line);
        } else {
            let state = usable.map_or_else(|reason| format!("not usable: {reason}"), |_| "usable".to_owned());
            say::out(format_args!("{:<20} {:<42} {state}", board.id, board.name));
        }
    }
    Ok(0)
}
