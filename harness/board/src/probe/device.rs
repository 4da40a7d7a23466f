//! A device on a board behind a debug probe, for one run. When the run is over the board goes back to where it came
//! from, unless something befell it.

use std::time::{Duration, Instant};

use hilarm_link::FromDevice;
use hilarm_model::{Monotonic, Now};

use super::autopsy::{Scene, examine};
use super::emulator::Emulator;
use super::log::Log;
use super::vitals::VitalSigns;
use super::{LogLine, ProbeSession, Station};
use crate::autopsy::{LastGiven, PANIC};
use crate::linked::{Host, LinkedDevice, WireError};
use crate::{Autopsy, AutopsyVerdict, Device, DeviceFault, DeviceOutput, Doorbell, Pace, Stimulus};

/// A wire may break a moment before what held it is known to be gone.
const AFTERMATH: Duration = Duration::from_secs(2);
/// For a wire to be readied after a device that died.
const RENEW_LIMIT: Duration = Duration::from_secs(2);

type Home = Box<dyn FnOnce(Station) + Send>;

/// Real firmware on a board behind a debug probe.
pub struct ProbeDevice {
    /// There until the end.
    device: Option<LinkedDevice>,
    station: Option<Station>,
    given: LastGiven,
    fault: Option<DeviceFault>,
    /// Whether a board that something befell has been brought back.
    recovered: bool,
    home: Option<Home>,
}

impl ProbeDevice {
    pub(super) fn new(device: LinkedDevice, station: Station) -> Self {
        Self {
            device: Some(device),
            station: Some(station),
            given: LastGiven::default(),
            fault: None,
            recovered: false,
            home: None,
        }
    }

    /// Where the board goes when the run is over and all is well.
    pub(super) fn return_to(&mut self, home: Home) {
        self.home = Some(home);
    }

    /// The board, as long as the run goes on.
    pub fn station(&self) -> Option<&Station> {
        self.station.as_ref()
    }

    /// Ends the run and gives the board back; nothing when something befell it.
    pub fn into_station(mut self) -> Option<Station> {
        self.finish()
    }

    fn finish(&mut self) -> Option<Station> {
        let (device, mut station) = (self.device.take()?, self.station.take()?);
        let mut parts = device.into_parts();
        // What befell a board and is not known is found out by opening it anew.
        let usable = match &self.fault {
            None => true,
            Some(_) => self.recovered && parts.wire.renew(RENEW_LIMIT).is_ok(),
        };
        station.take_back(parts);
        (usable && station.rest().is_ok()).then_some(station)
    }

    fn lives(&mut self) -> Result<(&mut LinkedDevice, &Station), DeviceFault> {
        let over = || DeviceFault::Probe { error: "the run is over".to_owned() };
        let (Some(device), Some(station)) = (&mut self.device, &self.station) else { return Err(over()) };
        if let Some(error) = station.gone() {
            return Err(DeviceFault::Probe { error });
        }
        // What a dead processor is told stays in the line, and its next life would read it.
        match station.vitals().end() {
            Some(end) => Err(DeviceFault::Processor(end)),
            None => Ok((device, station)),
        }
    }
}

impl Device for ProbeDevice {
    fn step(&mut self, stimulus: Stimulus, now: Now) -> Result<Vec<DeviceOutput>, DeviceFault> {
        self.given.note(&stimulus, now);
        let stepped = self.lives().and_then(|(device, station)| {
            let mut output = device.step(stimulus, now)?;
            // Whenever the probe happened to look: for the reader, never for a verdict.
            let lines = station.log().take().into_iter();
            output.extend(
                lines.map(|LogLine { level, text }| DeviceOutput::Report(FromDevice::Log { level, text })),
            );
            Ok(output)
        });
        self.fault = stepped.as_ref().err().cloned().or(self.fault.take());
        stepped
    }

    fn autopsy(&mut self) -> Option<Autopsy> {
        let (device, station) = (self.device.as_mut()?, self.station.as_mut()?);
        let fault = self.fault.clone()?;
        let scene = Scene { fault, given: self.given.clone() };
        let mut autopsy = examine(station, scene, || device.nudge());
        // Of a wire that broke nobody knows what is still in it, and a probe that failed is opened anew.
        let known = !matches!(autopsy.verdict, AutopsyVerdict::LinkLost | AutopsyVerdict::ProbeError);
        if known {
            match station.recover() {
                Ok(()) => self.recovered = true,
                Err(error) => autopsy.missing.push(format!("the board does not come back: {error}")),
            }
        }
        Some(autopsy)
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.device.as_ref().and_then(LinkedDevice::deadline)
    }

    fn pace(&self) -> Pace {
        self.device.as_ref().map_or(Pace::Granted, LinkedDevice::pace)
    }

    fn listen(&mut self, bell: &Doorbell) {
        self.device.iter_mut().for_each(|device| device.listen(bell));
    }
}

impl Drop for ProbeDevice {
    fn drop(&mut self) {
        if let (Some(station), Some(home)) = (self.finish(), self.home.take()) {
            home(station);
        }
    }
}

/// Knows what the probe knows of the device.
#[derive(Debug)]
pub(super) struct ProbeHost {
    session: ProbeSession,
    emulator: Option<Emulator>,
    log: Log,
    vitals: VitalSigns,
}

impl ProbeHost {
    pub(super) fn new(
        session: ProbeSession,
        emulator: Option<Emulator>,
        log: Log,
        vitals: VitalSigns,
    ) -> Self {
        Self { session, emulator, log, vitals }
    }

    /// The end of what the firmware said, over RTT or its console.
    fn last_words(&self) -> String {
        let log = self.log.tail();
        if !log.is_empty() {
            return log;
        }
        self.emulator.as_ref().map(Emulator::console_tail).unwrap_or_default()
    }
}

impl Host for ProbeHost {
    fn trouble(&mut self) -> Option<DeviceFault> {
        if let Some(error) = self.session.gone() {
            return Some(DeviceFault::Probe { error });
        }
        let said = self.last_words();
        if let Some((_, message)) = said.split_once(PANIC) {
            let message = message.lines().next().unwrap_or_default().to_owned();
            return Some(DeviceFault::Panicked { message });
        }
        self.vitals.end().map(DeviceFault::Processor)
    }

    fn lost(&mut self, doing: &'static str, error: &WireError) -> DeviceFault {
        let give_up = Instant::now() + AFTERMATH;
        while Instant::now() < give_up {
            if let Some(fault) = self.trouble() {
                return fault;
            }
            std::thread::yield_now();
        }
        DeviceFault::LinkLost { doing, error: error.to_string() }
    }

    fn detail(&self) -> String {
        let said = self.last_words();
        if said.is_empty() { said } else { format!("; log: {said}") }
    }
}

#[cfg(test)]
mod tests;
