//! The state directory: a certificate authority for life, and server identities that are made anew only when
//! the authority or the names change, since drawing an RSA key takes a second.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hilarm_tls::{CertificateAuthority, PkiError, ServerIdentity, Validity};
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::ServerError;

/// The authority's certificate, below the state directory.
pub(crate) const CA_CERTIFICATE: &str = "ca.pem";
const AUTHORITY: &str = "hilarm local certificate authority";

/// The authority and the identities of a hub on sockets.
#[derive(Debug)]
pub(crate) struct State {
    /// The authority's certificate, for clients to trust.
    pub(crate) ca_path: PathBuf,
    /// P-256 first, then RSA for clients without it.
    pub(crate) identities: Vec<ServerIdentity>,
}

impl State {
    /// Reads the directory, and makes what is missing. Two servers may do so at once.
    pub(crate) fn open(dir: &Path, names: &[String]) -> Result<Self, ServerError> {
        create_dir(dir).map_err(at(dir))?;
        let lock_path = dir.join("lock");
        let lock = open_private(&lock_path, false).map_err(at(&lock_path))?;
        // Released when `lock` goes.
        lock.lock().map_err(at(&lock_path))?;

        let ca_path = dir.join(CA_CERTIFICATE);
        let authority = authority(&ca_path, &dir.join("ca.key"))?;
        let stamp_path = dir.join("server.names");
        let stamp = format!("{}\n{}", names.join("\n"), authority.pem());
        let current = read(&stamp_path)?.is_some_and(|text| text == stamp);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let p256 = identity(dir, "server-p256", current, || authority.issue_server(&names, Validity::WIDE))?;
        let rsa =
            identity(dir, "server-rsa", current, || authority.issue_rsa_server(&names, Validity::WIDE))?;
        write_private(&stamp_path, &stamp)?;
        Ok(Self { ca_path, identities: vec![p256, rsa] })
    }
}

fn authority(ca_path: &Path, key_path: &Path) -> Result<CertificateAuthority, ServerError> {
    match (read(ca_path)?, read(key_path)?) {
        (Some(certificate), Some(key)) => {
            CertificateAuthority::from_pem(&certificate, &key).map_err(certificate_at(ca_path))
        }
        (None, None) => {
            let mut seed = [0; 32];
            OsRng.try_fill_bytes(&mut seed).map_err(|e| ServerError::Randomness(e.to_string()))?;
            let made = CertificateAuthority::from_seed(seed, AUTHORITY).map_err(certificate_at(ca_path))?;
            write_private(key_path, &made.key_pem().map_err(certificate_at(key_path))?)?;
            write(ca_path, &made.pem(), 0o644)?;
            Ok(made)
        }
        // Making a new one silently would turn every client away that trusts the old one.
        (Some(_), None) => Err(missing(key_path, ca_path)),
        (None, Some(_)) => Err(missing(ca_path, key_path)),
    }
}

fn identity(
    dir: &Path,
    name: &str,
    current: bool,
    make: impl FnOnce() -> Result<ServerIdentity, PkiError>,
) -> Result<ServerIdentity, ServerError> {
    let (chain_path, key_path) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    if current && let (Some(chain), Some(key)) = (read(&chain_path)?, read(&key_path)?) {
        return ServerIdentity::from_pem(&chain, &key).map_err(certificate_at(&chain_path));
    }
    let made = make().map_err(certificate_at(&chain_path))?;
    write_private(&key_path, &made.key_pem())?;
    write(&chain_path, &made.chain_pem(), 0o644)?;
    Ok(made)
}

fn missing(path: &Path, beside: &Path) -> ServerError {
    let text = format!("missing beside {}; restore it, or remove both to start anew", beside.display());
    at(path)(io::Error::new(io::ErrorKind::NotFound, text))
}

pub(crate) fn read(path: &Path) -> Result<Option<String>, ServerError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(at(path)(e)),
    }
}

pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), ServerError> {
    write(path, text, 0o600)
}

/// Whole or not at all: a new file beside it takes its place.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), ServerError> {
    let new = path.with_extension("new");
    let save = || {
        let mut file = open_private(&new, true)?;
        file.write_all(text.as_bytes())?;
        set_mode(&file, mode)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    save().map_err(at(path))
}

/// Readable by the owner from its first moment.
fn open_private(path: &Path, empty: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(empty);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ServerError + '_ {
    move |source| ServerError::State { path: path.to_owned(), source }
}

fn certificate_at(path: &Path) -> impl FnOnce(PkiError) -> ServerError + '_ {
    move |source| ServerError::Certificate { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["hub.hilarm.test".into(), "127.0.0.1".into()]
    }

    fn ca(state: &State) -> String {
        fs::read_to_string(&state.ca_path).unwrap()
    }

    #[test]
    fn the_authority_and_the_keys_stay_until_the_names_change() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state");
        let (one, two) = (State::open(&dir, &names()).unwrap(), State::open(&dir, &names()).unwrap());
        assert_eq!(ca(&one), ca(&two));
        let chains =
            |state: &State| -> Vec<String> { state.identities.iter().map(|i| i.chain_pem()).collect() };
        assert_eq!(chains(&one), chains(&two));
        let other = State::open(&dir, &["localhost".into()]).unwrap();
        assert_eq!(ca(&one), ca(&other));
        assert_ne!(chains(&one), chains(&other));
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_readable_by_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state");
        State::open(&dir, &names()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("ca.pem")), 0o644);
        for key in ["ca.key", "server-p256.key", "server-rsa.key"] {
            assert_eq!(mode(&dir.join(key)), 0o600, "{key}");
        }
    }

    #[test]
    fn a_broken_authority_is_an_error_that_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), "broken").unwrap();
        let error = State::open(dir.path(), &names()).unwrap_err().to_string();
        assert!(error.contains("ca.key: missing beside"), "{error}");
        fs::write(dir.path().join("ca.key"), "broken").unwrap();
        let error = State::open(dir.path(), &names()).unwrap_err().to_string();
        assert!(error.contains("ca.pem: no certificate in the PEM text"), "{error}");
    }

    #[test]
    fn a_state_directory_that_is_a_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state");
        fs::write(&file, "").unwrap();
        let error = State::open(&file, &names()).unwrap_err().to_string();
        assert!(error.contains(&file.display().to_string()), "{error}");
    }
}
