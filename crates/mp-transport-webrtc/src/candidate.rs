//! ICE candidates, in the form that Godot passes through signaling.
#![expect(
    clippy::exhaustive_structs,
    reason = "the arguments of Godot's function, which programs build"
)]

use std::net::{IpAddr, SocketAddr};

use str0m::Candidate;

use crate::limits::CANDIDATE_BYTES_MAX;

/// A candidate for signaling (Godot: the arguments of `ice_candidate_created` and
/// `add_ice_candidate`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceCandidate {
    /// The `mid` of the data section.
    pub media: String,
    /// The index of its m-line: 0.
    pub index: u16,
    /// The attribute: `candidate:1 1 UDP 2114977791 192.0.2.1 53223 typ host`.
    pub name: String,
}

/// The addresses of remote candidates that a connection with full ICE may send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CandidatePolicy {
    /// All unicast addresses: for clients, meshes and servers in a local network.
    Any,
    /// Addresses of the public Internet only: for public servers. A client cannot make such a
    /// server send into its own network.
    Public,
}

/// The reason why a candidate is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// The candidate is empty. This marks the end of candidates, for which Godot has no message.
    #[error("the candidate is empty")]
    Empty,
    /// The candidate is longer than [`CANDIDATE_BYTES_MAX`].
    #[error("the candidate is longer than {CANDIDATE_BYTES_MAX} bytes")]
    TooLong,
    /// The candidate is not a candidate attribute of RFC 8839.
    #[error("the candidate is malformed")]
    Malformed,
    /// The address is a name that ends in `.local` (mDNS), which only its own network resolves. The
    /// connection learns the address from connectivity checks of the remote peer.
    #[error("the candidate has an mDNS name instead of an address")]
    Mdns,
    /// The candidate is not UDP.
    #[error("the candidate is not UDP")]
    NotUdp,
    /// The [`CandidatePolicy`] excludes the address.
    #[error("the candidate's address is not allowed by the candidate policy")]
    Forbidden,
    /// The connection has [`REMOTE_CANDIDATES_MAX`](crate::limits::REMOTE_CANDIDATES_MAX)
    /// candidates.
    #[error("the connection has the maximum number of remote candidates")]
    TooMany,
}

/// Parses a remote candidate.
pub(crate) fn parse(name: &str, policy: CandidatePolicy) -> Result<Candidate, CandidateError> {
    let name = name.trim();
    if name.is_empty() {
        return Err(CandidateError::Empty);
    }
    if name.len() > CANDIDATE_BYTES_MAX {
        return Err(CandidateError::TooLong);
    }
    let mut fields = name.split_ascii_whitespace();
    let (protocol, address) = (fields.nth(2), fields.nth(1));
    let (Some(protocol), Some(address)) = (protocol, address) else {
        return Err(CandidateError::Malformed);
    };
    if !protocol.eq_ignore_ascii_case("udp") {
        return Err(CandidateError::NotUdp);
    }
    if address.to_ascii_lowercase().ends_with(".local") {
        return Err(CandidateError::Mdns);
    }
    let candidate = Candidate::from_sdp_string(name).map_err(|_| CandidateError::Malformed)?;
    if !is_allowed(candidate.addr(), policy) {
        return Err(CandidateError::Forbidden);
    }
    Ok(candidate)
}

fn is_allowed(address: SocketAddr, policy: CandidatePolicy) -> bool {
    let ip = address.ip().to_canonical();
    if address.port() == 0 || ip.is_unspecified() || ip.is_multicast() {
        return false;
    }
    match (policy, ip) {
        (CandidatePolicy::Any, IpAddr::V4(ip)) => !ip.is_broadcast(),
        (CandidatePolicy::Any, IpAddr::V6(_)) => true,
        (CandidatePolicy::Public, IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_reserved = a == 0 || a >= 240 || (a == 192 && b == 0 && ip.octets()[2] == 0);
            let is_benchmarking = a == 198 && (b == 18 || b == 19);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || is_shared
                || is_reserved
                || is_benchmarking)
        }
        // IANA has assigned 2000::/3 to the public Internet.
        (CandidatePolicy::Public, IpAddr::V6(ip)) => {
            let first = ip.segments()[0];
            first & 0xe000 == 0x2000 && !(first == 0x2001 && ip.segments()[1] == 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(address: &str) -> String {
        format!("candidate:1 1 UDP 2114977791 {address} 53223 typ host")
    }

    #[test]
    fn candidates_of_native_and_web_are_parsed() {
        let native = parse(&host("192.168.77.1"), CandidatePolicy::Any).unwrap();
        assert_eq!(native.addr(), "192.168.77.1:53223".parse().unwrap());
        let web = "candidate:842163049 1 udp 2113937151 203.0.113.9 35083 typ host generation 0 \
                   ufrag M3Go network-cost 999";
        assert_eq!(parse(web, CandidatePolicy::Any).unwrap().addr().port(), 35_083);
    }

    #[test]
    fn candidates_that_cannot_be_used_are_rejected_with_the_reason() {
        let any = CandidatePolicy::Any;
        let cases = [
            (String::new(), CandidateError::Empty),
            ("x".repeat(513), CandidateError::TooLong),
            ("candidate:1 1".to_owned(), CandidateError::Malformed),
            (host("nonsense"), CandidateError::Malformed),
            (host("7c6e0f1e-1c5b-4b8a-9f3a-1.LOCAL"), CandidateError::Mdns),
            (host("192.0.2.1").replace("UDP", "TCP"), CandidateError::NotUdp),
            (host("224.0.0.1"), CandidateError::Forbidden),
            (host("0.0.0.0"), CandidateError::Forbidden),
            (host("255.255.255.255"), CandidateError::Forbidden),
        ];
        for (name, error) in cases {
            assert_eq!(parse(&name, any).err(), Some(error), "{name}");
        }
    }

    #[test]
    fn a_public_server_does_not_send_into_private_networks() {
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.1.2.3",
            "240.0.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "2001:db8::1",
        ] {
            let error = parse(&host(address), CandidatePolicy::Public).err();
            assert_eq!(error, Some(CandidateError::Forbidden), "{address}");
        }
        for address in ["93.184.216.34", "2606:2800:220:1::1"] {
            assert!(parse(&host(address), CandidatePolicy::Public).is_ok(), "{address}");
        }
    }
}
