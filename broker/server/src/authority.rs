//! The certificate authority of a state directory, for those who need it without a server: runs with firmware
//! that has it built in.

use std::path::{Path, PathBuf};

use crate::ServerError;
use crate::state::State;

/// Makes sure that the directory holds an authority, and server certificates of it for these names: P-256, and
/// RSA for clients without it. Answers with the path of the authority's certificate. What is there stays.
pub fn keep_authority(dir: &Path, names: &[String]) -> Result<PathBuf, ServerError> {
    Ok(State::open(dir, names)?.ca_path)
}
