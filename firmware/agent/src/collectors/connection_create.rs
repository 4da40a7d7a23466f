//! The TCP connections that came up since the collection before, as far as the flow table had room to notice. Off unless
//! the twin asks for it: NetworkActivity tells of the same connections, and lacks only who opened them.

use super::{EventCollector, Happening, Tells};
use crate::collectors::schedule::Priority;
use crate::security_message::json::Payload;
use crate::state::{AGENT, AGENT_EXECUTABLE};

pub(super) const COLLECTOR: EventCollector = EventCollector {
    event: "ConnectionCreate",
    priority: Priority::Off,
    tells: Tells::Happenings(|device, _| {
        device.state.connections.take().map(|connection| Happening {
            at_s: connection.at_s,
            payload: Payload::ConnectionCreate {
                flow: connection.flow,
                executable: AGENT_EXECUTABLE.into(),
                process_id: AGENT,
            },
        })
    }),
};

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use hilarm_link::Value;

    use crate::flows::{FlowKey, FlowProtocol};
    use crate::mqtt::peer;
    use crate::testing::World;

    const ASKED: &[u8] = br#"{"ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration":
        {"eventPriorityConnectionCreate":{"value":"High"}}}"#;

    /// The device calls out, and its stack sees the flow or does not.
    fn call_out(world: &mut World, is_seen: bool) {
        let flow = FlowKey {
            protocol: FlowProtocol::Tcp,
            local_address: [10, 42, 0, 2],
            local_port: 49152,
            remote_address: [198, 51, 100, 7],
            remote_port: 443,
        };
        if is_seen {
            world.agent.flows().observe(flow, 20, 20);
        }
        let address = ("address".to_string(), Value::Text("198.51.100.7".to_string()));
        world.run_behaviour("connect-out", &[address]).unwrap();
    }

    #[test]
    fn a_connection_is_told_with_its_ends_and_who_opened_it() {
        let mut world = World::connected();
        world.hub_sends(peer::publish("$iothub/twin/PATCH/properties/desired/?$version=2", ASKED, None));
        call_out(&mut world, true);
        world.run_for_s(100);
        let connections = world.security_events("ConnectionCreate");
        assert_eq!(connections.len(), 1, "{connections:?}");
        let expected = serde_json::json!({
            "RemoteAddress": "198.51.100.7", "RemotePort": "443", "Direction": "Out", "Protocol": "tcp",
            "ProcessId": 2, "Executable": "/bin/agent", "LocalAddress": "10.42.0.2", "LocalPort": "49152",
            "UserId": "0",
        });
        assert_eq!(connections[0], expected);
    }

    #[test]
    fn a_connection_from_before_the_twin_asked_is_not_told_as_new() {
        let mut world = World::connected();
        call_out(&mut world, true);
        world.run_for_s(100);
        world.hub_sends(peer::publish("$iothub/twin/PATCH/properties/desired/?$version=2", ASKED, None));
        world.run_for_s(100);
        assert!(world.security_events("ConnectionCreate").is_empty());
        call_out(&mut world, true);
        world.run_for_s(100);
        assert_eq!(world.security_events("ConnectionCreate").len(), 1);
    }

    #[test]
    fn a_connection_is_not_told_unasked_nor_when_the_flow_table_did_not_notice_it() {
        let mut world = World::connected();
        call_out(&mut world, true);
        world.run_for_s(100);
        assert!(world.security_events("ConnectionCreate").is_empty());
        let mut world = World::connected();
        world.hub_sends(peer::publish("$iothub/twin/PATCH/properties/desired/?$version=2", ASKED, None));
        call_out(&mut world, false);
        world.run_for_s(100);
        assert!(world.security_events("ConnectionCreate").is_empty());
    }
}
