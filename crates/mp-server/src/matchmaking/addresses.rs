//! [`PublicAddresses`]: the addresses at which players take their seats.

use std::net::IpAddr;

use mp_cluster::directory::{AddressKind, NodeContact};
use serde::Serialize;

use crate::addresses::{Addresses, Listeners};
use crate::config::{ClusterConfig, Config, ListenConfig, RoomSelection};

/// The ports of the first listener of each transport that reads tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PublicAddresses {
    /// Host in the addresses; `None`: that of the request.
    host: Option<String>,
    enet: Option<Port>,
    websocket: Option<Port>,
    /// Port of the signaling of WebRTC players.
    signaling: Option<Port>,
    /// The HTTP port for matchmaking.
    matchmaking: Option<Port>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Port {
    /// Address of the listener.
    ip: IpAddr,
    number: u16,
    is_secure: bool,
}

/// The addresses of a server for a player; `None` of the transports that are off, or do not read
/// tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ServerAddresses {
    enet: Option<EnetAddress>,
    /// URL of the WebSocket port.
    websocket: Option<String>,
    /// URL of the signaling of WebRTC players.
    webrtc: Option<String>,
}

/// The address of an ENet listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EnetAddress {
    host: String,
    port: u16,
    /// True if the client must use DTLS.
    dtls: bool,
}

impl PublicAddresses {
    /// Returns the ports of a server whose listeners are open at `bound`.
    pub(crate) fn new(config: &Config, listeners: &Listeners<'_>, bound: Addresses) -> Self {
        let selects = |listener: &&ListenConfig| listener.select != RoomSelection::Fixed;
        let port = |address: Option<std::net::SocketAddr>, listener: Option<&ListenConfig>| {
            let (address, is_secure) = (address?, listener?.tls);
            Some(Port { ip: address.ip(), number: address.port(), is_secure })
        };
        // An ENet client has no URL, so that only its authentication packet has the ticket.
        let enet = listeners.enet.first().copied().filter(|it| it.select == RoomSelection::Auth);
        let webrtc = listeners.webrtc.filter(selects);
        let matchmaking = config.matchmaking.address.map(|address| address.socket_addr());
        let matchmaking = matchmaking.filter(|address| address.port() != 0);
        Self {
            host: config.matchmaking.public_host.clone(),
            enet: port(bound.enet, enet),
            websocket: port(bound.ws, listeners.ws.first().copied()),
            signaling: webrtc.and_then(|_| port(bound.ws.or(bound.signaling), listeners.tcp())),
            matchmaking: matchmaking.map(|address| Port {
                ip: address.ip(),
                number: address.port(),
                is_secure: false,
            }),
        }
    }

    /// Returns the name and the addresses of the server in a cluster: those of the settings, else
    /// those of the ports with the host of the settings or their own address. Ports on all
    /// addresses of the machine have none.
    pub(crate) fn contact(&self, config: &ClusterConfig) -> NodeContact {
        let mut contact = NodeContact::default().with_name(config.node.clone());
        for kind in AddressKind::ALL {
            let set = config.advertise.get(&kind).cloned();
            // A host is short enough for an address.
            let address = set.or_else(|| self.own_address(kind)?.parse().ok());
            if let Some(address) = address {
                contact = contact.with_address(kind, address);
            }
        }
        contact
    }

    /// Returns the address of a port for players.
    fn own_address(&self, kind: AddressKind) -> Option<String> {
        let port = match kind {
            AddressKind::Enet => self.enet,
            AddressKind::WebSocket => self.websocket,
            AddressKind::WebRtc => self.signaling,
            _ => self.matchmaking,
        }?;
        let own = Some(port.ip).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
        let host = in_url(&self.host.clone().or(own)?);
        let number = port.number;
        Some(match kind {
            AddressKind::Enet if port.is_secure => format!("{DTLS}{host}:{number}"),
            AddressKind::Enet => format!("{host}:{number}"),
            AddressKind::WebSocket => port.url(&host, "/"),
            AddressKind::WebRtc => port.url(&host, "/webrtc"),
            _ => format!("http://{host}:{number}/"),
        })
    }

    /// Returns whether a listener reads tickets.
    pub(crate) fn has_any(&self) -> bool {
        self.enet.is_some() || self.websocket.is_some() || self.signaling.is_some()
    }

    /// Returns the addresses for a player whose request named the host `requested`.
    pub(super) fn for_host(&self, requested: &str) -> ServerAddresses {
        let host = self.host.as_deref().unwrap_or(requested).trim_matches(['[', ']']);
        let in_url = in_url(host);
        let enet = |port: Port| EnetAddress {
            host: host.to_owned(),
            port: port.number,
            dtls: port.is_secure,
        };
        ServerAddresses {
            enet: self.enet.map(enet),
            websocket: self.websocket.map(|port| port.url(&in_url, "/")),
            webrtc: self.signaling.map(|port| port.url(&in_url, "/webrtc")),
        }
    }
}

impl Port {
    /// Returns the URL of a WebSocket port. An IPv6 address has brackets.
    fn url(self, host: &str, path: &str) -> String {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        format!("{scheme}://{host}:{}{path}", self.number)
    }
}

impl ServerAddresses {
    /// Returns the addresses of another server of the cluster.
    pub(crate) fn of(contact: &NodeContact) -> Self {
        let address = |kind| contact.address(kind).map(str::to_owned);
        Self {
            enet: contact.address(AddressKind::Enet).and_then(EnetAddress::parse),
            websocket: address(AddressKind::WebSocket),
            webrtc: address(AddressKind::WebRtc),
        }
    }
}

