//! The device signs with a key that it guessed.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::{Behaviour, Param, ParamKind, UndoneBy};
use crate::identity::Forgery;

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "forge-token",
    summary: "Signs its tokens with a guessed key, from the next connection on.",
    attack: &["T1606", "T1110"],
    params: &[Param {
        name: "device",
        kind: ParamKind::Text,
        required: false,
        summary: "Id of the device whose resource the tokens claim; its own by default.",
    }],
    start: |device, args, _| {
        let of_device = args.text("device").map(ToString::to_string);
        let guessed_key = device.random("forge-token").bytes();
        device.identity.policy.forgery = Some(Forgery { guessed_key, of_device });
        Ok(Box::new(UndoneBy(|device| device.identity.policy.forgery = None)))
    },
};

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use hilarm_link::Value;

    use crate::testing::World;

    fn signature(token: &str) -> &str {
        token.split("&sig=").nth(1).and_then(|rest| rest.split('&').next()).unwrap()
    }

    #[test]
    fn the_next_token_differs_in_its_signature_only_and_stopping_brings_the_true_one_back() {
        let mut world = World::connected();
        let honest = world.last_password().unwrap();
        world.run_behaviour("forge-token", &[]).unwrap();
        world.reconnect();
        let forged = world.last_password().unwrap();
        assert_ne!(signature(&forged), signature(&honest));
        assert_eq!(forged.replace(signature(&forged), ""), honest.replace(signature(&honest), ""));
        world.stop_behaviour("forge-token").unwrap();
        world.reconnect();
        assert_eq!(world.last_password(), Some(honest));
    }

    #[test]
    fn it_can_claim_the_resource_of_another_device() {
        let mut world = World::connected();
        let honest = world.last_password().unwrap();
        let other = ("device".to_string(), Value::Text("pump-2".to_string()));
        world.run_behaviour("forge-token", &[other]).unwrap();
        world.reconnect();
        let forged = world.last_password().unwrap();
        let own = honest.split("&sig=").next().unwrap();
        assert_eq!(forged.split("&sig=").next().unwrap(), own.replace("pump-1", "pump-2"));
    }
}
