//! A device with a TCP/IP stack of its own, as firmware has it: smoltcp over frames.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use hilarm_model::{Monotonic, Now};
use hilarm_network::{GATEWAY, LinkId};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};

#[derive(Default)]
pub struct Card {
    pub inbound: VecDeque<Vec<u8>>,
    pub outbound: Vec<Vec<u8>>,
}

pub struct Board {
    pub link: LinkId,
    pub card: Card,
    interface: Interface,
    sockets: SocketSet<'static>,
    next_port: u16,
}

impl Board {
    pub fn new(link: LinkId, mac: [u8; 6], address: Ipv4Addr) -> Self {
        let mut card = Card::default();
        let mut config = Config::new(EthernetAddress(mac).into());
        config.random_seed = 7;
        let mut interface = Interface::new(config, &mut card, Instant::ZERO);
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(address.into(), 24)).unwrap());
        interface.routes_mut().add_default_ipv4_route(GATEWAY).unwrap();
        Self { link, card, interface, sockets: SocketSet::new(Vec::new()), next_port: 50_000 }
    }

    pub fn connect(&mut self, to: SocketAddrV4) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 8192]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket
            .connect(self.interface.context(), (IpAddress::from(*to.ip()), to.port()), self.next_port)
            .unwrap();
        self.next_port += 1;
        self.sockets.add(socket)
    }

    pub fn datagrams(&mut self, port: u16) -> SocketHandle {
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 4096]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).unwrap();
        self.sockets.add(socket)
    }

    pub fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    pub fn udp(&mut self, handle: SocketHandle) -> &mut udp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    pub fn read(&mut self, handle: SocketHandle) -> Vec<u8> {
        let mut out = Vec::new();
        while self.tcp(handle).can_recv() {
            self.tcp(handle).recv(|bytes| (bytes.len(), out.extend_from_slice(bytes))).unwrap();
        }
        out
    }

    pub fn poll(&mut self, now: Now) {
        self.interface.poll(instant(now.mono), &mut self.card, &mut self.sockets);
    }

    pub fn poll_timeout(&mut self, now: Now) -> Option<Monotonic> {
        let at = self.interface.poll_at(instant(now.mono), &self.sockets)?;
        Some(Monotonic::from_micros(at.total_micros().try_into().unwrap()))
    }
}

fn instant(at: Monotonic) -> Instant {
    Instant::from_micros(i64::try_from(at.as_micros()).unwrap())
}

pub struct Arrived(Vec<u8>);

pub struct Leaving<'a>(&'a mut Vec<Vec<u8>>);

impl Device for Card {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Leaving<'_>)> {
        let frame = self.inbound.pop_front()?;
        Some((Arrived(frame), Leaving(&mut self.outbound)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&mut self.outbound))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        self.0.push(frame);
        result
    }
}