impl EnetAddress {
    /// Returns the address `HOST:PORT` or `dtls://HOST:PORT`; `None` if the text is no such address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, dtls) = match text.strip_prefix(DTLS) {
            Some(address) => (address, true),
            None => (text, false),
        };
        let (host, port) = address.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match inner {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && !host.contains(['/', ':', '[', ']', '@']),
        };
        is_host.then(|| Self { host: inner.unwrap_or(host).to_owned(), port, dtls })
    }

    /// Returns the name or IP address, without brackets.
    pub(crate) fn into_host(self) -> String {
        self.host
    }
}

/// Returns a host as it is written in URLs.
fn in_url(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// First part of the address of an ENet listener with DTLS.
const DTLS: &str = "dtls://";

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(listeners: &str) -> PublicAddresses {
        let config = Config::parse(listeners).unwrap();
        let listeners = Listeners::new(&config).unwrap();
        PublicAddresses::new(&config, &listeners, listeners.addresses())
    }

    fn json(addresses: &PublicAddresses, host: &str) -> serde_json::Value {
        serde_json::to_value(addresses.for_host(host)).unwrap()
    }

    #[test]
    fn addresses_have_the_host_of_the_request_or_of_the_settings() {
        let default = addresses("");
        let expected = serde_json::json!({
            "enet": null,
            "websocket": "ws://game.example:7778/",
            "webrtc": null,
        });
        assert_eq!(json(&default, "game.example"), expected);
        assert_eq!(json(&default, "[::1]")["websocket"], "ws://[::1]:7778/");
        let set = addresses("match.public_host = \"2001:db8::1\"\n");
        assert_eq!(json(&set, "game.example")["websocket"], "ws://[2001:db8::1]:7778/");
    }

    #[test]
    fn contact_in_a_cluster_is_that_of_the_settings_or_of_listeners_that_players_reach() {
        let contact = |settings: &str| {
            let config = Config::parse(settings).unwrap();
            let listeners = Listeners::new(&config).unwrap();
            let addresses = PublicAddresses::new(&config, &listeners, listeners.addresses());
            addresses.contact(&config.cluster)
        };
        let shown = |contact: &NodeContact| {
            AddressKind::ALL.map(|kind| contact.address(kind).map(str::to_owned))
        };
        let text = |text: &str| Some(text.to_owned());
        let none = contact("");
        assert!(!none.is_reachable() && none.name().is_none(), "{none:?}");
        let listeners = "[[listen]]\ntransport = \"enet\"\naddress = \"[2001:db8::1]:1\"\n\
             select = \"auth\"\n[[listen]]\ntransport = \"websocket\"\naddress = \"*:2\"\n";
        let own = contact(listeners);
        assert_eq!(shown(&own), [text("[2001:db8::1]:1"), None, None, None]);
        assert!(own.is_reachable());
        let public =
            format!("match.public_host = \"a.example\"\nmatch.address = \"*:3\"\n{listeners}");
        let [enet, websocket, webrtc, matchmaking] = shown(&contact(&public));
        assert_eq!((enet, websocket), (text("a.example:1"), text("ws://a.example:2/")));
        assert_eq!((webrtc, matchmaking), (None, text("http://a.example:3/")));
        let set = contact(&format!(
            "[cluster]\nnode = \"b\"\nadvertise = {{ enet = \"dtls://b.example:9\", \
             websocket = \"wss://b.example/play\" }}\n{listeners}"
        ));
        assert_eq!(set.name(), Some("b"));
        let expected = serde_json::json!({
            "enet": { "host": "b.example", "port": 9, "dtls": true },
            "websocket": "wss://b.example/play",
            "webrtc": null,
        });
        assert_eq!(serde_json::to_value(ServerAddresses::of(&set)).unwrap(), expected);
    }

    #[test]
    fn enet_addresses_are_a_host_and_a_port() {
        let parse = |text| EnetAddress::parse(text).map(|it| (it.host, it.port, it.dtls));
        assert_eq!(parse("a.example:7777"), Some(("a.example".to_owned(), 7777, false)));
        assert_eq!(parse("dtls://[::1]:1"), Some(("::1".to_owned(), 1, true)));
        for text in ["", "a", ":1", "a:0", "a:65536", "::1:1", "[a]:1", "ws://a:1", "a/b:1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_listeners_that_read_tickets_are_listed() {
        let listeners = |enet: &str, webrtc: &str| {
            addresses(&format!(
                "[[listen]]\ntransport = \"enet\"\naddress = \"*:1\"\nselect = \"{enet}\"\n\
                 [[listen]]\ntransport = \"signaling\"\naddress = \"*:2\"\n\
                 [[listen]]\ntransport = \"webrtc\"\naddress = \"*:3\"\nselect = \"{webrtc}\"\n"
            ))
        };
        let all = json(&listeners("auth", "path"), "::1");
        let enet = serde_json::json!({ "host": "::1", "port": 1, "dtls": false });
        assert_eq!((&all["enet"], &all["webrtc"]), (&enet, &"ws://[::1]:2/webrtc".into()));
        assert!(all["websocket"].is_null());
        let none = listeners("fixed", "fixed");
        assert!(!none.has_any(), "{none:?}");
    }
}
