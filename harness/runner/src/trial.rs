//! One scenario on one board: the main run, then its controls. Order of judging: steps, settle, proof,
//! closed-world expectations, controls, snapshot.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hilarm_board::{
    Backend, Board, Capability, Device, Elf, QemuDevice, QemuError, SimDevice, UnlinkedDevice,
};
use hilarm_defender::{Alert, Recommendation};
use hilarm_hub::Authentication;
use hilarm_link::DeviceConfig;
use hilarm_model::{DeviceId, HubEvent, HubRecord};
use hilarm_network::{Faults, Medium};
use hilarm_scenario::{Scenario, ScenarioFile};

use crate::ability::lacking;
use crate::autopsy;
use crate::device_log;
use crate::journal::{Entry, HarnessRecord, Header, Journal};
use crate::judge::{
    Finding, Verdict, compare_alerts, compare_flows, compare_recommendations, fired_without_attack,
    snapshot_text, subject_of, unaccounted_bytes, unmet_proofs,
};
use crate::longer::longer_cases;
use crate::pool::{Lease, Pool};
use crate::provision::{Provisioned, T0, provision};
use crate::script::{Script, ScriptError, per_million};
use crate::snapshot::{Compared, Snapshots};
use crate::spare::leave_out;
use crate::variant::{BoundaryCase, Variant, benign_twin, boundary_cases};
use crate::world::{World, WorldError};

const LAST_LOG_LINES: usize = 12;

/// What to run, and where to leave what was seen.
pub struct Trial<'a> {
    /// The scenario.
    pub file: &'a ScenarioFile,
    /// The board.
    pub board: &'a Board,
    /// The firmware, for boards that boot one.
    pub elf: Option<&'a Elf>,
    /// The seed in place of the scenario's own.
    pub seed: Option<u64>,
    /// Folder for journals and captures; nothing is written when absent.
    pub folder: Option<PathBuf>,
    /// Snapshots to compare with; not compared when absent.
    pub snapshots: Option<&'a Snapshots>,
    /// Boards that stay open between runs; without it each run opens its own.
    pub pool: Option<&'a Pool>,
}

/// What became of one run of a trial.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// Id of the scenario.
    pub scenario: String,
    /// Which run.
    pub variant: Variant,
    /// Id of the board.
    pub board: String,
    /// The seed.
    pub seed: u64,
    /// What became of it.
    pub verdict: Verdict,
    /// Wall-clock time.
    pub wall: Duration,
    /// Hub time, jumps included.
    pub hub: Duration,
    /// What fired: slug, subject, severity.
    pub alerts: Vec<FiredAlert>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The device's last log lines, on anything but a pass.
    pub last_logs: Vec<String>,
    /// Folder with journal and capture.
    pub folder: Option<PathBuf>,
    /// HubEvents less byte counts: equal for equal runs.
    pub fingerprint: Vec<String>,
}

/// An alert as results name it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FiredAlert {
    /// Slug of the detection.
    pub alert: String,
    /// `device pump-1` or `hub`.
    pub subject: String,
    /// Severity.
    pub severity: String,
}

/// A finished run, before it is judged.
pub(crate) struct Ran {
    pub(crate) journal: Journal,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) recommendations: Vec<Recommendation>,
    /// Events that each detection of the scenario considered.
    pub(crate) considered: BTreeMap<String, u64>,
    error: Option<ScriptError>,
    /// The step during which each hub record came.
    pub(crate) raised_in: Vec<Option<String>>,
    wall: Duration,
    folder: Option<PathBuf>,
}

/// A run with its verdict, and what the verdict rests on.
pub(crate) struct Judged<'a> {
    pub(crate) result: RunResult,
    /// Nothing when it could not run.
    pub(crate) ran: Option<&'a Ran>,
    /// The threshold that it moved.
    pub(crate) case: Option<&'a BoundaryCase>,
}

/// Sees each run of a trial, and says whether it wants to see more.
pub(crate) type Seen<'s> = dyn FnMut(Judged<'_>) -> ControlFlow<()> + 's;

impl Judged<'_> {
    fn infra(result: RunResult) -> Self {
        Self { result, ran: None, case: None }
    }
}

