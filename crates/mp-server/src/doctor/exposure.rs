//! Checks of exposure: ports that other machines reach, headers that they may forge, and settings
//! with a risk.

use std::net::SocketAddr;

use crate::admin;
use crate::config::{Config, Transport};
use crate::identity;

use super::finding::Finding;

/// Ports and settings that others could misuse.
#[derive(Clone, Debug)]
pub(super) struct ExposureFacts {
    admin: Option<AdminPort>,
    /// Listeners that read `X-Forwarded-For`, or that are behind a proxy and do not.
    proxies: Vec<ProxiedListener>,
    /// True if a limit counts by the addresses of players.
    counts_addresses: bool,
    /// Messages about settings with a risk.
    risks: Vec<String>,
}

#[derive(Clone, Debug)]
struct AdminPort {
    address: SocketAddr,
    is_public: bool,
    /// The number of tokens, or a message if they cannot be read.
    tokens: Result<usize, String>,
}

#[derive(Clone, Copy, Debug)]
struct ProxiedListener {
    address: SocketAddr,
    /// True if other machines reach the port without the proxy.
    is_public: bool,
    trusted_proxies: u8,
    /// True if the header of other networks than those of the proxies is ignored.
    has_networks: bool,
}

impl ExposureFacts {
    pub(super) fn gather(config: &Config) -> Self {
        let admin = config.admin.address.map(|address| {
            let address = address.socket_addr();
            AdminPort {
                address,
                is_public: admin::is_public(address),
                tokens: admin::count_tokens(&config.admin),
            }
        });
        let tcp = config.listen.iter().filter(|listener| {
            matches!(listener.transport, Transport::WebSocket | Transport::Signaling)
        });
        let proxies = tcp.map(|listener| {
            let address = listener.address.socket_addr();
            let (is_public, trusted_proxies) =
                (admin::is_public(address), listener.trusted_proxies);
            let has_networks = !config.websocket.proxy_networks.is_empty();
            ProxiedListener { address, is_public, trusted_proxies, has_networks }
        });
        let limits = &config.limits;
        Self {
            admin,
            proxies: proxies.collect(),
            counts_addresses: limits.max_clients_per_address.is_some(),
            risks: identity::risks(config).iter().map(ToString::to_string).collect(),
        }
    }
}

/// Checks the exposure.
pub(super) fn check(facts: &ExposureFacts) -> Vec<Finding> {
    let mut findings: Vec<_> = facts.admin.as_ref().map(check_admin).into_iter().collect();
    let proxies = facts.proxies.iter().filter_map(|it| check_proxy(*it, facts.counts_addresses));
    findings.extend(proxies);
    findings.extend(facts.risks.iter().map(|risk| {
        let why = "others may play, or pose as other players";
        Finding::warning(
            CONFIGURATION,
            risk,
            why,
            "see the [identity] and [tls] settings: mp-server config",
        )
    }));
    findings
}

fn check_admin(AdminPort { address, is_public, tokens }: &AdminPort) -> Finding {
    let tokens = match tokens {
        Ok(tokens) => *tokens,
        Err(message) => {
            let fix = "correct admin.tokens and admin.token_file: mp-server ctl new-token";
            return Finding::error(ADMIN, message, "the server does not start", fix);
        }
    };
    let text = format!("the admin API is at {address}, with {tokens} tokens");
    let loopback = format!("admin.address = \"127.0.0.1:{}\"", address.port());
    match (is_public, tokens) {
        (false, _) => Finding::ok(ADMIN, format!("{text}; other machines cannot reach it")),
        (true, 0) => Finding::error(
            ADMIN,
            format!("{text}; other machines can reach it"),
            "the server does not start",
            format!("make a token: mp-server ctl new-token; or set {loopback}"),
        ),
        (true, _) => Finding::warning(
            ADMIN,
            format!("{text}; other machines can reach it, and it has no TLS"),
            "tokens are readable on the network",
            format!(
                "set {loopback} and use a reverse proxy with TLS, or: ssh -L 7780:127.0.0.1:7780 HOST"
            ),
        ),
    }
}

