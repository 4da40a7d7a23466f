//! The device presents somebody else's certificate.

use alloc::boxed::Box;

use super::{Behaviour, Param, ParamKind, UndoneBy};

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "present-foreign-certificate",
    summary: "Presents the given certificate in place of its own credential, from the next connection on.",
    attack: &["T1649", "T1078"],
    params: &[Param {
        name: "certificate",
        kind: ParamKind::Certificate,
        required: true,
        summary: "The certificate, with its key.",
    }],
    start: |device, args, _| {
        device.identity.policy.foreign_certificate = Some(args.certificate("certificate")?);
        Ok(Box::new(UndoneBy(|device| device.identity.policy.foreign_certificate = None)))
    },
};

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use hilarm_link::{Value, X509Credential};

    use crate::testing::{T0_S, World, x509_config};

    #[test]
    fn the_next_connection_shows_the_foreign_certificate_and_stopping_brings_the_own_one_back() {
        let mut world = World::new(x509_config(&[T0_S + 100]));
        world.connect();
        let own = world.last_certificate();
        let foreign = X509Credential { certificate: vec![9], key: vec![9], not_after_s: T0_S + 50 };
        let args = [("certificate".to_string(), Value::Certificate(foreign.clone()))];
        world.run_behaviour("present-foreign-certificate", &args).unwrap();
        assert_eq!(world.last_certificate(), own, "the session lives on");
        world.reconnect();
        assert_eq!(world.last_certificate(), Some(foreign));
        world.stop_behaviour("present-foreign-certificate").unwrap();
        world.reconnect();
        assert_eq!(world.last_certificate(), own);
    }

    #[test]
    fn a_device_with_a_key_shows_the_certificate_in_place_of_a_token() {
        let mut world = World::connected();
        let foreign = X509Credential { certificate: vec![9], key: vec![9], not_after_s: 0 };
        let args = [("certificate".to_string(), Value::Certificate(foreign.clone()))];
        world.run_behaviour("present-foreign-certificate", &args).unwrap();
        world.reconnect();
        assert_eq!(world.last_certificate(), Some(foreign));
        assert_eq!(world.last_password(), None);
    }
}
