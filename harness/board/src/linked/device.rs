//! A device whose time the harness grants, or one that lives in its own.
//!
//! Granted: one stimulus goes in; then the harness listens until the firmware says that it is idle and its counters
//! account for everything that crossed, in both directions. Input thus always meets a sleeping device, which makes
//! its own run repeatable. In its own time a device does things whenever it likes; a step collects what it did.

use hilarm_link::ToDevice;
use hilarm_model::{Monotonic, Now};
use hilarm_network::LinkOutput;

use super::exchange::Exchange;
use super::own_time::OwnTime;
use super::{Frames, Host, Wire};
use crate::{Device, DeviceFault, DeviceOutput, Doorbell, Pace, Stimulus, Timeouts};

/// What a device is assembled from.
#[derive(Debug)]
pub struct Parts {
    /// Who holds the device. First, so that it is dropped first: an emulator must not see its sockets vanish.
    pub host: Box<dyn Host>,
    /// What carries the link.
    pub wire: Box<dyn Wire>,
    /// How frames and time cross.
    pub frames: Frames,
}

/// Real firmware at the other end of a wire.
#[derive(Debug)]
pub struct LinkedDevice {
    /// For a device that lives in its own time. Before what it watches.
    own_time: Option<OwnTime>,
    exchange: Exchange,
    /// Output of the boot, before anyone asked.
    pending: Vec<DeviceOutput>,
}

impl LinkedDevice {
    /// Takes over a device that boots now and lives in the time that its board says.
    pub fn boot_at(pace: Pace, parts: Parts, limits: Timeouts) -> Result<Self, DeviceFault> {
        match pace {
            Pace::Granted => Self::boot(parts, limits),
            Pace::Real => Self::boot_in_own_time(parts, limits),
        }
    }

    /// Takes over a device that boots now, or has just done so with nobody reading before, and waits until it
    /// is idle for the first time. From then on the harness grants it time.
    pub fn boot(parts: Parts, limits: Timeouts) -> Result<Self, DeviceFault> {
        let mut device =
            Self { own_time: None, exchange: Exchange::new(parts, limits.boot), pending: Vec::new() };
        let mut output = Vec::new();
        device.until_idle(&mut output, "the firmware's first idle")?;
        device.pending = output;
        device.exchange.limit = limits.step;
        Ok(device)
    }

    /// The same with a device that has a clock of its own: waits until it says that it has booted.
    pub fn boot_in_own_time(parts: Parts, limits: Timeouts) -> Result<Self, DeviceFault> {
        let mut exchange = Exchange::new(parts, limits.boot);
        let mut pending = Vec::new();
        let booted = |exchange: &Exchange| Ok(exchange.ledger.boot_nonce().is_some());
        exchange.pass_until(booted, &mut pending, "the firmware's boot")?;
        exchange.limit = limits.step;
        Ok(Self { own_time: Some(OwnTime::new()), exchange, pending })
    }

    /// Gives back what it was assembled from, for the next device on the same board.
    pub fn into_parts(self) -> Parts {
        self.exchange.parts
    }

    /// The end of what the firmware said, as far as its host knows.
    pub(crate) fn last_words(&self) -> String {
        self.exchange.parts.host.last_words()
    }

    /// Gives the device something to notice that means nothing, by every wire that it has: whoever watches its
    /// processor then sees whether it still turns. Tells whether any wire took it. For a run that is over: nothing is
    /// counted.
    #[cfg(feature = "probe")]
    pub(crate) fn nudge(&mut self) -> bool {
        self.exchange.nudge()
    }

    fn until_idle(&mut self, output: &mut Vec<DeviceOutput>, what: &str) -> Result<(), DeviceFault> {
        let idle = |exchange: &Exchange| match exchange.ledger.idle().frames_dropped {
            0 => Ok(exchange.ledger.is_settled()),
            dropped => Err(DeviceFault::FramesDropped(dropped)),
        };
        self.exchange.pass_until(idle, output, what)
    }

    /// Everything of this instant: time, then the stimulus, each until the device is idle again.
    fn step_granted(&mut self, stimulus: Stimulus, now: Now) -> Result<Vec<DeviceOutput>, DeviceFault> {
        let mut output = std::mem::take(&mut self.pending);
        if !self.exchange.ledger.is_current(now) {
            self.exchange.grant(now)?;
            self.until_idle(&mut output, "idle after a grant of time")?;
        }
        match stimulus {
            Stimulus::Tick => {}
            Stimulus::Link(LinkOutput::Frame(frame)) => {
                self.exchange.send_frame(frame)?;
                self.until_idle(&mut output, "idle after a frame")?;
            }
            // A device with an interface of its own is never offered sockets.
            Stimulus::Link(_) => {}
            Stimulus::Command { id, command } => {
                self.exchange.send(&ToDevice::Command { id, command });
                self.until_idle(&mut output, "idle after a command")?;
            }
        }
        Ok(output)
    }
}

/// Says what there is to say, and collects what was said since the last look. Nobody waits for an answer.
fn step_in_own_time(
    exchange: &mut Exchange,
    own_time: &mut OwnTime,
    stimulus: Stimulus,
    now: Now,
    output: &mut Vec<DeviceOutput>,
) -> Result<(), DeviceFault> {
    if own_time.is_news(now) {
        exchange.grant(now)?;
    }
    match stimulus {
        Stimulus::Link(LinkOutput::Frame(frame)) => exchange.send_frame(frame)?,
        Stimulus::Tick | Stimulus::Link(_) => {}
        Stimulus::Command { id, command } => exchange.send(&ToDevice::Command { id, command }),
    }
    exchange.pass_until(|exchange| Ok(exchange.is_flushed()), output, "room on the link")?;
    if let Some(fault) = own_time.asks_host().then(|| exchange.parts.host.trouble()).flatten() {
        return Err(fault);
    }
    own_time.look_again();
    Ok(())
}

impl Device for LinkedDevice {
    fn step(&mut self, stimulus: Stimulus, now: Now) -> Result<Vec<DeviceOutput>, DeviceFault> {
        let Self { own_time: Some(own_time), exchange, pending } = self else {
            return self.step_granted(stimulus, now);
        };
        let mut output = std::mem::take(pending);
        step_in_own_time(exchange, own_time, stimulus, now, &mut output)?;
        Ok(output)
    }

    fn deadline(&self) -> Option<Monotonic> {
        match self.own_time {
            None => self.exchange.ledger.idle().deadline_us.map(Monotonic::from_micros),
            Some(_) => None,
        }
    }

    fn pace(&self) -> Pace {
        if self.own_time.is_some() { Pace::Real } else { Pace::Granted }
    }

    fn listen(&mut self, bell: &Doorbell) {
        if let Some(own_time) = &mut self.own_time {
            own_time.watch(&self.exchange.parts, bell);
        }
    }
}
