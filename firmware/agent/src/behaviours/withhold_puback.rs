//! The device takes messages and never says so.

use alloc::boxed::Box;

use super::{Behaviour, UndoneBy};

pub(super) static BEHAVIOUR: Behaviour = Behaviour {
    name: "withhold-puback",
    summary: "Acknowledges no cloud-to-device message until it is stopped, so that they expire.",
    attack: &["T1070"],
    params: &[],
    start: |device, _, _| {
        device.withholds_acknowledgements = true;
        Ok(Box::new(UndoneBy(|device| device.withholds_acknowledgements = false)))
    },
};

#[cfg(test)]
mod tests {
    use crate::mqtt::peer::{self, FromClient};
    use crate::testing::World;

    const TOPIC: &str = "devices/pump-1/messages/devicebound/%24.mid=1";

    fn acknowledged(world: &World) -> usize {
        world.hub_packets().iter().filter(|packet| matches!(packet, FromClient::PubAck(_))).count()
    }

    #[test]
    fn a_message_arrives_and_no_puback_goes_back_until_it_is_stopped() {
        let mut world = World::connected();
        world.run_behaviour("withhold-puback", &[]).unwrap();
        world.hub_sends(peer::publish(TOPIC, b"hello", Some(3)));
        world.run_for_s(60);
        assert_eq!(acknowledged(&world), 0);
        world.stop_behaviour("withhold-puback").unwrap();
        assert_eq!(acknowledged(&world), 0, "what was withheld stays withheld");
        world.hub_sends(peer::publish(TOPIC, b"hello", Some(3)));
        assert_eq!(acknowledged(&world), 1);
    }

    #[test]
    fn it_holds_across_a_reconnection() {
        let mut world = World::connected();
        world.run_behaviour("withhold-puback", &[]).unwrap();
        world.reconnect();
        world.hub_sends(peer::publish(TOPIC, b"hello", Some(3)));
        assert_eq!(acknowledged(&world), 0);
    }
}
