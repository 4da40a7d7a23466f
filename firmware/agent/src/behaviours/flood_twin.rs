//! A module of the device reports properties of its twin, over and over. It has a connection of its own, with
//! its own key: the micro agent and the device's own traffic go on beside it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64ct::{Base64, Encoding};
use hilarm_link::{CommandError, LogLevel};

use super::{Behaviour, Param, ParamKind, Progress, Running, not_now};
use crate::backoff::Backoff;
use crate::device::Device;
use crate::hub::topics;
use crate::io::{Input, Now, Socket};
use crate::mqtt::{Client, Connect, Event, Publication, Qos};
use crate::sas;

const DEFAULT_INTERVAL_MS: u32 = 100;
const OPEN_TIMEOUT_US: u64 = 30_000_000;
const TOKEN_TTL_S: i64 = 3600;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "flood-twin",
    summary: "Connects as a module of the device, and reports properties of the module twin over and over.",
    attack: &["T1565.001", "T1499"],
    params: &[
        Param { name: "module", kind: ParamKind::Text, required: true, summary: "Id of the module." },
        Param {
            name: "key",
            kind: ParamKind::Text,
            required: false,
            summary: "A symmetric key in base64; the one that the device holds for the module by default.",
        },
        Param {
            name: "count",
            kind: ParamKind::Int { min: 1, max: 1_000_000 },
            required: true,
            summary: "How many updates.",
        },
        Param {
            name: "interval_ms",
            kind: ParamKind::Int { min: 1, max: 3_600_000 },
            required: false,
            summary: "Pause between two; 100 by default.",
        },
    ],
    start: |device, args, now| {
        let id = args.text("module").unwrap_or_default();
        let mut module = Module {
            id: id.to_string(),
            key: key(device, id, args.text("key"))?,
            mqtt: Client::new(),
            phase: Phase::Waiting { until_us: now.mono_us },
            backoff: Backoff::new(device.random("flood-twin")),
            interval_us: u64::from(args.int("interval_ms", DEFAULT_INTERVAL_MS)?) * 1000,
            next_us: now.mono_us,
            unsent: args.int("count", 1)?,
            unacknowledged: 0,
            request: 0,
        };
        module.open(device, now);
        match module.phase {
            Phase::Waiting { .. } => Err(not_now("all sockets are in use")),
            _ => Ok(Box::new(module)),
        }
    },
};

