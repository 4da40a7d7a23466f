//! Serial lines of other machines: a TCP connection, raw or with RFC 2217 agreed on before it is used.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::SerialError;
use super::pump::Line;
use super::telnet::{Agreement, Telnet};
use crate::linked::readiness::wait;

/// A connection that passes bytes on as they are.
pub(super) fn open_raw(server: &str, limit: Duration) -> Result<Line, SerialError> {
    let stream = connect(server, limit)?;
    Ok(Line::new(OwnedFd::from(stream), None, Vec::new()))
}

/// A connection whose server has set its line as asked.
pub(super) fn open_rfc2217(server: &str, baud: u32, limit: Duration) -> Result<Line, SerialError> {
    let give_up = Instant::now() + limit;
    let mut stream = connect(server, limit)?;
    let failed = |problem: String| SerialError::Negotiation { server: server.to_owned(), problem };
    let (mut telnet, opening) = Telnet::new(baud);
    let mut early = Vec::new();
    let mut reply = opening;
    loop {
        // A few hundred bytes at most, which an empty send buffer takes at once.
        stream.write_all(&reply).map_err(|error| failed(format!("broke off: {error}")))?;
        reply.clear();
        match telnet.agreement() {
            Agreement::Reached => return Ok(Line::new(OwnedFd::from(stream), Some(telnet), early)),
            Agreement::Refused(why) => return Err(failed(why)),
            Agreement::Pending => {}
        }
        wait(&mut [PollFd::new(&stream, PollFlags::IN)], give_up)
            .map_err(|_| failed(telnet.missing().to_owned()))?;
        let mut buffer = [0; 512];
        match stream.read(&mut buffer) {
            Ok(0) => {
                return Err(failed("closed the connection, perhaps because the port is busy".to_owned()));
            }
            Ok(length) => telnet.receive(&buffer[..length], &mut early, &mut reply),
            Err(error) => return Err(failed(format!("broke off: {error}"))),
        }
        if early.len() > EARLY_BYTES_MAX {
            return Err(failed(telnet.missing().to_owned()));
        }
    }
}

/// A line that talks this much before it is agreed upon speaks no RFC 2217.
const EARLY_BYTES_MAX: usize = 64 * 1024;

fn connect(server: &str, limit: Duration) -> Result<TcpStream, SerialError> {
    let failed = |error: std::io::Error| SerialError::Unreachable {
        server: server.to_owned(),
        error: error.to_string(),
    };
    let addresses = server.to_socket_addrs().map_err(failed)?;
    let mut last = std::io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}
