//! The device connects to a host that is none of its business, and sends it something.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use hilarm_link::LogLevel;

use super::{Behaviour, Param, ParamKind, Progress, Running, not_now};
use crate::device::Device;
use crate::io::{Input, Now, Socket};

const DEFAULT_PORT: u16 = 443;
const DEFAULT_BYTES: u16 = 64;
/// How long a host may take to answer, or to hang up.
const PATIENCE_US: u64 = 20_000_000;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "connect-out",
    summary: "Opens a plain TCP connection, sends some bytes, and hangs up.",
    attack: &["T1041"],
    params: &[
        Param {
            name: "address",
            kind: ParamKind::Address,
            required: true,
            summary: "The host; from a documentation range.",
        },
        Param {
            name: "port",
            kind: ParamKind::Int { min: 1, max: 65_535 },
            required: false,
            summary: "Its TCP port; 443 by default.",
        },
        Param {
            name: "bytes",
            kind: ParamKind::Int { min: 0, max: 65_535 },
            required: false,
            summary: "How many bytes to send; 64 by default.",
        },
    ],
    start: |device, args, now| {
        let address = args.address("address")?;
        let bytes: u16 = args.int("bytes", DEFAULT_BYTES)?;
        let Some(socket) = device.open_plain(address, args.int("port", DEFAULT_PORT)?) else {
            return Err(not_now("all sockets are in use"));
        };
        let deadline_us = now.mono_us.saturating_add(PATIENCE_US);
        Ok(Box::new(Caller { socket: Some(socket), deadline_us, bytes: usize::from(bytes) }))
    },
};

struct Caller {
    /// The connection while it lives.
    socket: Option<Socket>,
    deadline_us: u64,
    bytes: usize,
}

impl Caller {
    fn hang_up(&mut self, device: &mut Device) {
        if let Some(socket) = self.socket.take() {
            device.close(socket);
        }
    }
}

impl Running for Caller {
    fn handle_input(&mut self, device: &mut Device, input: &Input, _now: Now) {
        match input {
            Input::Opened { socket, .. } if Some(*socket) == self.socket => {
                let letters = (b'a'..=b'z').cycle().take(self.bytes);
                device.send(*socket, letters.collect::<Vec<u8>>());
                self.hang_up(device);
            }
            Input::Closed { socket, reason } if Some(*socket) == self.socket => {
                device.log(LogLevel::Info, format!("connect-out: {reason}"));
                self.socket = None;
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, device: &mut Device, now: Now) {
        if self.deadline_us <= now.mono_us {
            self.hang_up(device);
        }
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.socket.map(|_| self.deadline_us)
    }

    fn progress(&mut self, _device: &Device) -> Progress {
        if self.socket.is_none() { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        self.hang_up(device);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use hilarm_link::{DeviceEvent, Value};

    use crate::io::{Remote, Socket};
    use crate::testing::{OnOpen, World, int};

    fn args(extra: &[(String, Value)]) -> Vec<(String, Value)> {
        let address = ("address".to_string(), Value::Text("203.0.113.9".to_string()));
        core::iter::once(address).chain(extra.iter().cloned()).collect()
    }

    fn finished() -> DeviceEvent {
        DeviceEvent::BehaviourFinished { name: "connect-out".to_string() }
    }

    #[test]
    fn it_sends_its_bytes_to_the_host_and_hangs_up() {
        let mut world = World::connected();
        world.run_behaviour("connect-out", &args(&[int("port", 8080), int("bytes", 30)])).unwrap();
        world.run_for_s(1);
        assert_eq!(world.opened_plainly(), [&Remote::Address { address: [203, 0, 113, 9], port: 8080 }]);
        assert_eq!(world.raw_bytes(Socket(1)), b"abcdefghijklmnopqrstuvwxyzabcd");
        assert_eq!(world.time_of(&finished()), Some(0));
        assert_eq!(world.open_sockets(), 0);
    }

    #[test]
    fn it_gives_a_silent_host_up_and_a_refusal_ends_it() {
        for (on_open, finished_us) in [(OnOpen::Silence, 20_000_000), (OnOpen::Refuse, 0)] {
            let mut world = World::connected();
            world.on_open = on_open;
            world.run_behaviour("connect-out", &args(&[])).unwrap();
            world.run_for_s(60);
            assert_eq!(world.time_of(&finished()), Some(finished_us));
            assert_eq!(world.open_sockets(), 0);
        }
    }
}
