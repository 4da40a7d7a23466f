//! The time server: SNTP over UDP (RFC 4330), telling the calendar that it is handed.

use hilarm_model::Timestamp;

const PACKET_BYTES: usize = 48;
const MODE_CLIENT: u8 = 3;
const MODE_SERVER: u8 = 4;
/// Seconds from 1900 to 1970.
const NTP_EPOCH_S: i64 = 2_208_988_800;

/// The reply to a client's request; none to anything else.
pub(crate) fn answer(request: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let request = request.get(..PACKET_BYTES)?;
    let version = request[0] >> 3 & 0x07;
    if request[0] & 0x07 != MODE_CLIENT || !(1..=4).contains(&version) {
        return None;
    }
    let time = ntp_time(now);
    let mut reply = vec![0; PACKET_BYTES];
    reply[0] = version << 3 | MODE_SERVER;
    // Stratum 1, the client's poll interval, a precision of 2^-20 s, and where the time comes from.
    reply[1] = 1;
    reply[2] = request[2];
    reply[3] = (-20i8).to_be_bytes()[0];
    reply[12..16].copy_from_slice(b"LOCL");
    reply[16..24].copy_from_slice(&time);
    reply[24..32].copy_from_slice(&request[40..48]);
    reply[32..40].copy_from_slice(&time);
    reply[40..48].copy_from_slice(&time);
    Some(reply)
}

/// Seconds since 1900 in their era (RFC 4330, 3: clients know eras by the top bit) and a 32-bit fraction.
fn ntp_time(now: Timestamp) -> [u8; 8] {
    // The era is dropped, as the format does.
    let seconds = now.as_secs().wrapping_add(NTP_EPOCH_S) as u32;
    let micros = now.as_micros().rem_euclid(1_000_000) as u64;
    let fraction = ((micros << 32) / 1_000_000) as u32;
    let mut out = [0; 8];
    out[..4].copy_from_slice(&seconds.to_be_bytes());
    out[4..].copy_from_slice(&fraction.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Vec<u8> {
        let mut out = vec![0; PACKET_BYTES];
        out[0] = 0x23;
        out[40..48].copy_from_slice(b"originat");
        out
    }

    #[test]
    fn tells_the_calendar_and_repeats_the_clients_time() {
        let reply = answer(&request(), Timestamp::from_micros(1_767_225_600_500_000)).unwrap();
        assert_eq!(reply[0], 0x24);
        assert_eq!(&reply[24..32], b"originat");
        let seconds = u32::from_be_bytes(reply[40..44].try_into().unwrap());
        assert_eq!(i64::from(seconds) - NTP_EPOCH_S, 1_767_225_600);
        assert_eq!(reply[44..48], [0x80, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_request_gets_no_answer() {
        assert_eq!(answer(&request()[..47], Timestamp::from_secs(0)), None);
        let mut server = request();
        server[0] = 0x24;
        assert_eq!(answer(&server, Timestamp::from_secs(0)), None);
    }

    #[test]
    fn times_outside_the_era_do_not_panic() {
        for micros in [i64::MIN, -1, i64::MAX] {
            assert!(answer(&request(), Timestamp::from_micros(micros)).is_some());
        }
    }
}
