//! Somebody signs in at the console with a password that is right: stolen, or of an account they made.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use hilarm_link::LogLevel;

use super::{Behaviour, Param, ParamKind, Progress, Running};
use crate::device::Device;
use crate::io::Now;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "sign-in",
    summary: "Signs in at the console as a local user, whose account is made first where there is none.",
    attack: &["T1078.003", "T1136.001"],
    params: &[
        Param {
            name: "user",
            kind: ParamKind::Text,
            required: true,
            summary: "The user; `root` and `operator` exist.",
        },
        Param {
            name: "from",
            kind: ParamKind::Address,
            required: false,
            summary: "Where from, for a remote login; from a documentation range. At the console by default.",
        },
    ],
    start: |device, args, now| {
        let user = args.text("user").unwrap_or_default().to_string();
        let from = args.address("from").ok();
        let password = device.factory_password(&user);
        let made = device.state.users.add(&user, &password);
        if made {
            device.log(LogLevel::Info, format!("user {user} added"));
        }
        device.state.users.sign_in(&user, &password, from, now.unix_s());
        Ok(Box::new(Intruder { account: made.then_some(user), told: false }))
    },
};

struct Intruder {
    /// The account that was made.
    account: Option<String>,
    told: bool,
}

impl Running for Intruder {
    /// The account stays until the behaviour is stopped.
    fn progress(&mut self, _device: &Device) -> Progress {
        match (self.account.is_some(), core::mem::replace(&mut self.told, true)) {
            (false, _) => Progress::Finished,
            (true, false) => Progress::DoneForNow,
            (true, true) => Progress::UnderWay,
        }
    }

    fn stop(&mut self, device: &mut Device, _now: Now) {
        if let Some(account) = &self.account {
            device.state.users.remove(account);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use hilarm_link::{DeviceEvent, Value};

    use crate::testing::World;

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.to_string(), Value::Text(value.to_string()))
    }

    #[test]
    fn an_intruder_without_an_account_makes_one_and_the_login_succeeds() {
        let mut world = World::connected();
        world.run_behaviour("sign-in", &[text("user", "backdoor"), text("from", "192.0.2.7")]).unwrap();
        let finished = DeviceEvent::BehaviourFinished { name: "sign-in".to_string() };
        assert_eq!(world.time_of(&finished), Some(0));
        world.run_for_s(100);
        let logins = world.security_events("Login");
        assert_eq!(logins.len(), 1);
        assert_eq!((&logins[0]["UserName"], &logins[0]["Result"]), (&"backdoor".into(), &"Success".into()));
        assert_eq!(logins[0]["RemoteAddress"], "192.0.2.7");
        assert!(world.logs().iter().any(|line| line == "user backdoor added"));
        world.stop_behaviour("sign-in").unwrap();
    }

    #[test]
    fn a_user_of_the_device_signs_in_with_no_new_account_and_may_do_so_again() {
        let mut world = World::connected();
        world.run_behaviour("sign-in", &[text("user", "operator")]).unwrap();
        world.run_behaviour("sign-in", &[text("user", "operator")]).unwrap();
        world.run_for_s(100);
        let logins = world.security_events("Login");
        assert_eq!(logins.len(), 2);
        assert!(logins.iter().all(|login| login["Result"] == "Success"));
        assert!(world.logs().iter().all(|line| !line.contains("added")));
    }
}
