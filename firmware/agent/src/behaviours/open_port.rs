//! The device listens where it should not.

use alloc::boxed::Box;

use super::{Behaviour, Param, ParamKind, Progress, Running, not_now};
use crate::device::Device;
use crate::io::Now;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "open-port",
    summary: "Listens on a TCP port until the behaviour is stopped.",
    attack: &["T1205"],
    params: &[Param {
        name: "port",
        kind: ParamKind::Int { min: 1, max: 65_535 },
        required: true,
        summary: "The port.",
    }],
    start: |device, args, _| {
        let port = args.int("port", 0)?;
        if !device.state.listen(port) {
            return Err(not_now("the port is open already"));
        }
        Ok(Box::new(OpenPort { port, told: false }))
    },
};

struct OpenPort {
    port: u16,
    told: bool,
}

impl Running for OpenPort {
    fn progress(&mut self, _device: &Device) -> Progress {
        if core::mem::replace(&mut self.told, true) { Progress::UnderWay } else { Progress::DoneForNow }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        device.state.close_port(self.port);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{World, int};

    #[test]
    fn an_open_port_is_told_at_each_collection_until_it_closes() {
        let mut world = World::connected();
        world.run_behaviour("open-port", &[int("port", 4444)]).unwrap();
        world.run_for_s(220);
        let told = world.security_events("ListeningPorts");
        assert!((3..=4).contains(&told.len()), "{told:?}");
        assert!(told.iter().all(|port| port["LocalPort"] == "4444" && port["LocalAddress"] == "10.42.0.2"));
        world.stop_behaviour("open-port").unwrap();
        world.run_for_s(300);
        assert_eq!(world.security_events("ListeningPorts").len(), told.len());
        assert_eq!(world.security_messages().len(), told.len() + 1, "the last one tells of no port");
    }
}
