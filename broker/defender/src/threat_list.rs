//! The text form of a threat-intelligence list: an address or a network in CIDR notation a line, `#` starts
//! a comment. Every bad line is reported, not only the first.

use std::net::IpAddr;

use hilarm_model::ThreatList;
use ipnet::IpNet;
use thiserror::Error;

/// A line that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {text:?} {problem}")]
pub struct ThreatListError {
    /// 1-based.
    pub line: usize,
    /// The entry, up to 64 characters of it.
    pub text: String,
    /// What is wrong with it.
    pub problem: ThreatListProblem,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ThreatListProblem {
    /// Not an address.
    #[error("is not an IPv4 or IPv6 address")]
    Address,
    /// An address with a prefix length that is no number or too long for it.
    #[error("has no prefix length between 0 and {max}")]
    PrefixLength {
        /// The longest prefix of the address family.
        max: u8,
    },
    /// Host bits are set: it is unclear which network is meant.
    #[error("has host bits set; the network is {network}")]
    HostBits {
        /// The network with its host bits cleared.
        network: IpNet,
    },
}

/// Reads a list; entries come out sorted and without repetitions.
pub fn parse_threat_list(text: &str) -> Result<ThreatList, Vec<ThreatListError>> {
    let (mut networks, mut errors) = (Vec::new(), Vec::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        match parse_entry(entry) {
            _ if entry.is_empty() => (),
            Ok(network) => networks.push(network),
            Err(problem) => {
                let text = entry.chars().take(64).collect();
                errors.push(ThreatListError { line: index + 1, text, problem });
            }
        }
    }
    networks.sort_unstable();
    networks.dedup();
    if errors.is_empty() { Ok(ThreatList { networks }) } else { Err(errors) }
}

fn parse_entry(entry: &str) -> Result<IpNet, ThreatListProblem> {
    let (address, prefix) = match entry.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (entry, None),
    };
    let address: IpAddr = address.trim().parse().map_err(|_| ThreatListProblem::Address)?;
    let Some(prefix) = prefix else { return Ok(IpNet::from(address)) };
    let max = IpNet::from(address).max_prefix_len();
    let length = prefix.trim().parse().map_err(|_| ThreatListProblem::PrefixLength { max })?;
    let given = IpNet::new(address, length).map_err(|_| ThreatListProblem::PrefixLength { max })?;
    let network = given.trunc();
    if network == given { Ok(network) } else { Err(ThreatListProblem::HostBits { network }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_networks_comments_and_blank_lines_are_read() {
        let text = "\u{feff}# feed of today\r\n\n198.51.100.7   # a C2\r\n203.0.113.0/24\n2001:db8::/32\n2001:db8:1::1\n198.51.100.7\n";
        let networks = parse_threat_list(text).unwrap().networks;
        let written: Vec<_> = networks.iter().map(ToString::to_string).collect();
        assert_eq!(written, ["198.51.100.7/32", "203.0.113.0/24", "2001:db8::/32", "2001:db8:1::1/128"]);
    }

    #[test]
    fn an_empty_file_is_an_empty_list() {
        assert_eq!(parse_threat_list("# nothing yet\n"), Ok(ThreatList::default()));
    }

    #[test]
    fn every_bad_line_is_reported_with_its_number() {
        let text = "198.51.100.7\nexample.com\n\n198.51.100.0/33\n203.0.113.9/24\n::1/x\n1.2.3.4 5.6.7.8\n/8";
        let errors = parse_threat_list(text).unwrap_err();
        let written: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            written,
            [
                r#"line 2: "example.com" is not an IPv4 or IPv6 address"#,
                r#"line 4: "198.51.100.0/33" has no prefix length between 0 and 32"#,
                r#"line 5: "203.0.113.9/24" has host bits set; the network is 203.0.113.0/24"#,
                r#"line 6: "::1/x" has no prefix length between 0 and 128"#,
                r#"line 7: "1.2.3.4 5.6.7.8" is not an IPv4 or IPv6 address"#,
                r#"line 8: "/8" is not an IPv4 or IPv6 address"#,
            ]
        );
    }

    #[test]
    fn a_hostile_line_is_quoted_in_part_only() {
        let errors = parse_threat_list(&"ä".repeat(10_000)).unwrap_err();
        assert_eq!(errors[0].text.chars().count(), 64);
    }
}
