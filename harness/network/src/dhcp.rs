//! Address leases: DHCP (RFC 2131) as far as a device needs it that brings no address of its own. There is one
//! address to lease on each link, the one it was attached with.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::config::PREFIX_LEN;
use crate::{GATEWAY, RESOLVER, TIME_SERVER};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Fixed fields, with server name and boot file, which nobody uses.
const HEADER_BYTES: usize = 236;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
const REQUEST_OP: u8 = 1;
const REPLY_OP: u8 = 2;
const ETHERNET: u8 = 1;

/// Options (RFC 2132).
const PAD: u8 = 0;
const SUBNET_MASK: u8 = 1;
const ROUTER: u8 = 3;
const NAME_SERVER: u8 = 6;
const TIME_SERVERS: u8 = 42;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const SERVER_IDENTIFIER: u8 = 54;
const END: u8 = 255;

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// Longer than any run; calendars jump, but leases run by the device's monotonic clock.
const LEASE_S: u32 = 7 * 24 * 3600;

/// Whether a datagram is about leases, whichever way it goes: such a one needs no address yet.
pub(crate) fn is_lease(from: SocketAddrV4, to: SocketAddrV4) -> bool {
    matches!((from.port(), to.port()), (CLIENT_PORT, SERVER_PORT) | (SERVER_PORT, CLIENT_PORT))
}

/// Where the reply comes from, and where it goes: to all, since the device may not know its address yet.
pub(crate) fn reply_ends() -> (SocketAddrV4, SocketAddrV4) {
    (SocketAddrV4::new(GATEWAY, SERVER_PORT), SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT))
}

/// The reply to a device whose address this is; none to what asks for nothing.
pub(crate) fn answer(request: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let header = request.get(..HEADER_BYTES)?;
    let options = request[HEADER_BYTES..].strip_prefix(&MAGIC)?;
    if header[0] != REQUEST_OP || header[1] != ETHERNET {
        return None;
    }
    let kind = match option(options, MESSAGE_TYPE)? {
        [DISCOVER] => OFFER,
        [REQUEST] if wants_another(header, options, address) => NAK,
        [REQUEST] => ACK,
        _ => return None,
    };
    let mut reply = header.to_vec();
    reply[0] = REPLY_OP;
    // Transaction, flags and hardware address are the client's; all other fields are the server's.
    reply[12..28].fill(0);
    reply[44..].fill(0);
    if kind != NAK {
        reply[16..20].copy_from_slice(&address.octets());
    }
    reply.extend_from_slice(&MAGIC);
    let mut put = |code: u8, value: &[u8]| {
        reply.extend_from_slice(&[code, value.len() as u8]);
        reply.extend_from_slice(value);
    };
    put(MESSAGE_TYPE, &[kind]);
    put(SERVER_IDENTIFIER, &GATEWAY.octets());
    if kind != NAK {
        put(LEASE_TIME, &LEASE_S.to_be_bytes());
        put(SUBNET_MASK, &(u32::MAX << (32 - u32::from(PREFIX_LEN))).to_be_bytes());
        put(ROUTER, &GATEWAY.octets());
        put(NAME_SERVER, &RESOLVER.octets());
        put(TIME_SERVERS, &TIME_SERVER.octets());
    }
    reply.push(END);
    Some(reply)
}

/// A device that held another address elsewhere asks for it again, in an option or in its header.
fn wants_another(header: &[u8], options: &[u8], address: Ipv4Addr) -> bool {
    let held: [u8; 4] = [header[12], header[13], header[14], header[15]];
    match option(options, REQUESTED_ADDRESS) {
        Some(wanted) => wanted != address.octets(),
        None => held != [0; 4] && held != address.octets(),
    }
}

fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (&code, rest) = options.split_first()?;
        if code == PAD {
            options = rest;
            continue;
        }
        if code == END {
            return None;
        }
        let (&length, rest) = rest.split_first()?;
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        if code == wanted {
            return Some(value);
        }
        options = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 42, 0, 2);

    fn request(kind: u8, more: &[u8]) -> Vec<u8> {
        let mut out = vec![0; HEADER_BYTES];
        out[..8].copy_from_slice(&[REQUEST_OP, ETHERNET, 6, 0, 0xDE, 0xAD, 0xBE, 0xEF]);
        out[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[PAD, MESSAGE_TYPE, 1, kind]);
        out.extend_from_slice(more);
        out.push(END);
        out
    }

    fn kind(reply: &[u8]) -> u8 {
        option(&reply[HEADER_BYTES + 4..], MESSAGE_TYPE).unwrap()[0]
    }

    #[test]
    fn a_discovery_is_offered_the_links_address_with_everything_to_reach_the_hub() {
        let reply = answer(&request(DISCOVER, &[]), ADDRESS).unwrap();
        assert_eq!((reply[0], kind(&reply)), (REPLY_OP, OFFER));
        assert_eq!(&reply[4..8], &[0xDE, 0xAD, 0xBE, 0xEF], "the client's transaction");
        assert_eq!((&reply[16..20], &reply[28..34]), (&[10, 42, 0, 2][..], &[2, 0, 0, 0, 0, 1][..]));
        let options = &reply[HEADER_BYTES + 4..];
        assert_eq!(option(options, SUBNET_MASK), Some(&[255, 255, 255, 0][..]));
        assert_eq!(option(options, ROUTER), Some(&GATEWAY.octets()[..]));
        assert_eq!(option(options, NAME_SERVER), Some(&RESOLVER.octets()[..]));
        assert_eq!(option(options, TIME_SERVERS), Some(&TIME_SERVER.octets()[..]));
    }

    #[test]
    fn the_offered_address_is_granted_and_any_other_is_not() {
        let ask = |address: [u8; 4]| {
            let [a, b, c, d] = address;
            kind(&answer(&request(REQUEST, &[REQUESTED_ADDRESS, 4, a, b, c, d]), ADDRESS).unwrap())
        };
        assert_eq!((ask([10, 42, 0, 2]), ask([192, 168, 1, 7])), (ACK, NAK));
        let mut renewal = request(REQUEST, &[]);
        renewal[12..16].copy_from_slice(&ADDRESS.octets());
        assert_eq!(kind(&answer(&renewal, ADDRESS).unwrap()), ACK);
        renewal[15] = 9;
        assert_eq!(kind(&answer(&renewal, ADDRESS).unwrap()), NAK);
    }

    #[test]
    fn what_asks_for_nothing_is_not_answered() {
        assert_eq!(answer(&request(8, &[]), ADDRESS), None);
        assert_eq!(answer(&answer(&request(DISCOVER, &[]), ADDRESS).unwrap(), ADDRESS), None, "a reply");
        assert_eq!(answer(&[], ADDRESS), None);
    }

    proptest! {
        #[test]
        fn no_options_panic(options in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..330) {
            let mut bytes = request(REQUEST, &options);
            bytes.truncate(cut);
            let _ = answer(&bytes, ADDRESS);
        }
    }
}