/// The key that was given, or the device's own for the module.
fn key(device: &Device, module: &str, given: Option<&str>) -> Result<Vec<u8>, CommandError> {
    let Some(given) = given else {
        let own = device.modules.iter().find(|own| own.id == module);
        return own
            .map(|own| own.key.clone())
            .ok_or_else(|| not_now("the device holds no key for that module"));
    };
    Base64::decode_vec(given)
        .map_err(|_| CommandError::Argument { name: "key".to_string(), expected: "base64".to_string() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting { until_us: u64 },
    Connecting { socket: Socket, deadline_us: u64 },
    Up { socket: Socket },
    Over,
}

struct Module {
    id: String,
    key: Vec<u8>,
    mqtt: Client,
    phase: Phase,
    backoff: Backoff,
    interval_us: u64,
    next_us: u64,
    unsent: u32,
    unacknowledged: u32,
    request: u32,
}

impl Module {
    fn socket(&self) -> Option<Socket> {
        match self.phase {
            Phase::Waiting { .. } | Phase::Over => None,
            Phase::Connecting { socket, .. } | Phase::Up { socket } => Some(socket),
        }
    }

    fn open(&mut self, device: &mut Device, now: Now) {
        match device.open_as_module() {
            Some(socket) => {
                let deadline_us = now.mono_us.saturating_add(OPEN_TIMEOUT_US);
                self.phase = Phase::Connecting { socket, deadline_us };
            }
            None => self.try_later(now),
        }
    }

    fn opened(&mut self, device: &Device, now: Now) {
        let expiry_s = now.unix_s().saturating_add(TOKEN_TTL_S);
        let connect = Connect {
            client_id: format!("{}/{}", device.id, self.id),
            user_name: Some(topics::module_user_name(&device.hub_host, &device.id, &self.id)),
            password: Some(sas::sign_module(&device.hub_host, &device.id, &self.id, &self.key, expiry_s)),
            keep_alive_s: device.keep_alive_s,
            clean_session: false,
        };
        self.mqtt.start(&connect, now.mono_us);
    }

    fn take_events(&mut self, device: &mut Device, now: Now) {
        while let Some(event) = self.mqtt.poll_event() {
            match event {
                Event::Accepted { .. } => self.accepted(now),
                Event::Done { .. } | Event::Dropped { .. } => {
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
                }
                Event::Refused { code } => self.lost(device, &format!("connack {code}"), now),
                Event::Broken { reason } => self.lost(device, &reason, now),
                Event::Subscribed { .. } | Event::Received(_) => {}
            }
        }
    }

    fn accepted(&mut self, now: Now) {
        if let Some(socket) = self.socket() {
            self.phase = Phase::Up { socket };
        }
        self.backoff.reset();
        self.next_us = self.next_us.max(now.mono_us);
    }

    fn report(&mut self, now: Now) {
        while self.due_us().is_some_and(|due_us| due_us <= now.mono_us) {
            self.unsent -= 1;
            self.unacknowledged += 1;
            self.request += 1;
            self.next_us = self.next_us.saturating_add(self.interval_us);
            let publication = Publication {
                topic: topics::twin_patch(self.request),
                payload: format!(r#"{{"updates":{}}}"#, self.request).into_bytes(),
                qos: Qos::AtLeastOnce,
                tag: 0,
            };
            self.mqtt.publish(publication, now.mono_us);
        }
    }

    /// When the next update goes out; nothing while it cannot.
    fn due_us(&self) -> Option<u64> {
        let may_send = matches!(self.phase, Phase::Up { .. }) && self.mqtt.has_room();
        (may_send && self.unsent > 0).then_some(self.next_us)
    }

    fn lost(&mut self, device: &mut Device, reason: &str, now: Now) {
        if let Some(socket) = self.socket() {
            device.close(socket);
        }
        self.forget_connection(device, reason, now);
    }

    fn forget_connection(&mut self, device: &mut Device, reason: &str, now: Now) {
        device.log(LogLevel::Info, format!("module {}: no connection to the hub: {reason}", self.id));
        self.mqtt.transport_lost();
        self.try_later(now);
    }

    fn try_later(&mut self, now: Now) {
        let until_us = now.mono_us.saturating_add(self.backoff.next_pause_us());
        self.phase = Phase::Waiting { until_us };
    }

    fn take_leave(&mut self, device: &mut Device, now: Now) {
        if let Some(socket) = self.socket() {
            self.mqtt.disconnect(now.mono_us);
            device.send(socket, self.mqtt.take_output());
            device.close(socket);
        }
        self.phase = Phase::Over;
    }

    fn settle(&mut self, device: &mut Device, now: Now) {
        self.take_events(device, now);
        self.report(now);
        if let Some(socket) = self.socket() {
            device.send(socket, self.mqtt.take_output());
        }
        if self.unsent == 0 && self.unacknowledged == 0 {
            self.take_leave(device, now);
        }
    }
}

impl Running for Module {
    fn handle_input(&mut self, device: &mut Device, input: &Input, now: Now) {
        let own = self.socket();
        match input {
            Input::Opened { socket, .. } if Some(*socket) == own => self.opened(device, now),
            Input::Received { socket, bytes } if Some(*socket) == own => {
                self.mqtt.receive(bytes, now.mono_us);
            }
            Input::Closed { socket, reason } if Some(*socket) == own => {
                self.forget_connection(device, reason, now);
            }
            _ => return,
        }
        self.settle(device, now);
    }

    fn handle_timeout(&mut self, device: &mut Device, now: Now) {
        match self.phase {
            Phase::Waiting { until_us } if until_us <= now.mono_us => self.open(device, now),
            Phase::Connecting { deadline_us, .. } if deadline_us <= now.mono_us => {
                self.lost(device, "timed out", now);
            }
            Phase::Over => return,
            _ => self.mqtt.handle_timeout(now.mono_us),
        }
        self.settle(device, now);
    }

    fn poll_timeout(&self) -> Option<u64> {
        match self.phase {
            Phase::Waiting { until_us } => Some(until_us),
            Phase::Connecting { deadline_us, .. } => Some(deadline_us),
            Phase::Up { .. } => [self.mqtt.poll_timeout(), self.due_us()].into_iter().flatten().min(),
            Phase::Over => None,
        }
    }

    fn progress(&mut self, _device: &Device) -> Progress {
        if self.phase == Phase::Over { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, device: &mut Device, now: Now) {
        self.take_leave(device, now);
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use hilarm_link::{CommandError, DeviceEvent, Value};

    use crate::io::{Input, Remote, Socket};
    use crate::mqtt::peer::FromClient;
    use crate::testing::{OnOpen, T0_S, World, int};

    const MODULE: Socket = Socket(1);

    fn args(extra: &[(String, Value)]) -> Vec<(String, Value)> {
        core::iter::once(text("module", "maintenance")).chain(extra.iter().cloned()).collect()
    }

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.to_string(), Value::Text(value.to_string()))
    }

    fn patches(world: &World) -> Vec<String> {
        let packets = world.packets_of(MODULE).into_iter();
        packets
            .filter_map(|packet| match packet {
                FromClient::Publish(publish) => Some(publish.topic.clone()),
                _ => None,
            })
            .collect()
    }

    fn finished() -> DeviceEvent {
        DeviceEvent::BehaviourFinished { name: "flood-twin".to_string() }
    }

    #[test]
    fn the_module_connects_under_its_own_name_beside_the_device_and_takes_leave_at_the_end() {
        let mut world = World::connected();
        world.run_behaviour("flood-twin", &args(&[int("count", 3)])).unwrap();
        let (socket, remote, tls) = world.last_opened();
        assert_eq!(socket, MODULE);
        assert_eq!(*remote, Remote::Host { name: "hub.hilarm.test".to_string(), port: 8883 });
        assert_eq!(tls.unwrap().server_name, "hub.hilarm.test");
        world.run_for_s(5);
        let packets = world.packets_of(MODULE);
        let FromClient::Connect { client_id, user_name, password, .. } = packets[0] else {
            panic!("{packets:?}")
        };
        assert_eq!(client_id, "pump-1/maintenance");
        let user_name = user_name.as_ref().unwrap();
        assert!(user_name.starts_with("hub.hilarm.test/pump-1/maintenance/?api-version="), "{user_name}");
        let scope = "SharedAccessSignature sr=hub.hilarm.test%2Fdevices%2Fpump-1%2Fmodules%2Fmaintenance&";
        let password = password.as_ref().unwrap();
        assert!(password.starts_with(scope) && password.ends_with(&format!("&se={}", T0_S + 3600)));
        assert_eq!(packets.last(), Some(&&FromClient::Disconnect));
        assert_eq!(world.connections(), 1, "the device's own connection is left alone");
    }

    #[test]
    fn each_update_is_a_patch_of_reported_properties_at_its_pace() {
        let mut world = World::connected();
        world.run_behaviour("flood-twin", &args(&[int("count", 20), int("interval_ms", 200)])).unwrap();
        world.run_for_s(10);
        let sent = patches(&world);
        assert_eq!(sent.len(), 20);
        assert_eq!(sent[19], "$iothub/twin/PATCH/properties/reported/?$rid=20");
        assert_eq!(world.time_of(&finished()), Some(19 * 200_000));
        assert_eq!(world.open_sockets(), 0);
    }

    #[test]
    fn a_module_that_is_refused_or_cut_off_tries_again() {
        let mut world = World::connected();
        world.connack = 5;
        world.run_behaviour("flood-twin", &args(&[int("count", 3), int("interval_ms", 1000)])).unwrap();
        world.run_for_s(10);
        assert!(patches(&world).is_empty());
        world.connack = 0;
        world.run_for_s(60);
        assert_eq!((patches(&world).len(), world.time_of(&finished()).is_some()), (3, true));
        let mut world = World::connected();
        world.run_behaviour("flood-twin", &args(&[int("count", 3), int("interval_ms", 1000)])).unwrap();
        world.input(Input::Closed { socket: MODULE, reason: "closed by peer".to_string() });
        world.run_for_s(60);
        assert_eq!((patches(&world).len(), world.time_of(&finished()).is_some()), (3, true));
    }

    #[test]
    fn stopping_it_ends_the_flood_also_while_it_is_connecting() {
        let mut world = World::connected();
        world.run_behaviour("flood-twin", &args(&[int("count", 100), int("interval_ms", 1000)])).unwrap();
        world.run_for_s(3);
        world.stop_behaviour("flood-twin").unwrap();
        world.run_for_s(60);
        assert_eq!((patches(&world).len(), world.open_sockets()), (4, 0));
        world.on_open = OnOpen::Silence;
        world.run_behaviour("flood-twin", &args(&[int("count", 1)])).unwrap();
        world.stop_behaviour("flood-twin").unwrap();
        assert_eq!(world.open_sockets(), 0);
    }

    #[test]
    fn a_key_that_is_no_base64_is_refused() {
        let mut world = World::connected();
        let refused =
            world.run_behaviour("flood-twin", &args(&[int("count", 1), text("key", "not base64!")]));
        assert!(matches!(refused, Err(CommandError::Argument { .. })));
    }

    #[test]
    fn a_key_that_is_given_stands_in_for_the_device_s_own_and_an_unknown_module_needs_one() {
        let password = |extra: &[(String, Value)]| {
            let mut world = World::connected();
            world.run_behaviour("flood-twin", &args(extra)).unwrap();
            match world.packets_of(MODULE)[0] {
                FromClient::Connect { password, .. } => password.clone().unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let own = password(&[int("count", 1)]);
        // The base64 of 32 bytes, 0 to 31, which is what the device holds.
        let same = text("key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        assert_eq!(password(&[int("count", 1), same]), own);
        assert_ne!(password(&[int("count", 1), text("key", "AAAA")]), own);
        let mut world = World::connected();
        let unknown = [text("module", "spare"), int("count", 1)];
        assert!(matches!(world.run_behaviour("flood-twin", &unknown), Err(CommandError::NotNow { .. })));
    }
}