impl Trial<'_> {
    /// Runs the scenario and its controls.
    pub fn run(&self) -> Vec<RunResult> {
        let mut results = Vec::new();
        self.run_each(&Authentication::default(), &mut |judged| {
            results.push(judged.result);
            ControlFlow::Continue(())
        });
        results
    }

    /// Runs the scenario and its controls on a hub that judges credentials like this, until `seen` has seen
    /// enough.
    pub(crate) fn run_each(&self, hub: &Authentication, seen: &mut Seen<'_>) {
        // Whether to go on is `seen`'s to say; a run that was stopped has nothing left to tell.
        let _ = self.run_until(hub, seen);
    }

    fn run_until(&self, hub: &Authentication, seen: &mut Seen<'_>) -> ControlFlow<()> {
        if let Some(reason) = lacking(&self.file.scenario, self.board) {
            let skipped = self.not_run(Variant::Main, Verdict::Skipped, Finding::new(reason));
            return seen(Judged { result: skipped, ran: None, case: None });
        }
        let mut file = self.file.clone();
        let left_out = leave_out(&mut file.scenario, self.board);
        let (folder, snapshots) = (self.folder.clone(), self.snapshots);
        Trial { file: &file, folder, snapshots, ..*self }.run_all(&left_out, hub, seen)
    }

    /// The main run and its controls; what was left out is told with the main run.
    fn run_all(&self, left_out: &[Finding], hub: &Authentication, seen: &mut Seen<'_>) -> ControlFlow<()> {
        let scenario = &self.file.scenario;
        let main = match self.run_once(scenario, &Variant::Main, hub) {
            Ok(main) => main,
            Err(finding) => return seen(Judged::infra(self.infra(Variant::Main, finding))),
        };
        let mut result = self.judge_main(&main);
        result.findings.extend_from_slice(left_out);
        let passed = result.verdict == Verdict::Pass;
        seen(Judged { result, ran: Some(&main), case: None })?;
        if !passed {
            return ControlFlow::Break(());
        }
        if scenario.controls.skip_benign_twin.is_none()
            && let Some(twin) = benign_twin(scenario)
        {
            match self.run_once(&twin, &Variant::Benign, hub) {
                Ok(ran) => seen(Judged { result: self.judge_benign(&ran), ran: Some(&ran), case: None })?,
                Err(finding) => seen(Judged::infra(self.infra(Variant::Benign, finding)))?,
            }
        }
        if scenario.controls.skip_boundary.is_none() {
            for slug in &scenario.detects {
                self.run_boundaries(slug, &main, hub, seen)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn seed(&self) -> u64 {
        self.seed.unwrap_or(self.file.scenario.seed)
    }

    fn judge_main(&self, ran: &Ran) -> RunResult {
        let scenario = &self.file.scenario;
        let mut findings = Vec::new();
        let mut verdict = common_verdict(ran, &mut findings);
        if verdict == Verdict::Pass {
            findings = unmet_proofs(&scenario.proof, &ran.journal);
            if !findings.is_empty() {
                verdict = Verdict::Unproven;
            }
            let mut wrong = compare_alerts(&scenario.expect, &ran.alerts);
            wrong.extend(compare_recommendations(&scenario.expect, &ran.recommendations));
            wrong.extend(compare_flows(&scenario.expect, &ran.journal));
            if !wrong.is_empty() {
                verdict = Verdict::Fail;
                findings.extend(wrong);
            }
        }
        if verdict == Verdict::Pass
            && let Some(finding) = self.compare_snapshot(ran)
        {
            verdict = Verdict::Fail;
            findings.push(finding);
        }
        self.result(Variant::Main, verdict, findings, ran)
    }

    fn compare_snapshot(&self, ran: &Ran) -> Option<Finding> {
        let snapshots = self.snapshots?;
        let text = snapshot_text(&ran.alerts, &ran.recommendations, |ordinal| {
            ran.raised_in.get(usize::try_from(ordinal).ok()?).cloned().flatten()
        });
        match snapshots.compare(&self.file.id, &text) {
            Ok(Compared::Same) => None,
            Ok(Compared::Missing) => Some(Finding::new(format!(
                "no reviewed snapshot yet; look at it and accept it with `hilarm review`:\n{text}"
            ))),
            Ok(Compared::Differs(diff)) => {
                Some(Finding::new(format!("the alerts differ from the reviewed snapshot:\n{diff}")))
            }
            Err(error) => Some(Finding::new(error)),
        }
    }

    /// The benign twin passes only if nothing fires, the proof is not satisfied, and each detection looked
    /// at something: silence of a detection that saw nothing proves nothing.
    fn judge_benign(&self, ran: &Ran) -> RunResult {
        let scenario = &self.file.scenario;
        let mut findings = Vec::new();
        let mut verdict = common_verdict(ran, &mut findings);
        if verdict == Verdict::Pass {
            let considered = |slug: &str| ran.considered.get(slug).copied().unwrap_or_default();
            findings = fired_without_attack(&scenario.detects, &ran.alerts, &ran.recommendations, considered);
            if unmet_proofs(&scenario.proof, &ran.journal).is_empty() {
                findings.push(Finding::at(
                    "proof",
                    "the proof is satisfied without the attack, so it proves nothing",
                ));
            }
            if !findings.is_empty() {
                verdict = Verdict::Fail;
            }
        }
        self.result(Variant::Benign, verdict, findings, ran)
    }

    fn run_boundaries(
        &self,
        slug: &str,
        main: &Ran,
        hub: &Authentication,
        seen: &mut Seen<'_>,
    ) -> ControlFlow<()> {
        let records: Vec<&HubRecord> = main.journal.hub_records().collect();
        let scenario = &self.file.scenario;
        let mut cases = boundary_cases(scenario, slug, &main.alerts, &records);
        if let Ok(known) = &mut cases {
            match longer_cases(scenario, slug, &main.alerts, &main.journal) {
                Ok(more) => known.extend(more),
                Err(problem) => cases = Err(problem),
            }
        }
        let cases = match cases {
            Ok(cases) => cases,
            Err(problem) => {
                let variant = Variant::Boundary { label: slug.to_owned(), fires: false };
                let message = format!("the boundary of {slug} cannot be varied: {problem}");
                let result = self.result(variant, Verdict::Fail, vec![Finding::new(message)], main);
                return seen(Judged { result, ran: None, case: None });
            }
        };
        for case in cases {
            if case.needs_granted_time() && !self.board.capabilities.contains(&Capability::VirtualTime) {
                let reason = "it lies at one instant, and the board lives in real time";
                let skipped = self.not_run(case.variant.clone(), Verdict::Skipped, Finding::new(reason));
                seen(Judged { result: skipped, ran: None, case: Some(&case) })?;
                continue;
            }
            match self.run_once(&case.scenario, &case.variant, hub) {
                Ok(ran) => {
                    let result = self.judge_boundary(&case, &ran);
                    seen(Judged { result, ran: Some(&ran), case: Some(&case) })?;
                }
                Err(finding) => seen(Judged::infra(self.infra(case.variant, finding)))?,
            }
        }
        ControlFlow::Continue(())
    }

    fn judge_boundary(&self, case: &BoundaryCase, ran: &Ran) -> RunResult {
        let mut findings = Vec::new();
        let mut verdict = common_verdict(ran, &mut findings);
        if verdict == Verdict::Pass
            && let Some(finding) = case.judge(&ran.alerts, &ran.recommendations)
        {
            verdict = Verdict::Fail;
            findings.push(finding);
        }
        self.result(case.variant.clone(), verdict, findings, ran)
    }

    fn infra(&self, variant: Variant, finding: Finding) -> RunResult {
        self.not_run(variant, Verdict::Infra, finding)
    }

    fn not_run(&self, variant: Variant, verdict: Verdict, finding: Finding) -> RunResult {
        RunResult {
            scenario: self.file.id.clone(),
            variant,
            board: self.board.id.clone(),
            seed: self.seed(),
            verdict,
            wall: Duration::ZERO,
            hub: Duration::ZERO,
            alerts: Vec::new(),
            findings: vec![finding],
            last_logs: Vec::new(),
            folder: None,
            fingerprint: Vec::new(),
        }
    }

    fn result(&self, variant: Variant, verdict: Verdict, findings: Vec<Finding>, ran: &Ran) -> RunResult {
        let hub = ran.journal.lines().iter().rev().find_map(|line| match &line.entry {
            Entry::Hub(record) => Some(record.at.since(T0)),
            Entry::Harness(_) => None,
        });
        RunResult {
            scenario: self.file.id.clone(),
            variant,
            board: self.board.id.clone(),
            seed: self.seed(),
            verdict,
            wall: ran.wall,
            hub: hub.unwrap_or_default(),
            alerts: ran.alerts.iter().map(fired).chain(ran.recommendations.iter().map(raised)).collect(),
            findings,
            last_logs: if verdict == Verdict::Pass {
                Vec::new()
            } else {
                device_log::tail(&ran.journal, LAST_LOG_LINES)
            },
            folder: ran.folder.clone(),
            fingerprint: fingerprint(&ran.journal),
        }
    }

    /// Runs one variant from boot to the closing of the books.
    fn run_once(&self, scenario: &Scenario, variant: &Variant, hub: &Authentication) -> Result<Ran, Finding> {
        let began = Instant::now();
        let seed = self.seed();
        let wrong = |error: &dyn std::fmt::Display| Finding::new(error.to_string());
        let provisioned = provision(scenario, self.board, seed).map_err(|error| wrong(&error))?;
        let folder = self.variant_folder(variant).map_err(|error| wrong(&error))?;
        let journal = self.journal(scenario, variant, folder.as_deref()).map_err(|error| wrong(&error))?;
        let mut world = World::new(journal, provisioned.network.clone(), hub.clone(), seed);
        let error = self.live(scenario, provisioned, &mut world).err();
        if let Some(record) = error.as_ref().and_then(failure_record) {
            world.record(record);
        }
        world.finish();
        if let Some(folder) = &folder {
            let written = File::create(folder.join("capture.pcapng"))
                .and_then(|mut file| world.network().write_capture(&mut file));
            written.map_err(|error| Finding::new(format!("cannot write the capture: {error}")))?;
            let written = autopsy::of(error.as_ref()).map(|autopsy| autopsy::write(autopsy, folder));
            written
                .transpose()
                .map_err(|error| Finding::new(format!("cannot write the autopsy: {error}")))?;
            let written = File::create(folder.join(device_log::FILE))
                .and_then(|file| device_log::write(world.journal(), &mut BufWriter::new(file)));
            written.map_err(|error| Finding::new(format!("cannot write the devices' log: {error}")))?;
        }
        let alerts = world.defender().alerts().to_vec();
        let recommendations = world.defender().recommendations().to_vec();
        let considered = self.file.scenario.detects.iter();
        let considered = considered.map(|slug| (slug.clone(), world.defender().considered(slug))).collect();
        let ordinals = 0..world.journal().hub_records().count() as u64;
        let raised_in = ordinals.map(|ordinal| world.raised_in(ordinal).map(str::to_owned)).collect();
        let journal = world.into_journal();
        Ok(Ran {
            journal,
            alerts,
            recommendations,
            considered,
            error,
            raised_in,
            wall: began.elapsed(),
            folder,
        })
    }

    fn live(
        &self,
        scenario: &Scenario,
        provisioned: Provisioned,
        world: &mut World,
    ) -> Result<(), ScriptError> {
        world.set_up_network(&scenario.network)?;
        for request in provisioned.hub_requests {
            world
                .service(request)
                .map_err(|error| ScriptError::Step { path: "hub".to_owned(), problem: error.to_string() })?;
        }
        let own;
        let pool = match self.pool {
            Some(pool) => pool,
            None => {
                own = Pool::default();
                &own
            }
        };
        let mut lease = self.lease(pool, provisioned.devices.len())?;
        for (id, config) in &provisioned.devices {
            self.boot(id, config, lease.as_mut(), world)?;
        }
        let faults = Faults {
            latency: scenario.network.latency.unwrap_or_default().0,
            loss_per_million: per_million(scenario.network.loss_percent),
            partitioned: false,
        };
        world.change_faults(None, |current| *current = faults);
        let unlinked = self.board.backend == Backend::Qemu && self.board.link.is_none();
        Script::new(&scenario.steps, &provisioned.certificates).unlinked(unlinked).run(world)?;
        if world.defender().overflowed() {
            return Err(ScriptError::Infra("more alerts than the defender keeps".to_owned()));
        }
        if self.elf.is_some_and(|elf| !elf.is_unchanged()) {
            return Err(ScriptError::Infra("the firmware's file changed during the run".to_owned()));
        }
        Ok(())
    }

    /// The boards of this run, where they stay open between runs.
    fn lease<'p>(&'p self, pool: &'p Pool, devices: usize) -> Result<Option<Lease<'p>>, ScriptError> {
        let (Backend::Probe, Some(elf)) = (self.board.backend, self.elf) else { return Ok(None) };
        pool.lease(self.board, elf, devices).map(Some).map_err(ScriptError::Infra)
    }

    fn boot(
        &self,
        id: &DeviceId,
        config: &DeviceConfig,
        lease: Option<&mut Lease<'_>>,
        world: &mut World,
    ) -> Result<(), ScriptError> {
        let address = config.network.address.into();
        match self.board.backend {
            Backend::Sim => {
                let link = world.network_mut().attach(id.clone(), Medium::Sockets, address);
                world.attach(id.clone(), link, Box::new(SimDevice::new(config.clone())));
            }
            Backend::Qemu => {
                let elf = self.elf.ok_or_else(|| ScriptError::Infra("the board needs a firmware".into()))?;
                let device = launch(self.board, elf, config)
                    .map_err(|error| ScriptError::Infra(format!("{id}: {error}")))?;
                let medium = Medium::Ethernet { mac: config.network.mac };
                let link = world.network_mut().attach(id.clone(), medium, address);
                world.attach(id.clone(), link, device);
            }
            Backend::Probe => {
                let lease = lease.ok_or_else(|| ScriptError::Infra("the board needs a firmware".into()))?;
                let device =
                    lease.boot(config).map_err(|error| ScriptError::Infra(format!("{id}: {error}")))?;
                let medium = Medium::Ethernet { mac: config.network.mac };
                let link = world.network_mut().attach(id.clone(), medium, address);
                world.attach(id.clone(), link, device);
            }
        }
        Ok(())
    }

    fn variant_folder(&self, variant: &Variant) -> std::io::Result<Option<PathBuf>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let name = variant.to_string().replace(':', "-");
        let folder = folder.join(self.file.id.replace('/', "__")).join(&self.board.id).join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Some(folder))
    }

    fn journal(
        &self,
        scenario: &Scenario,
        variant: &Variant,
        folder: Option<&Path>,
    ) -> std::io::Result<Journal> {
        let header = Header {
            schema: 1,
            hilarm: env!("CARGO_PKG_VERSION").to_owned(),
            scenario_id: self.file.id.clone(),
            variant: variant.to_string(),
            board: self.board.id.clone(),
            seed: self.seed(),
            elf_sha256: self.elf.map(|elf| elf.sha256().to_owned()),
            tls: self.board.backend != Backend::Sim,
            t0: T0,
            scenario: scenario.clone(),
        };
        match folder {
            Some(folder) => Journal::create(header, &folder.join("journal.jsonl")),
            None => Ok(Journal::in_memory(header)),
        }
    }
}

