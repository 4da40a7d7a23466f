//! The malicious behaviours that a scenario may switch on: one file each, listed once, here.
//!
//! A behaviour changes device state only (credentials, telemetry, sockets). It never builds a security
//! event: those come from the collectors, which report what the device really did.

/// A malicious behaviour: what it is called, what it needs, how it starts.
pub struct Behaviour {
    /// Kebab-case name, e.g. `never-renew-token`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// ATT&CK technique ids.
    pub attack: &'static [&'static str],
    /// Its parameters.
    pub params: &'static [Param],
}

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
    &[]
}

/// The behaviour of that name.
pub fn find(name: &str) -> Option<&'static Behaviour> {
    all().iter().copied().find(|behaviour| behaviour.name == name)
}
