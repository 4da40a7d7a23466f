//! The device signs with a key that it guessed.

use alloc::boxed::Box;

use super::{Behaviour, UndoneBy};

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "forge-token",
    summary: "Signs its tokens with a guessed key, from the next connection on.",
    attack: &["T1606", "T1110"],
    params: &[],
    start: |device, _, _| {
        device.identity.policy.guessed_key = Some(device.random("forge-token").bytes());
        Ok(Box::new(UndoneBy(|device| device.identity.policy.guessed_key = None)))
    },
};

#[cfg(test)]
mod tests {
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
}
