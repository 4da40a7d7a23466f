//! The distinct connections of a device in the windows that count them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hilarm_model::{Flow, FlowProtocol};

use crate::ranges::GaugeIndex;
use crate::roster::Device;
use crate::window::Window;

/// Distinct connections of a device that one window counts; beyond, the count stays.
const CONNECTIONS_MAX: usize = 65_536;

/// Protocol, local address and port, remote address and port.
type ConnectionKey = (FlowProtocol, IpAddr, u16, IpAddr, u16);

/// The connections that a tally of the same gauge and window counted.
#[derive(Debug)]
pub(crate) struct Connections {
    gauge: GaugeIndex,
    window: Window,
    seen: BTreeSet<ConnectionKey>,
}

impl Device {
    /// Whether the connection is the first of its kind in the window.
    pub(crate) fn is_new(&mut self, gauge: GaugeIndex, window: Window, flow: &Flow) -> bool {
        let all = &mut self.rest.reported.get_or_insert_default().connections;
        let same = |known: &Connections| known.gauge == gauge && known.window.number == window.number;
        let place = all.iter().position(same).unwrap_or_else(|| {
            all.retain(|known| known.gauge != gauge && !known.window.over(window.start));
            all.push(Connections { gauge, window, seen: BTreeSet::new() });
            all.len() - 1
        });
        let (local, remote) = (flow.local_address.to_canonical(), flow.remote_address.to_canonical());
        let key = (flow.protocol, local, flow.local_port, remote, flow.remote_port);
        let seen = &mut all[place].seen;
        seen.len() < CONNECTIONS_MAX && seen.insert(key)
    }
}
