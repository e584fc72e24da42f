//! [`PublicAddresses`]: the addresses at which players take their seats.

use serde::Serialize;

use crate::addresses::{Addresses, Listeners};
use crate::config::{Config, ListenConfig, RoomSelection};

/// The ports of the first listener of each transport that reads tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PublicAddresses {
    /// Host in the addresses; `None`: that of the request.
    host: Option<String>,
    enet: Option<Port>,
    websocket: Option<Port>,
    /// Port of the signaling of WebRTC players.
    signaling: Option<Port>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Port {
    number: u16,
    is_secure: bool,
}

/// The addresses of a server for a player; `None` of the transports that are off, or do not read
/// tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ServerAddresses {
    enet: Option<EnetAddress>,
    /// URL of the WebSocket port.
    websocket: Option<String>,
    /// URL of the signaling of WebRTC players.
    webrtc: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct EnetAddress {
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
            let (number, is_secure) = (address?.port(), listener?.tls);
            Some(Port { number, is_secure })
        };
        // An ENet client has no URL, so that only its authentication packet has the ticket.
        let enet = listeners.enet.first().copied().filter(|it| it.select == RoomSelection::Auth);
        let webrtc = listeners.webrtc.filter(selects);
        Self {
            host: config.matchmaking.public_host.clone(),
            enet: port(bound.enet, enet),
            websocket: port(bound.ws, listeners.ws.first().copied()),
            signaling: webrtc.and_then(|_| port(bound.ws.or(bound.signaling), listeners.tcp())),
        }
    }

    /// Returns whether a listener reads tickets.
    pub(crate) fn has_any(&self) -> bool {
        self.enet.is_some() || self.websocket.is_some() || self.signaling.is_some()
    }

    /// Returns the addresses for a player whose request named the host `requested`.
    pub(super) fn for_host(&self, requested: &str) -> ServerAddresses {
        let host = self.host.as_deref().unwrap_or(requested).trim_matches(['[', ']']);
        let in_url = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let url = |port: Port, path: &str| {
            let scheme = if port.is_secure { "wss" } else { "ws" };
            format!("{scheme}://{in_url}:{}{path}", port.number)
        };
        let enet = |port: Port| EnetAddress {
            host: host.to_owned(),
            port: port.number,
            dtls: port.is_secure,
        };
        ServerAddresses {
            enet: self.enet.map(enet),
            websocket: self.websocket.map(|port| url(port, "/")),
            webrtc: self.signaling.map(|port| url(port, "/webrtc")),
        }
    }
}

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
