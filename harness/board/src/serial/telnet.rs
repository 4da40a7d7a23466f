//! RFC 2217 over Telnet (RFC 854), the client's side, without a socket: bytes in, bytes out. Both directions
//! become binary (RFC 856), so that nothing but the escape byte itself is ever rewritten.

const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

const BINARY: u8 = 0;
const SUPPRESS_GO_AHEAD: u8 = 3;
const COM_PORT: u8 = 44;

// Commands of the client; the server answers each with the command plus 100 (RFC 2217, section 3).
const SET_BAUDRATE: u8 = 1;
const SET_DATASIZE: u8 = 2;
const SET_PARITY: u8 = 3;
const SET_STOPSIZE: u8 = 4;
const SET_CONTROL: u8 = 5;
const FLOW_SUSPEND: u8 = 8;
const FLOW_RESUME: u8 = 9;
const FROM_SERVER: u8 = 100;

const EIGHT_BITS: u8 = 8;
const NO_PARITY: u8 = 1;
const ONE_STOP_BIT: u8 = 1;
const NO_FLOW_CONTROL: u8 = 1;
const DTR_ON: u8 = 8;
const RTS_ON: u8 = 11;

/// Longer subnegotiations are none of ours; their rest is dropped.
const SUBNEGOTIATION_BYTES_MAX: usize = 64;

/// How far the two sides have come to terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// Answers are missing.
    Pending,
    /// Binary both ways, the line set as asked.
    Reached,
    /// Never.
    Refused(String),
}

/// One connection's state.
#[derive(Debug)]
pub(super) struct Telnet {
    baud: u32,
    state: State,
    subnegotiation: Vec<u8>,
    /// The server said DO, for each option that we offered.
    we: Options,
    /// The server said WILL, for each option that we asked for.
    they: Options,
    /// Options that were refused already: each is refused once, or two stubborn ends would never stop.
    refused: Vec<[u8; 2]>,
    baud_set: Option<u32>,
    objection: Option<String>,
    suspended: bool,
}

#[derive(Debug, Default)]
struct Options {
    binary: bool,
    com_port: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Data,
    Escape,
    Option(u8),
    Subnegotiation,
    SubnegotiationEscape,
}

impl Telnet {
    /// A client that wants this speed, and what it says first.
    pub(super) fn new(baud: u32) -> (Self, Vec<u8>) {
        let telnet = Self {
            baud,
            state: State::Data,
            subnegotiation: Vec::new(),
            we: Options::default(),
            they: Options::default(),
            refused: Vec::new(),
            baud_set: None,
            objection: None,
            suspended: false,
        };
        let offers = [
            [IAC, WILL, BINARY],
            [IAC, DO, BINARY],
            [IAC, WILL, SUPPRESS_GO_AHEAD],
            [IAC, DO, SUPPRESS_GO_AHEAD],
            [IAC, WILL, COM_PORT],
        ];
        (telnet, offers.concat())
    }

    /// How far the two sides have come.
    pub(super) fn agreement(&self) -> Agreement {
        match (&self.objection, self.baud_set) {
            (Some(objection), _) => Agreement::Refused(objection.clone()),
            (None, Some(baud)) if baud != self.baud => {
                Agreement::Refused(format!("set the speed {baud} in place of {}", self.baud))
            }
            (None, Some(_)) if self.we.binary && self.they.binary => Agreement::Reached,
            _ => Agreement::Pending,
        }
    }

