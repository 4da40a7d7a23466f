//! What the fold knows, shared by all detections: they read it while they look at an event, and raise and count
//! into it by way of [`crate::Judgement`] and [`crate::Counting`] alone. Configuration arrives here, as events.

use hilarm_model::{
    DeviceId, HubEvent, Profile, SecurityEvent, SecurityGroup, SecurityPayload, Timestamp, Tuning,
};

use crate::ledger::Ledger;
use crate::ranges::Ranges;
use crate::roster::{Listening, RegisteredKind, Roster};

/// Everything but the states of single detections.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) roster: Roster,
    pub(crate) ranges: Ranges,
    pub(crate) ledger: Ledger,
    pub(crate) settings: Settings,
    /// Monitoring has started; before, nothing counts.
    pub(crate) monitoring: bool,
}

/// How the defender was set up, by events.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) profile: Profile,
    pub(crate) tuning: Tuning,
}

impl State {
    /// Takes in what an event says about devices, groups and settings; answers whether monitoring starts.
    pub(crate) fn configure(&mut self, event: &HubEvent, now: Timestamp) -> bool {
        match event {
            HubEvent::MonitoringStarted if !self.monitoring => {
                self.monitoring = true;
                self.ranges.start(now);
                return true;
            }
            HubEvent::DeviceRegistered { device, authentication, security_group } => {
                let index = self.roster.intern(device);
                self.roster.register(index, Some(RegisteredKind::from(authentication)));
                self.ranges.enroll(&mut self.roster, index, security_group, now);
            }
            HubEvent::DeviceRemoved { device } => {
                if let Some(index) = self.roster.find(device) {
                    self.roster.register(index, None);
                    self.ranges.leave(&mut self.roster, index);
                }
            }
            HubEvent::SecurityGroupConfigured { name, group } => self.ranges.configure(name, group, now),
            HubEvent::SecurityGroupRemoved { name } => {
                self.ranges.configure(name, &SecurityGroup::default(), now);
            }
            HubEvent::ProfileConfigured(profile) => self.settings.profile = *profile,
            HubEvent::DefenderTuned(tuning) => self.settings.tuning = *tuning,
            HubEvent::SecurityMessageReceived { device, events, .. } => {
                self.note_listening_ports(device, events);
            }
            _ => (),
        }
        false
    }

    /// A report of listening ports replaces the one before; those of one message belong together.
    fn note_listening_ports(&mut self, device: &DeviceId, events: &[SecurityEvent]) {
        let mut reported: Option<Listening> = None;
        for event in events {
            if let SecurityPayload::ListeningPorts(ports) = &event.payload {
                let ports = ports.iter().map(|port| (port.protocol, port.port));
                reported.get_or_insert_default().extend(ports);
            }
        }
        let Some(reported) = reported else { return };
        if let Some(device) = self.roster.find(device).and_then(|index| self.roster.get_mut(index)) {
            device.rest.listening = reported;
        }
    }
}
