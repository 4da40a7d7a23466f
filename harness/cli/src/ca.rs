//! `hilarm ca`: a certificate authority that stays, because firmware that is not built anew for each run has it
//! built in. Its key never leaves its folder.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::args::{CaCommand, CaForm};
use crate::say;
use crate::wrong_input::WrongInput;

const BYTES_A_LINE: usize = 12;

pub(crate) fn ca(command: &CaCommand) -> anyhow::Result<u8> {
    match command {
        CaCommand::Init { folder, hosts } => {
            hilarm_server::keep_authority(&folder.state, hosts)?;
            show(&folder.state)?;
        }
        CaCommand::Show { folder } => show(&folder.state)?,
        CaCommand::Export { folder, form } => export(&folder.state, *form)?,
    }
    Ok(0)
}

/// The certificate as PEM and as DER.
fn certificate(folder: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let path = folder.join("ca.pem");
    let pem = match std::fs::read_to_string(&path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = format!("no authority in {}; `hilarm ca init` makes one", folder.display());
            return Err(WrongInput(text).into());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).ok().filter(|der| der.first() == Some(&0x30));
    let der = der.ok_or_else(|| WrongInput(format!("{} holds no certificate", path.display())))?;
    Ok((pem, der))
}

fn show(folder: &Path) -> anyhow::Result<()> {
    let (_, der) = certificate(folder)?;
    let print: Vec<String> = Sha256::digest(&der).iter().map(|byte| format!("{byte:02X}")).collect();
    say::out(format_args!("certificate: {} ({} bytes)", folder.join("ca.pem").display(), der.len()));
    say::out(format_args!("SHA-256:     {}", print.join(":")));
    let names = std::fs::read_to_string(folder.join("server.names")).unwrap_or_default();
    let names: Vec<&str> = names.lines().take_while(|line| !line.starts_with("-----")).collect();
    say::out(format_args!("hub:         {} (P-256 and RSA)", names.join(", ")));
    Ok(())
}

fn export(folder: &Path, form: CaForm) -> anyhow::Result<()> {
    let (pem, der) = certificate(folder)?;
    let bytes = match form {
        CaForm::Pem => pem.into_bytes(),
        CaForm::Der => der,
        CaForm::C => c_array(&der).into_bytes(),
    };
    // In full or not at all: half a certificate would be built in.
    std::io::stdout().write_all(&bytes).context("cannot write the certificate")
}

fn c_array(der: &[u8]) -> String {
    let lines: Vec<String> = der
        .chunks(BYTES_A_LINE)
        .map(|line| line.iter().map(|byte| format!("0x{byte:02x}")).collect::<Vec<_>>().join(", "))
        .collect();
    format!(
        "static const unsigned char ca_certificate[{}] = {{\n    {}\n}};\n",
        der.len(),
        lines.join(",\n    ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_kept_and_shown_and_a_folder_without_one_says_what_makes_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = certificate(folder.path()).unwrap_err().to_string();
        assert!(error.contains("hilarm ca init"), "{error}");
        hilarm_server::keep_authority(folder.path(), &["iot.example.net".to_owned()]).unwrap();
        let first = certificate(folder.path()).unwrap();
        hilarm_server::keep_authority(folder.path(), &["another.example.net".to_owned()]).unwrap();
        assert_eq!(certificate(folder.path()).unwrap(), first);
        std::fs::write(folder.path().join("ca.pem"), "broken").unwrap();
        assert!(certificate(folder.path()).unwrap_err().to_string().contains("holds no certificate"));
    }

    #[test]
    fn an_array_holds_every_byte() {
        let text = c_array(&(0..=40).collect::<Vec<u8>>());
        assert!(
            text.starts_with("static const unsigned char ca_certificate[41] = {\n    0x00, 0x01,"),
            "{text}"
        );
        assert_eq!((text.matches("0x").count(), text.lines().count()), (41, 6));
    }
}
