//! `hilarm boards list`.

use hilarm_board::Board;

use crate::project::Project;
use crate::say;

pub(crate) fn list(project: &Project, json: bool) -> anyhow::Result<u8> {
    // A wrong file of what is plugged in would else be each board's reason.
    project.local_boards()?;
    let boards = Board::list(&project.boards_folder())?;
    let widest = |text: fn(&Board) -> &str| boards.iter().map(|board| text(board).len()).max().unwrap_or(0);
    let (ids, names) = (widest(|board| &board.id), widest(|board| &board.name));
    for board in &boards {
        let usable = project.firmware(board, None);
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
            say::out(format_args!("{:<ids$}  {:<names$}  {state}", board.id, board.name));
        }
    }
    Ok(0)
}
