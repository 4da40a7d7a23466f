//! What was asked for is wrong or not there: not the harness's failure, and another exit code.

use std::fmt;

use hilarm_board::BoardError;

/// A scenario or project that cannot be had as named.
#[derive(Debug)]
pub(crate) struct WrongInput(pub(crate) String);

impl fmt::Display for WrongInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongInput {}

/// Whether an error is about what was asked for.
pub(crate) fn is_wrong_input(error: &anyhow::Error) -> bool {
    let wrong_board = matches!(
        error.downcast_ref(),
        Some(BoardError::Unknown { .. } | BoardError::Invalid { .. } | BoardError::Local(_))
    );
    wrong_board || error.is::<WrongInput>()
}
