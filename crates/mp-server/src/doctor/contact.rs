//! Check of the addresses at which players reach a node of a cluster.

use std::net::IpAddr;

use mp_cluster::directory::{AddressKind, NodeContact};

use crate::addresses::Listeners;
use crate::config::Config;
use crate::matchmaking::{EnetAddress, PublicAddresses};

use super::finding::Finding;

/// The addresses of a node; `None` if there is no cluster.
#[derive(Clone, Debug)]
pub(super) struct ContactFacts(Option<NodeContact>);

impl ContactFacts {
    pub(super) fn gather(config: &Config) -> Self {
        let listeners = Listeners::new(config).ok().filter(|_| !config.cluster.servers.is_empty());
        Self(listeners.map(|listeners| {
            let bound = listeners.addresses();
            PublicAddresses::new(config, &listeners, bound).contact(&config.cluster)
        }))
    }
}

/// Checks the addresses.
pub(super) fn check(ContactFacts(contact): &ContactFacts) -> Vec<Finding> {
    let Some(contact) = contact else { return Vec::new() };
    if !contact.is_reachable() {
        return vec![Finding::warning(
            ADDRESSES,
            "no address is known at which players reach this server",
            "players who lose another server do not learn of this one",
            FIX,
        )];
    }
    let mut findings = Vec::new();
    for kind in AddressKind::ALL {
        let Some(address) = contact.address(kind) else { continue };
        let label = kind.label();
        findings.push(match is_of_this_machine(kind, address) {
            false => Finding::ok(ADDRESSES, format!("players receive {address} for {label}")),
            true => Finding::warning(
                ADDRESSES,
                format!("players receive {address} for {label}, an address of their own machine"),
                "players of other machines cannot reach it",
                FIX,
            ),
        });
    }
    findings
}

/// Returns whether the host of an address is a loopback or unspecified one.
fn is_of_this_machine(kind: AddressKind, address: &str) -> bool {
    let host = match kind {
        AddressKind::Enet => EnetAddress::parse(address).map(EnetAddress::into_host),
        _ => host_of_url(address),
    };
    host.is_some_and(|host| match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    })
}

/// Returns the host of a URL, without brackets.
fn host_of_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    Some(host.to_owned())
}

const ADDRESSES: &str = "cluster-addresses";
const FIX: &str = "set match.public_host to a name or address that players reach, or \
    cluster.advertise";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn outcome(settings: &str) -> Vec<Level> {
        let config = Config::parse(settings).unwrap();
        let findings = check(&ContactFacts::gather(&config));
        findings.iter().map(|finding| finding.outcome().1).collect()
    }

    #[test]
    fn nodes_of_a_cluster_have_addresses_that_players_reach() {
        assert_eq!(outcome(""), [], "there is no cluster");
        let cluster = "[cluster]\nservers = [\"nats://127.0.0.1:4222\"]\n";
        assert_eq!(outcome(cluster), [Level::Warning], "all addresses of the machine");
        let public = format!("{cluster}[match]\npublic_host = \"game.example\"\n");
        assert_eq!(outcome(&public), [Level::Ok]);
        let advertised = |address: &str| {
            outcome(&format!("{cluster}advertise = {{ websocket = \"{address}\" }}\n"))
        };
        assert_eq!(advertised("wss://game.example/"), [Level::Ok]);
        assert_eq!(advertised("wss://[2001:db8::1]:1/"), [Level::Ok]);
        for own in ["ws://127.0.0.1:7778/", "ws://[::]:1", "ws://localhost/a", "ws://0.0.0.0?a"] {
            assert_eq!(advertised(own), [Level::Warning], "{own}");
        }
        let enet = format!("{cluster}advertise = {{ enet = \"dtls://[::1]:1\" }}\n");
        assert_eq!(outcome(&enet), [Level::Warning]);
    }
}
