//! Which name is which address, and what stands behind an address.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::config::{HTTPS_PORT, TIME_SERVER};
use crate::{Endpoint, HubService};

/// What a TCP connection attempt meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Hub,
    Endpoint(Endpoint),
}

/// Names and endpoints.
#[derive(Debug)]
pub(crate) struct Routes {
    hub: SocketAddrV4,
    names: BTreeMap<String, Ipv4Addr>,
    endpoints: BTreeMap<SocketAddrV4, Endpoint>,
}

impl Routes {
    pub(crate) fn new(hub: SocketAddrV4, hub_host: &str) -> Self {
        let names = BTreeMap::from([(canonical(hub_host), *hub.ip())]);
        Self { hub, names, endpoints: BTreeMap::new() }
    }

    pub(crate) fn set_name(&mut self, host: &str, address: Option<Ipv4Addr>) {
        match address {
            Some(address) => self.names.insert(canonical(host), address),
            None => self.names.remove(&canonical(host)),
        };
    }

    pub(crate) fn set_endpoint(&mut self, at: SocketAddrV4, endpoint: Endpoint) {
        self.endpoints.insert(at, endpoint);
    }

    pub(crate) fn resolve(&self, host: &str) -> Option<Ipv4Addr> {
        let host = canonical(host);
        let known = self.names.get(&host).copied();
        known.or_else(|| is_time_pool(&host).then_some(TIME_SERVER))
    }

    /// The listener of the hub at an address.
    pub(crate) fn hub_service(&self, at: SocketAddrV4) -> Option<HubService> {
        if at == self.hub {
            return Some(HubService::Mqtt);
        }
        (at == SocketAddrV4::new(*self.hub.ip(), HTTPS_PORT)).then_some(HubService::Https)
    }

    /// An endpoint goes before the hub, so that a scenario can take the hub off the network.
    pub(crate) fn route(&self, to: SocketAddrV4) -> Route {
        match self.endpoints.get(&to) {
            Some(endpoint) => Route::Endpoint(endpoint.clone()),
            None if self.hub_service(to).is_some() => Route::Hub,
            None if to.ip().is_documentation() => Route::Endpoint(Endpoint::BlackHole),
            None => Route::Endpoint(Endpoint::Refuse),
        }
    }
}

/// Firmware that knows no time server of its own asks this pool.
fn is_time_pool(host: &str) -> bool {
    host.strip_suffix("pool.ntp.org").is_some_and(|zone| zone.is_empty() || zone.ends_with('.'))
}

/// Names compare without case and without the root's dot (RFC 1035, 2.3.3).
pub(crate) fn canonical(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        Routes::new("10.77.0.10:8883".parse().unwrap(), "hub.hilarm.test")
    }

    fn meets(routes: &Routes, to: &str) -> Route {
        routes.route(to.parse().unwrap())
    }

    #[test]
    fn the_pool_of_time_servers_is_ours() {
        let mut routes = Routes::new("10.77.0.10:8883".parse().unwrap(), "hub.hilarm.test");
        assert_eq!(routes.resolve("0.Pool.ntp.org."), Some(TIME_SERVER));
        assert_eq!(routes.resolve("pool.ntp.org"), Some(TIME_SERVER));
        assert_eq!(routes.resolve("carpool.ntp.org"), None);
        routes.set_name("pool.ntp.org", Some(Ipv4Addr::new(203, 0, 113, 9)));
        assert_eq!(routes.resolve("pool.ntp.org"), Some(Ipv4Addr::new(203, 0, 113, 9)), "a lie goes first");
    }

    #[test]
    fn names_compare_without_case_and_can_be_taken_away() {
        let mut routes = routes();
        assert_eq!(routes.resolve("HUB.hilarm.test."), Some(Ipv4Addr::new(10, 77, 0, 10)));
        routes.set_name("Hub.Hilarm.Test", None);
        assert_eq!(routes.resolve("hub.hilarm.test"), None);
    }

    #[test]
    fn unknown_addresses_refuse_and_documentation_ranges_swallow() {
        let routes = routes();
        assert_eq!(meets(&routes, "10.77.0.10:8883"), Route::Hub);
        for refusing in ["10.77.0.10:8884", "10.77.0.11:443", "8.8.8.8:53", "192.0.3.1:80"] {
            assert_eq!(meets(&routes, refusing), Route::Endpoint(Endpoint::Refuse), "{refusing}");
        }
        for swallowing in ["192.0.2.1:80", "198.51.100.255:1", "203.0.113.66:1883"] {
            assert_eq!(meets(&routes, swallowing), Route::Endpoint(Endpoint::BlackHole), "{swallowing}");
        }
    }

    #[test]
    fn the_hub_listens_for_mqtt_and_for_https() {
        let routes = routes();
        assert_eq!(meets(&routes, "10.77.0.10:443"), Route::Hub);
        let service = |at: &str| routes.hub_service(at.parse().unwrap());
        assert_eq!(service("10.77.0.10:8883"), Some(HubService::Mqtt));
        assert_eq!(service("10.77.0.10:443"), Some(HubService::Https));
        assert_eq!(service("10.77.0.10:80"), None);
    }

    #[test]
    fn an_endpoint_stands_before_the_hub() {
        let mut routes = routes();
        routes.set_endpoint("10.77.0.10:8883".parse().unwrap(), Endpoint::Refuse);
        assert_eq!(meets(&routes, "10.77.0.10:8883"), Route::Endpoint(Endpoint::Refuse));
    }
}