    /// What is missing, for whoever waited in vain.
    pub(super) fn missing(&self) -> &'static str {
        match (self.we.com_port, self.we.binary && self.they.binary) {
            (false, _) => "did not agree to RFC 2217; if it passes bytes on as they are, write `tcp:`",
            (true, false) => "did not agree to binary transmission",
            (true, true) => "did not confirm the speed",
        }
    }

    /// Whether the server asked for a pause.
    pub(super) fn suspended(&self) -> bool {
        self.suspended
    }

    /// Data on its way to the line.
    pub(super) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            out.push(byte);
            if byte == IAC {
                out.push(IAC);
            }
        }
    }

    /// Takes what the server sent: the line's data go to `data`, what must be answered to `reply`.
    pub(super) fn receive(&mut self, bytes: &[u8], data: &mut Vec<u8>, reply: &mut Vec<u8>) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Data, IAC) => State::Escape,
                (State::Data, byte) => {
                    data.push(byte);
                    State::Data
                }
                (State::Escape, IAC) => {
                    data.push(IAC);
                    State::Data
                }
                (State::Escape, WILL | WONT | DO | DONT) => State::Option(byte),
                (State::Escape, SB) => {
                    self.subnegotiation.clear();
                    State::Subnegotiation
                }
                // Commands without an operand (NOP, break, go ahead) say nothing about the line.
                (State::Escape, _) => State::Data,
                (State::Option(verb), option) => {
                    self.option(verb, option, reply);
                    State::Data
                }
                (State::Subnegotiation, IAC) => State::SubnegotiationEscape,
                (State::Subnegotiation, byte) => self.subnegotiate(byte),
                (State::SubnegotiationEscape, IAC) => self.subnegotiate(IAC),
                (State::SubnegotiationEscape, SE) => {
                    self.command();
                    State::Data
                }
                // A command in the middle: the subnegotiation was cut off.
                (State::SubnegotiationEscape, _) => State::Data,
            };
        }
    }

    fn subnegotiate(&mut self, byte: u8) -> State {
        if self.subnegotiation.len() < SUBNEGOTIATION_BYTES_MAX {
            self.subnegotiation.push(byte);
        }
        State::Subnegotiation
    }

    fn option(&mut self, verb: u8, option: u8, reply: &mut Vec<u8>) {
        match (verb, option) {
            (DO, BINARY) => self.we.binary = true,
            (WILL, BINARY) => self.they.binary = true,
            (DONT | WONT, BINARY) => self.object("refused binary transmission"),
            (DO, COM_PORT) if !self.we.com_port => {
                self.we.com_port = true;
                self.set_line(reply);
            }
            (DONT, COM_PORT) => {
                self.object("refused RFC 2217; if it passes bytes on as they are, write `tcp:`");
            }
            (DO, SUPPRESS_GO_AHEAD | COM_PORT) | (WILL, SUPPRESS_GO_AHEAD) => {}
            (DO, other) => self.refuse(WONT, other, reply),
            (WILL, other) => self.refuse(DONT, other, reply),
            // It does not do what nobody asked it to.
            _ => {}
        }
    }

    fn refuse(&mut self, verb: u8, option: u8, reply: &mut Vec<u8>) {
        if !self.refused.contains(&[verb, option]) {
            self.refused.push([verb, option]);
            reply.extend([IAC, verb, option]);
        }
    }

    fn object(&mut self, objection: &str) {
        self.objection.get_or_insert_with(|| objection.to_owned());
    }

    fn set_line(&self, reply: &mut Vec<u8>) {
        subnegotiation(SET_BAUDRATE, &self.baud.to_be_bytes(), reply);
        for (command, value) in [
            (SET_DATASIZE, EIGHT_BITS),
            (SET_PARITY, NO_PARITY),
            (SET_STOPSIZE, ONE_STOP_BIT),
            (SET_CONTROL, NO_FLOW_CONTROL),
            (SET_CONTROL, DTR_ON),
            (SET_CONTROL, RTS_ON),
        ] {
            subnegotiation(command, &[value], reply);
        }
    }

    /// A whole subnegotiation has come. Changes of line and modem state, which some servers tell, are of no
    /// interest: pseudo terminals have none.
    fn command(&mut self) {
        const BAUD_IS: u8 = SET_BAUDRATE + FROM_SERVER;
        const DATASIZE_IS: u8 = SET_DATASIZE + FROM_SERVER;
        const PARITY_IS: u8 = SET_PARITY + FROM_SERVER;
        const SUSPEND: u8 = FLOW_SUSPEND + FROM_SERVER;
        const RESUME: u8 = FLOW_RESUME + FROM_SERVER;
        match self.subnegotiation[..] {
            [COM_PORT, BAUD_IS, a, b, c, d] => self.baud_set = Some(u32::from_be_bytes([a, b, c, d])),
            [COM_PORT, DATASIZE_IS, bits] if bits != EIGHT_BITS => {
                self.object("has no line of eight data bits");
            }
            [COM_PORT, PARITY_IS, parity] if parity != NO_PARITY => self.object("insists on parity"),
            [COM_PORT, SUSPEND] => self.suspended = true,
            [COM_PORT, RESUME] => self.suspended = false,
            _ => {}
        }
    }
}

