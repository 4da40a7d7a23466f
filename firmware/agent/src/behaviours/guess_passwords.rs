//! Somebody at the console guesses passwords.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use super::{Behaviour, Param, ParamKind, Progress, Running};
use crate::device::Device;
use crate::io::Now;
use crate::random::Random;

const DEFAULT_ATTEMPTS: u32 = 10;
const DEFAULT_INTERVAL_MS: u32 = 500;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "guess-passwords",
    summary: "Tries passwords for a local user at the console, all of them wrong.",
    attack: &["T1110.001"],
    params: &[
        Param {
            name: "user",
            kind: ParamKind::Text,
            required: false,
            summary: "The user, who need not exist; root by default.",
        },
        Param {
            name: "attempts",
            kind: ParamKind::Int { min: 1, max: 100_000 },
            required: false,
            summary: "How many tries; 10 by default. The console remembers 256 between two collections.",
        },
        Param {
            name: "interval_ms",
            kind: ParamKind::Int { min: 1, max: 3_600_000 },
            required: false,
            summary: "Pause between two tries; 500 by default.",
        },
    ],
    start: |device, args, now| {
        let mut guesser = Guesser {
            user: args.text("user").unwrap_or("root").to_string(),
            left: args.int("attempts", DEFAULT_ATTEMPTS)?,
            interval_us: u64::from(args.int("interval_ms", DEFAULT_INTERVAL_MS)?) * 1000,
            next_us: now.mono_us,
            random: device.random("guess-passwords"),
        };
        guesser.handle_timeout(device, now);
        Ok(Box::new(guesser))
    },
};

struct Guesser {
    user: String,
    left: u32,
    interval_us: u64,
    next_us: u64,
    random: Random,
}

impl Running for Guesser {
    fn handle_timeout(&mut self, device: &mut Device, now: Now) {
        while self.left > 0 && self.next_us <= now.mono_us {
            self.left -= 1;
            self.next_us = self.next_us.saturating_add(self.interval_us);
            // Longer than any true password, so that luck has no part in it.
            let guess = format!("guess-{:06}", self.random.below(1_000_000));
            device.state.users.sign_in(&self.user, &guess, None, now.unix_s());
        }
    }

    fn poll_timeout(&self) -> Option<u64> {
        (self.left > 0).then_some(self.next_us)
    }

    fn progress(&mut self, _device: &Device) -> Progress {
        if self.left == 0 { Progress::Finished } else { Progress::UnderWay }
    }

    fn stop(&mut self, _device: &mut Device, _now: Now) {}
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use hilarm_link::{DeviceEvent, Value};

    use crate::testing::{World, int};

    #[test]
    fn every_guess_is_a_failed_login_and_reaches_the_hub_with_the_next_collection() {
        let mut world = World::connected();
        let user = ("user".to_string(), Value::Text("operator".to_string()));
        world.run_behaviour("guess-passwords", &[user, int("attempts", 12)]).unwrap();
        world.run_for_s(100);
        let logins = world.security_events("Login");
        assert_eq!(logins.len(), 12);
        for login in &logins {
            assert_eq!((&login["UserName"], &login["Result"]), (&"operator".into(), &"Fail".into()));
        }
        let finished = DeviceEvent::BehaviourFinished { name: "guess-passwords".to_string() };
        assert_eq!(world.time_of(&finished), Some(11 * 500_000));
    }

    #[test]
    fn an_honest_device_tells_of_no_login_no_process_and_no_port() {
        let mut world = World::connected();
        world.run_for_s(600);
        assert!(world.security_messages().is_empty());
    }

    #[test]
    fn stopping_it_ends_the_guessing() {
        let mut world = World::connected();
        world.run_behaviour("guess-passwords", &[int("attempts", 100), int("interval_ms", 1000)]).unwrap();
        world.run_for_s(4);
        world.stop_behaviour("guess-passwords").unwrap();
        world.run_for_s(120);
        assert_eq!(world.security_events("Login").len(), 5);
    }
}