fn check_proxy(listener: ProxiedListener, counts_addresses: bool) -> Option<Finding> {
    let ProxiedListener { address, is_public, trusted_proxies, has_networks } = listener;
    let port = address.port();
    Some(match (trusted_proxies, is_public) {
        (0, true) => return None,
        (0, false) if counts_addresses => Finding::warning(
            PROXY,
            format!("TCP {address} is for this machine alone, and trusts no proxy"),
            "behind a proxy all players count as one address for limits.max_clients_per_address and bans",
            "if a proxy is in front of it: websocket.trusted_proxies = 1",
        ),
        (0, false) => return None,
        (proxies, true) if !has_networks => Finding::warning(
            PROXY,
            format!(
                "TCP {address} trusts X-Forwarded-For of {proxies} proxies, and other machines reach it"
            ),
            "a player who connects from websocket.proxy_networks without the proxy chooses its address, and evades \
             limits and bans",
            format!(
                "listen on 127.0.0.1:{port}, or set websocket.proxy_networks to the addresses of the proxies alone"
            ),
        ),
        (proxies, _) => {
            let of = if is_public { "websocket.proxy_networks" } else { "this machine" };
            let text = format!("TCP {address} trusts X-Forwarded-For of {proxies} proxies of {of}");
            Finding::ok(PROXY, text)
        }
    })
}

const ADMIN: &str = "admin";
const PROXY: &str = "proxy";
const CONFIGURATION: &str = "configuration";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn outcomes(text: &str) -> Vec<(&'static str, Level)> {
        let facts = ExposureFacts::gather(&Config::parse(text).unwrap());
        check(&facts).iter().map(Finding::outcome).collect()
    }

    #[test]
    fn admin_port_that_others_reach_needs_a_token() {
        assert_eq!(outcomes(""), [("admin", Level::Ok)]);
        assert_eq!(outcomes("admin.address = \"off\"\n"), []);
        let public = "[admin]\naddress = \"0.0.0.0:7780\"\n";
        assert_eq!(outcomes(public), [("admin", Level::Error)]);
        let with_token = format!("{public}tokens = [\"a:read:0123456789abcdef\"]\n");
        assert_eq!(outcomes(&with_token), [("admin", Level::Warning)]);
        let missing = format!("{public}token_file = \"/missing/tokens\"\n");
        assert_eq!(outcomes(&missing), [("admin", Level::Error)]);
    }

    #[test]
    fn forged_addresses_are_possible_where_players_evade_the_proxy() {
        let of = |host: &str, proxies: u8, limits: &str| {
            outcomes(&format!(
                "admin.address = \"off\"\nlisten.websocket = \"{host}:7778\"\n\
                 websocket.trusted_proxies = {proxies}\n{limits}"
            ))
        };
        assert_eq!(of("0.0.0.0", 0, ""), []);
        assert_eq!(of("0.0.0.0", 1, ""), [("proxy", Level::Warning)]);
        let networks = "websocket.proxy_networks = [\"192.0.2.7\"]\n";
        assert_eq!(of("0.0.0.0", 1, networks), [("proxy", Level::Ok)]);
        assert_eq!(of("127.0.0.1", 1, ""), [("proxy", Level::Ok)]);
        assert_eq!(of("127.0.0.1", 0, ""), []);
        let limit = "limits.max_clients_per_address = 4\n";
        assert_eq!(of("127.0.0.1", 0, limit), [("proxy", Level::Warning)]);
    }

    #[test]
    fn risks_of_the_settings_are_warnings() {
        let risky = "admin.address = \"off\"\nidentity.secret = \"0123456789abcdef\"\n";
        let found = check(&ExposureFacts::gather(&Config::parse(risky).unwrap()));
        assert_eq!(found[0].outcome(), ("configuration", Level::Warning));
        assert!(found[0].words().contains("everyone may play"), "{found:?}");
    }
}
