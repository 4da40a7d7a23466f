//! The malicious behaviours that a scenario may switch on: one file each, listed once, here.
//!
//! A behaviour changes device state only (credentials, telemetry, sockets). It never builds a security
//! event: those come from the collectors, which report what the device really did.

mod args;
mod connect_out;
mod crash;
mod flood_telemetry;
mod flood_telemetry_https;
mod flood_twin;
mod forge_token;
mod guess_passwords;
mod join_botnet;
mod never_renew_token;
mod never_rotate_certificate;
mod open_port;
mod plug_in_hardware;
mod present_foreign_certificate;
mod probe_network;
mod publish_foreign_topic;
mod reject_messages;
mod send_malformed_packets;
mod send_malformed_security_messages;
mod sign_in;
mod start_process;
mod upload_files;
mod weaken_firewall;
mod withhold_puback;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hilarm_link::{CommandError, Value};

use crate::device::Device;
use crate::https::JobId;
use crate::io::{Input, Now};
use args::Args;
#[cfg(test)]
pub(crate) use send_malformed_packets::PACKETS as MALFORMED_PACKETS;
#[cfg(test)]
pub(crate) use send_malformed_security_messages::OVERSIZED as OVERSIZED_PACKET;

/// Every behaviour, by name.
static ALL: [&Behaviour; 23] = [
    &connect_out::BEHAVIOUR,
    &crash::BEHAVIOUR,
    &flood_telemetry::BEHAVIOUR,
    &flood_telemetry_https::BEHAVIOUR,
    &flood_twin::BEHAVIOUR,
    &forge_token::BEHAVIOUR,
    &guess_passwords::BEHAVIOUR,
    &join_botnet::BEHAVIOUR,
    &never_renew_token::BEHAVIOUR,
    &never_rotate_certificate::BEHAVIOUR,
    &open_port::BEHAVIOUR,
    &plug_in_hardware::BEHAVIOUR,
    &present_foreign_certificate::BEHAVIOUR,
    &probe_network::BEHAVIOUR,
    &publish_foreign_topic::BEHAVIOUR,
    &reject_messages::BEHAVIOUR,
    &send_malformed_packets::BEHAVIOUR,
    &send_malformed_security_messages::BEHAVIOUR,
    &sign_in::BEHAVIOUR,
    &start_process::BEHAVIOUR,
    &upload_files::BEHAVIOUR,
    &weaken_firewall::BEHAVIOUR,
    &withhold_puback::BEHAVIOUR,
];

/// A malicious behaviour: what it is called, what it needs, how it starts.
#[derive(Debug)]
pub struct Behaviour {
    /// Kebab-case name, e.g. `never-renew-token`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// ATT&CK technique ids.
    pub attack: &'static [&'static str],
    /// Its parameters.
    pub params: &'static [Param],
    /// Changes the device; what it hands back knows how to go on and how to undo it.
    start: fn(&mut Device, &Args<'_>, Now) -> Started,
}

/// A behaviour that has started, or why it did not.
type Started = Result<Box<dyn Running>, CommandError>;

/// A parameter of a behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Snake-case name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ParamKind,
    /// Whether it must be given.
    pub required: bool,
    /// One sentence, with the default.
    pub summary: &'static str,
}

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A whole number, both ends included.
    Int {
        /// The smallest.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// An IPv4 address in dotted form.
    Address,
    /// Any text.
    Text,
    /// A certificate with its key.
    Certificate,
}

/// Every behaviour, by name.
pub fn all() -> &'static [&'static Behaviour] {
    &ALL
}

/// The behaviour of that name.
pub fn find(name: &str) -> Option<&'static Behaviour> {
    all().iter().copied().find(|behaviour| behaviour.name == name)
}

impl Behaviour {
    /// Checks the arguments against the parameters, and starts.
    pub(crate) fn start(&self, device: &mut Device, args: &[(String, Value)], now: Now) -> Started {
        (self.start)(device, &Args::check(self.params, args)?, now)
    }
}

/// How far a behaviour has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It has something to do, or never finishes.
    UnderWay,
    /// All it had to do is done; it stays, and may be given more. Told once.
    DoneForNow,
    /// It is over.
    Finished,
}

/// A behaviour under way.
pub(crate) trait Running: Send {
    /// An input of a socket that is not the hub's; it may belong to another behaviour.
    fn handle_input(&mut self, _device: &mut Device, _input: &Input, _now: Now) {}

    /// Does what is due.
    fn handle_timeout(&mut self, _device: &mut Device, _now: Now) {}

    /// When something is due.
    fn poll_timeout(&self) -> Option<u64> {
        None
    }

    /// How far it has come.
    fn progress(&mut self, _device: &Device) -> Progress {
        Progress::UnderWay
    }

    /// Undoes its change of state.
    fn stop(&mut self, device: &mut Device, now: Now);
}

/// A change of state that holds until it is undone by this function.
struct UndoneBy(fn(&mut Device));

impl Running for UndoneBy {
    fn stop(&mut self, device: &mut Device, _now: Now) {
        (self.0)(device);
    }
}

/// Jobs over HTTPS; it is over with the last of them.
struct OverHttps(Vec<JobId>);

impl Running for OverHttps {
    fn progress(&mut self, device: &Device) -> Progress {
        let is_over = self.0.iter().all(|job| device.https.is_finished(*job));
        if is_over { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        self.0.iter().for_each(|job| device.https.cancel(*job));
    }
}

fn not_now(reason: &str) -> CommandError {
    CommandError::NotNow { reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;

    #[test]
    fn the_folder_and_the_list_agree() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/behaviours");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|file| file.strip_suffix(".rs").map(|name| name.replace('_', "-")))
            .filter(|name| !["mod", "args"].contains(&name.as_str()) && !name.ends_with("-tests"))
            .collect();
        files.sort();
        let listed: Vec<&str> = all().iter().map(|behaviour| behaviour.name).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn names_are_kebab_case_parameters_snake_case_and_technique_ids_well_formed() {
        for behaviour in all() {
            assert!(behaviour.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
            assert!(behaviour.summary.ends_with('.'), "{}", behaviour.name);
            assert!(!behaviour.attack.is_empty(), "{}", behaviour.name);
            for technique in behaviour.attack {
                let digits = technique.strip_prefix('T').unwrap();
                assert!(digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{technique}");
            }
            for param in behaviour.params {
                assert!(param.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            }
        }
    }
}