fn subnegotiation(command: u8, value: &[u8], out: &mut Vec<u8>) {
    out.extend([IAC, SB, COM_PORT, command]);
    Telnet::escape(value, out);
    out.extend([IAC, SE]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn receive(telnet: &mut Telnet, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut data, mut reply) = (Vec::new(), Vec::new());
        telnet.receive(bytes, &mut data, &mut reply);
        (data, reply)
    }

    fn confirm_baud(baud: u32) -> Vec<u8> {
        let mut out = Vec::new();
        subnegotiation(SET_BAUDRATE + FROM_SERVER, &baud.to_be_bytes(), &mut out);
        out
    }

    fn agree(telnet: &mut Telnet) -> Vec<u8> {
        let offers = [IAC, DO, BINARY, IAC, WILL, BINARY, IAC, DO, COM_PORT];
        receive(telnet, &offers).1
    }

    #[test]
    fn both_sides_agree_and_the_line_is_set() {
        let (mut telnet, opening) = Telnet::new(115_200);
        assert!(opening.ends_with(&[IAC, WILL, COM_PORT]));
        let reply = agree(&mut telnet);
        // 115200 = 0x0001C200
        assert!(reply.starts_with(&[IAC, SB, COM_PORT, SET_BAUDRATE, 0, 1, 0xC2, 0, IAC, SE]), "{reply:?}");
        assert_eq!(telnet.agreement(), Agreement::Pending);
        receive(&mut telnet, &confirm_baud(115_200));
        assert_eq!(telnet.agreement(), Agreement::Reached);
    }

    #[test]
    fn another_speed_than_asked_is_a_refusal() {
        let (mut telnet, _) = Telnet::new(115_200);
        agree(&mut telnet);
        receive(&mut telnet, &confirm_baud(9600));
        let refused = Agreement::Refused("set the speed 9600 in place of 115200".to_owned());
        assert_eq!(telnet.agreement(), refused);
    }

    #[test]
    fn a_plain_telnet_server_is_told_apart() {
        let (mut telnet, _) = Telnet::new(9600);
        let (_, reply) = receive(&mut telnet, &[IAC, DONT, COM_PORT, IAC, DO, 24, IAC, WILL, 1, IAC, DO, 24]);
        assert!(matches!(telnet.agreement(), Agreement::Refused(why) if why.contains("RFC 2217")));
        assert_eq!(reply, [IAC, WONT, 24, IAC, DONT, 1], "each refused once");
    }

    #[test]
    fn a_pause_lasts_until_the_server_resumes() {
        let (mut telnet, _) = Telnet::new(9600);
        receive(&mut telnet, &[IAC, SB, COM_PORT, FLOW_SUSPEND + FROM_SERVER, IAC, SE]);
        assert!(telnet.suspended());
        receive(&mut telnet, &[IAC, SB, COM_PORT, FLOW_RESUME + FROM_SERVER, IAC, SE]);
        assert!(!telnet.suspended());
    }

    #[test]
    fn an_endless_subnegotiation_stays_within_bounds() {
        let (mut telnet, _) = Telnet::new(9600);
        receive(&mut telnet, &[IAC, SB]);
        receive(&mut telnet, &[7; 10_000]);
        assert_eq!(telnet.subnegotiation.len(), SUBNEGOTIATION_BYTES_MAX);
        assert_eq!(receive(&mut telnet, &[IAC, SE, b'x']).0, b"x");
    }

    proptest! {
        #[test]
        fn escaped_data_comes_back_however_it_is_cut(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(IAC)], 0..400), cut in 1usize..40
        ) {
            let mut escaped = Vec::new();
            Telnet::escape(&bytes, &mut escaped);
            let (mut telnet, _) = Telnet::new(9600);
            let (mut data, mut reply) = (Vec::new(), Vec::new());
            for piece in escaped.chunks(cut) {
                telnet.receive(piece, &mut data, &mut reply);
            }
            prop_assert_eq!(data, bytes);
            prop_assert!(reply.is_empty());
        }

        #[test]
        fn whatever_a_server_says_replies_stay_few(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let (mut telnet, _) = Telnet::new(9600);
            let (_, reply) = receive(&mut telnet, &bytes);
            let twice = receive(&mut telnet, &bytes).1;
            prop_assert!(reply.len() + twice.len() <= 2 * 3 * 256 + 80);
        }
    }
}
