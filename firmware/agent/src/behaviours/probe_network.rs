//! The device looks for services on the network: one connection after the other, each to the next port.
//! Answered, refused or lost without a trace, every try is a flow.

use alloc::boxed::Box;
use alloc::string::ToString;

use hilarm_link::CommandError;

use super::{Behaviour, Param, ParamKind, Progress, Running};
use crate::device::Device;
use crate::io::{Input, Now, Socket};

const DEFAULT_FIRST_PORT: u16 = 1;
const DEFAULT_INTERVAL_MS: u32 = 100;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "probe-network",
    summary: "Connects to one TCP port after the other of a host, and hangs up each time.",
    attack: &["T1046"],
    params: &[
        Param {
            name: "address",
            kind: ParamKind::Address,
            required: true,
            summary: "The host; from a documentation range.",
        },
        Param {
            name: "first_port",
            kind: ParamKind::Int { min: 1, max: 65_535 },
            required: false,
            summary: "The first port; 1 by default.",
        },
        Param {
            name: "count",
            kind: ParamKind::Int { min: 1, max: 65_535 },
            required: true,
            summary: "How many ports.",
        },
        Param {
            name: "interval_ms",
            kind: ParamKind::Int { min: 1, max: 3_600_000 },
            required: false,
            summary: "How long each try may take, and the pause between two; 100 by default.",
        },
    ],
    start: |device, args, now| {
        let address = args.address("address")?;
        let first_port: u16 = args.int("first_port", DEFAULT_FIRST_PORT)?;
        let count: u16 = args.int("count", 1)?;
        let Some(last_port) = first_port.checked_add(count - 1) else {
            let (name, expected) = ("count".to_string(), "no port beyond 65535".to_string());
            return Err(CommandError::Argument { name, expected });
        };
        let interval_us = u64::from(args.int("interval_ms", DEFAULT_INTERVAL_MS)?) * 1000;
        let ports = first_port..=last_port;
        let mut probe =
            Probe { address, ports, interval_us, next_us: now.mono_us, socket: None, over: false };
        probe.handle_timeout(device, now);
        Ok(Box::new(probe))
    },
};

struct Probe {
    address: [u8; 4],
    /// Those still to be tried.
    ports: core::ops::RangeInclusive<u16>,
    interval_us: u64,
    next_us: u64,
    /// The try under way.
    socket: Option<Socket>,
    over: bool,
}

impl Probe {
    fn hang_up(&mut self, device: &mut Device) {
        if let Some(socket) = self.socket.take() {
            device.close(socket);
        }
    }
}

impl Running for Probe {
    fn handle_input(&mut self, device: &mut Device, input: &Input, _now: Now) {
        match input {
            Input::Opened { socket, .. } if Some(*socket) == self.socket => self.hang_up(device),
            Input::Closed { socket, .. } if Some(*socket) == self.socket => self.socket = None,
            _ => {}
        }
    }

    fn handle_timeout(&mut self, device: &mut Device, now: Now) {
        while !self.over && self.next_us <= now.mono_us {
            self.next_us = self.next_us.saturating_add(self.interval_us);
            self.hang_up(device);
            match self.ports.clone().next() {
                None => self.over = true,
                // Without a free socket the port stays the next one.
                Some(port) => {
                    self.socket = device.open_plain(self.address, port);
                    if self.socket.is_some() {
                        self.ports.next();
                    }
                }
            }
        }
    }

    fn poll_timeout(&self) -> Option<u64> {
        (!self.over).then_some(self.next_us)
    }

    fn progress(&mut self, _device: &Device) -> Progress {
        if self.over { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        self.hang_up(device);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use hilarm_link::{CommandError, DeviceEvent, Value};

    use crate::io::Remote;
    use crate::testing::{OnOpen, World, int};

    const HOST: [u8; 4] = [198, 51, 100, 20];

    fn args(extra: &[(String, Value)]) -> Vec<(String, Value)> {
        let address = ("address".to_string(), Value::Text("198.51.100.20".to_string()));
        core::iter::once(address).chain(extra.iter().cloned()).collect()
    }

    fn tried(world: &World) -> Vec<u16> {
        let tried = world.opened_plainly().into_iter();
        tried
            .map(|remote| match remote {
                Remote::Address { address: HOST, port } => *port,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_port_is_tried_once_whether_it_answers_refuses_or_stays_silent() {
        for on_open in [OnOpen::Accept, OnOpen::Refuse, OnOpen::Silence] {
            let mut world = World::connected();
            world.on_open = on_open;
            world.run_behaviour("probe-network", &args(&[int("first_port", 20), int("count", 5)])).unwrap();
            world.run_for_s(10);
            assert_eq!(tried(&world), [20, 21, 22, 23, 24]);
            let finished = DeviceEvent::BehaviourFinished { name: "probe-network".to_string() };
            assert_eq!(world.time_of(&finished), Some(500_000));
            assert_eq!(world.open_sockets(), 0);
        }
    }

    #[test]
    fn stopping_it_leaves_the_rest_of_the_ports_alone_and_no_connection_open() {
        let mut world = World::connected();
        world.on_open = OnOpen::Silence;
        world.run_behaviour("probe-network", &args(&[int("count", 100), int("interval_ms", 1000)])).unwrap();
        world.run_for_s(2);
        world.stop_behaviour("probe-network").unwrap();
        world.run_for_s(10);
        assert_eq!(tried(&world), [1, 2, 3]);
        assert_eq!(world.open_sockets(), 0);
    }

    #[test]
    fn ports_beyond_the_last_are_refused() {
        let mut world = World::connected();
        let refused =
            world.run_behaviour("probe-network", &args(&[int("first_port", 65_535), int("count", 2)]));
        assert!(matches!(refused, Err(CommandError::Argument { .. })));
        world.run_behaviour("probe-network", &args(&[int("first_port", 65_535), int("count", 1)])).unwrap();
        world.run_for_s(1);
        assert_eq!(tried(&world), [65_535]);
    }
}
