//! The device presents the token it signed first, for ever.

use alloc::boxed::Box;

use super::{Behaviour, UndoneBy, not_now};

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "never-renew-token",
    summary: "Keeps presenting the token signed first, across reconnections, also when it has expired.",
    attack: &["T1550.001"],
    params: &[],
    start: |device, _, _| {
        if !device.identity.has_key() {
            return Err(not_now("the device has no symmetric key"));
        }
        device.identity.policy.keep_token = true;
        Ok(Box::new(UndoneBy(|device| device.identity.policy.keep_token = false)))
    },
};

#[cfg(test)]
mod tests {
    use crate::testing::{World, x509_config};
    use hilarm_link::CommandError;

    #[test]
    fn an_old_token_is_neither_renewed_in_mid_session_nor_at_the_next_connection() {
        let mut world = World::connected();
        let first = world.last_password();
        world.run_behaviour("never-renew-token", &[]).unwrap();
        world.advance_calendar_s(3660);
        world.timeout();
        assert_eq!(world.connections(), 1, "the session lives on");
        world.reconnect();
        assert_eq!(world.last_password(), first);
    }

    #[test]
    fn stopping_it_makes_the_device_renew_at_once() {
        let mut world = World::connected();
        let first = world.last_password();
        world.run_behaviour("never-renew-token", &[]).unwrap();
        world.advance_calendar_s(3660);
        world.timeout();
        world.stop_behaviour("never-renew-token").unwrap();
        assert_ne!(world.last_password(), first);
    }

    #[test]
    fn a_device_without_a_key_does_not_take_it() {
        let mut world = World::new(x509_config(&[1]));
        let refused = world.run_behaviour("never-renew-token", &[]);
        assert!(matches!(refused, Err(CommandError::NotNow { .. })));
    }
}
