//! One run: a variant of a scenario on a board, from boot to the closing of the books. What it leaves behind lies in its
//! folder. It judges nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hilarm_board::{Backend, Board, Device, Elf, QemuError, SimDevice, UnlinkedDevice};
use hilarm_defender::{Alert, Recommendation};
use hilarm_hub::Authentication;
use hilarm_link::DeviceConfig;
use hilarm_model::DeviceId;
use hilarm_network::{Faults, Medium};
use hilarm_scenario::Scenario;

use crate::autopsy;
use crate::device_log;
use crate::journal::{HarnessRecord, Header, Journal};
use crate::judge::Finding;
use crate::pool::{Lease, Pool};
use crate::provision::{Provisioned, T0, provision};
use crate::script::{Script, ScriptError, per_million};
use crate::trial::Trial;
use crate::variant::Variant;
use crate::world::{World, WorldError};

/// A finished run, before it is judged.
pub(crate) struct Ran {
    pub(crate) journal: Journal,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) recommendations: Vec<Recommendation>,
    /// Events that each detection of the scenario considered.
    pub(crate) considered: BTreeMap<String, u64>,
    pub(crate) error: Option<ScriptError>,
    /// The step during which each hub record came.
    pub(crate) raised_in: Vec<Option<String>>,
    pub(crate) wall: Duration,
    pub(crate) folder: Option<PathBuf>,
}

impl Trial<'_> {
    /// Runs one variant from boot to the closing of the books.
    pub(crate) fn run_once(
        &self,
        scenario: &Scenario,
        variant: &Variant,
        hub: &Authentication,
    ) -> Result<Ran, Finding> {
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
            leave_behind(folder, &world, error.as_ref()).map_err(Finding::new)?;
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
        let mut lease = self.lease(provisioned.devices.len())?;
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
    fn lease(&self, devices: usize) -> Result<Option<Lease<'_>>, ScriptError> {
        let (Backend::Probe, Some(elf)) = (self.board.backend, self.elf) else { return Ok(None) };
        self.pool.lease(self.board, elf, devices).map(Some).map_err(ScriptError::Infra)
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
                let device = launch(self.pool, self.board, elf, config)
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

/// Writes what is there beside the journal.
fn leave_behind(folder: &Path, world: &World, error: Option<&ScriptError>) -> Result<(), String> {
    let told = |what| move |error: std::io::Error| format!("cannot write the {what}: {error}");
    File::create(folder.join("capture.pcapng"))
        .and_then(|mut file| world.network().write_capture(&mut file))
        .map_err(told("capture"))?;
    if let Some(autopsy) = autopsy::of(error) {
        autopsy::write(autopsy, folder).map_err(told("autopsy"))?;
    }
    File::create(folder.join(device_log::FILE))
        .and_then(|file| device_log::write(world.journal(), &mut BufWriter::new(file)))
        .map_err(told("devices' log"))
}

/// Firmware with a link lives on granted time, firmware without one at its own pace.
pub(crate) fn launch(
    pool: &Pool,
    board: &Board,
    elf: &Elf,
    config: &DeviceConfig,
) -> Result<Box<dyn Device>, QemuError> {
    match board.link {
        Some(_) => pool.emulate(board, elf, config),
        None => Ok(Box::new(UnlinkedDevice::launch(board, elf, config)?)),
    }
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