/// Firmware with a link lives on granted time, firmware without one at its own pace.
pub(crate) fn launch(board: &Board, elf: &Elf, config: &DeviceConfig) -> Result<Box<dyn Device>, QemuError> {
    Ok(match board.link {
        Some(_) => Box::new(QemuDevice::launch(board, elf, config)?),
        None => Box::new(UnlinkedDevice::launch(board, elf, config)?),
    })
}

/// The journal's line about a failure that is not in it yet: whoever reads it later comes to our verdict.
fn failure_record(error: &ScriptError) -> Option<HarnessRecord> {
    match error {
        ScriptError::Step { path, problem } => {
            Some(HarnessRecord::StepFailed { path: path.clone(), problem: problem.clone() })
        }
        ScriptError::World(WorldError::Device { .. }) => None,
        ScriptError::World(_) | ScriptError::Infra(_) => {
            Some(HarnessRecord::RunFailed { reason: error.to_string() })
        }
    }
}

/// What a run's own failures amount to, whatever was expected of it.
fn common_verdict(ran: &Ran, findings: &mut Vec<Finding>) -> Verdict {
    match &ran.error {
        Some(ScriptError::Step { path, problem }) => {
            findings.push(Finding::at(path.clone(), problem.clone()));
            return Verdict::Fail;
        }
        Some(error @ (ScriptError::World(_) | ScriptError::Infra(_))) => {
            let autopsy = autopsy::of(ran.error.as_ref()).and(ran.folder.as_ref());
            let autopsy =
                autopsy.map(|folder| format!("\nautopsy: {}", autopsy::text_path(folder).display()));
            findings.push(Finding::new(format!("{error}{}", autopsy.unwrap_or_default())));
            return Verdict::Infra;
        }
        None => {}
    }
    findings.extend(unaccounted_bytes(&ran.journal));
    if let Some(error) = ran.journal.write_error() {
        findings.push(Finding::new(format!("cannot write the journal: {error}")));
    }
    if findings.is_empty() { Verdict::Pass } else { Verdict::Infra }
}

fn raised(raised: &Recommendation) -> FiredAlert {
    FiredAlert {
        alert: raised.slug.to_owned(),
        subject: format!("hub, {:?}", raised.state),
        severity: format!("{:?}", raised.severity),
    }
}

fn fired(alert: &Alert) -> FiredAlert {
    FiredAlert {
        alert: alert.slug.to_owned(),
        subject: subject_of(alert),
        severity: format!("{:?}", alert.severity),
    }
}

/// HubEvents less byte counts: TLS signatures vary in length.
fn fingerprint(journal: &Journal) -> Vec<String> {
    journal
        .hub_records()
        .map(|record| {
            let mut record = record.clone();
            if let HubEvent::SecurityMessageReceived { events, .. } = &mut record.event {
                for event in events {
                    if let hilarm_model::SecurityPayload::NetworkActivity(flows) = &mut event.payload {
                        flows.iter_mut().for_each(|flow| (flow.bytes_in, flow.bytes_out) = (0, 0));
                    }
                }
            }
            format!("{} {:?}", record.at.as_micros(), record.event)
        })
        .collect()
}
