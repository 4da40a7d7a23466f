//! Mutants of the hub's authentication: each check left out, each pair of neighbours swapped where their order
//! decides, tables read to another end, thresholds moved, registered credentials not looked at.

use std::sync::Arc;
use std::time::Duration;

use hilarm_hub::{
    Authentication, CertificateClaim, CertificateEvidence, Check, Checks, Reading, ThumbprintDigest,
    Thumbprints, TokenClaim,
};

use super::super::mutant::Mutant;

const A_MICROSECOND: Duration = Duration::from_micros(1);
const A_SECOND: Duration = Duration::from_secs(1);

pub(super) fn mutants() -> Vec<Mutant> {
    let hub = Authentication::default();
    let identity = Table { name: "identity", place: |hub| &mut hub.identity };
    let token = Table { name: "token", place: |hub| &mut hub.token };
    let certificate = Table { name: "certificate", place: |hub| &mut hub.certificate };
    let mut mutants = identity.mutants(&hub);
    mutants.extend(token.mutants(&hub));
    mutants.extend(TOKEN_SHIFTS.iter().map(|shift| token.shifted(&hub, shift)));
    mutants.extend(certificate.mutants(&hub));
    mutants.extend(CERTIFICATE_SHIFTS.iter().map(|shift| certificate.shifted(&hub, shift)));
    mutants
}

/// The detection that is about what a check refuses.
fn detection_of(check: &str) -> &'static str {
    match check {
        "signature" => "sas-invalid-signature",
        "expiry" => "sas-expired",
        "thumbprint" => "x509-thumbprint-mismatch",
        "not-after" => "x509-expired",
        // Other refusals have no alert of their own.
        _ => "unauthorized-operations",
    }
}

/// A table of checks, and where it is.
struct Table<C> {
    name: &'static str,
    place: fn(&mut Authentication) -> &mut Checks<C>,
}

impl<C: Clone + 'static> Table<C> {
    /// The hub with the table changed; `check` is the one that it is about.
    fn changed(
        &self,
        hub: &Authentication,
        check: &str,
        change: String,
        with: impl Fn(&mut Checks<C>),
    ) -> Mutant {
        let mut hub = hub.clone();
        with((self.place)(&mut hub));
        Mutant::of_hub(self.name, change, detection_of(check), hub)
    }

    /// What can be derived from any table.
    fn mutants(&self, hub: &Authentication) -> Vec<Mutant> {
        let checks = (self.place)(&mut hub.clone()).clone();
        let names: Vec<_> = checks.table.iter().map(|check| check.name).collect();
        let left_out = names.iter().enumerate().map(|(at, name)| {
            let change = format!("{name} not checked");
            self.changed(hub, name, change, |checks| drop(checks.table.remove(at)))
        });
        let swapped = names.windows(2).enumerate().map(|(at, pair)| {
            let change = format!("{} checked before {}", pair[1], pair[0]);
            self.changed(hub, pair[1], change, |checks| checks.table.swap(at, at + 1))
        });
        let (change, other) = match checks.reading {
            Reading::First => ("every cause named", Reading::Every),
            Reading::Every => ("only the first cause named", Reading::First),
        };
        let read_otherwise = self.changed(hub, names[0], change.to_owned(), |checks| checks.reading = other);
        let mut mutants: Vec<_> = left_out.chain(std::iter::once(read_otherwise)).collect();
        // Where every check is asked, their order is that of the causes, which nothing looks at.
        if checks.reading == Reading::First {
            mutants.extend(swapped);
        }
        mutants
    }

    /// The table with one check to which something of the claim looks different.
    fn shifted(&self, hub: &Authentication, shift: &Shift<C>) -> Mutant {
        let &Shift { check, change, shift } = shift;
        self.changed(hub, check, format!("{check}: {change}"), |checks| {
            for known in checks.table.iter_mut().filter(|known| known.name == check) {
                let refuses = Arc::clone(&known.refuses);
                *known = Check::new(known.name, move |claim: &C| {
                    let mut claim = claim.clone();
                    shift(&mut claim);
                    refuses(&claim)
                });
            }
        })
    }
}

/// What of a claim looks different to a check.
struct Shift<C> {
    check: &'static str,
    change: &'static str,
    shift: fn(&mut C),
}

const fn shift<C>(check: &'static str, change: &'static str, shift: fn(&mut C)) -> Shift<C> {
    Shift { check, change, shift }
}

const TOKEN_SHIFTS: &[Shift<TokenClaim>] = &[
    shift("expiry", "exclusive: se < now", |claim| claim.now = claim.now - A_MICROSECOND),
    shift("expiry", "a second late", |claim| claim.now = claim.now - A_SECOND),
    shift("expiry", "a second early", |claim| claim.now += A_SECOND),
    shift("signature", "primary key ignored", |claim| claim.by_primary = false),
    shift("signature", "secondary key ignored", |claim| claim.by_secondary = false),
];

const CERTIFICATE_SHIFTS: &[Shift<CertificateClaim>] = &[
    shift("not-after", "inclusive: notAfter <= now", |claim| claim.now += A_MICROSECOND),
    shift("not-after", "a second early", |claim| claim.now += A_SECOND),
    shift("not-after", "a second late", |claim| claim.now = claim.now - A_SECOND),
    shift("not-before", "inclusive: notBefore >= now", |claim| claim.now = claim.now - A_MICROSECOND),
    shift("not-before", "a second early", |claim| claim.now += A_SECOND),
    shift("not-before", "a second late", |claim| claim.now = claim.now - A_SECOND),
    shift("thumbprint", "primary ignored", |claim| thumbprints(claim, |prints| prints.primary = None)),
    shift("thumbprint", "secondary ignored", |claim| thumbprints(claim, |prints| prints.secondary = None)),
    shift("thumbprint", "SHA-1 ignored", |claim| ignore(claim, ThumbprintDigest::Sha1)),
    shift("thumbprint", "SHA-256 ignored", |claim| ignore(claim, ThumbprintDigest::Sha256)),
];

fn thumbprints(claim: &mut CertificateClaim, change: impl Fn(&mut Thumbprints)) {
    if let CertificateEvidence::Thumbprints(thumbprints) = &mut claim.evidence {
        change(thumbprints);
    }
}

fn ignore(claim: &mut CertificateClaim, digest: ThumbprintDigest) {
    thumbprints(claim, |prints| {
        for configured in [&mut prints.primary, &mut prints.secondary] {
            if *configured == Some(digest) {
                *configured = None;
            }
        }
    });
}
