//! The device presents its first certificate, for ever.

use alloc::boxed::Box;

use super::{Behaviour, UndoneBy, not_now};

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "never-rotate-certificate",
    summary: "Keeps presenting the first certificate, also when it has expired.",
    attack: &["T1649", "T1078"],
    params: &[],
    start: |device, _, _| {
        if !device.identity.has_certificates() {
            return Err(not_now("the device has no certificates"));
        }
        device.identity.policy.keep_certificate = true;
        Ok(Box::new(UndoneBy(|device| device.identity.policy.keep_certificate = false)))
    },
};

#[cfg(test)]
mod tests {
    use crate::testing::{T0_S, World, x509_config};

    fn world() -> World {
        let mut world = World::new(x509_config(&[T0_S + 100, T0_S + 200]));
        world.connect();
        world
    }

    fn presented(world: &World) -> i64 {
        world.last_certificate().unwrap().not_after_s - T0_S
    }

    #[test]
    fn an_honest_device_rotates_when_its_certificate_expires() {
        let mut world = world();
        assert_eq!(presented(&world), 100);
        world.advance_calendar_s(100);
        world.timeout();
        assert_eq!(presented(&world), 200);
    }

    #[test]
    fn an_expired_certificate_is_presented_again() {
        let mut world = world();
        world.run_behaviour("never-rotate-certificate", &[]).unwrap();
        world.advance_calendar_s(100);
        world.timeout();
        assert_eq!(world.connections(), 1, "the session lives on");
        world.reconnect();
        assert_eq!(presented(&world), 100);
    }

    #[test]
    fn a_device_without_certificates_does_not_take_it() {
        assert!(World::connected().run_behaviour("never-rotate-certificate", &[]).is_err());
    }
}
