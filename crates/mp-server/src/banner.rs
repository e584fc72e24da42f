//! The text on standard output that shows how to join.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::addresses::Addresses;
use crate::config::RoomSelection;
use crate::join_script::{JoinScript, Reached};
use crate::output;

/// Transports that are encrypted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Secured {
    pub(crate) enet: bool,
    pub(crate) ws: bool,
}

/// The way in which players select a room, by transport.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selections {
    pub(crate) enet: RoomSelection,
    pub(crate) ws: RoomSelection,
}

impl Default for Selections {
    fn default() -> Self {
        Self { enet: RoomSelection::Fixed, ws: RoomSelection::Fixed }
    }
}

/// Prints where the server listens and how to join it: by `public_host`, if it is known.
pub(crate) fn print(
    addresses: Addresses,
    secured: Secured,
    selections: Selections,
    max_clients: u16,
    public_host: Option<&str>,
) -> io::Result<()> {
    let text = text(addresses, secured, selections, max_clients, public_host);
    output::print(io::stdout(), text)
}

/// Prints a text after the banner.
pub(crate) fn print_text(text: String) -> io::Result<()> {
    output::print(io::stdout(), text)
}

fn text(
    addresses: Addresses,
    secured: Secured,
    selections: Selections,
    max_clients: u16,
    public_host: Option<&str>,
) -> String {
    let host = |address: SocketAddr| match public_host {
        Some(host) => host.to_owned(),
        None => reachable(address.ip()).to_string(),
    };
    let Addresses { enet, ws, webrtc, signaling } = addresses;
    let enet_place = enet.map(|address| {
        let over = if secured.enet { " over DTLS" } else { "" };
        format!("ENet{over} on UDP {address}")
    });
    let over = if secured.ws { " over TLS" } else { "" };
    let ws_place = ws.map(|address| format!("WebSocket{over} on TCP {address}"));
    let webrtc_place = webrtc.map(|address| format!("WebRTC on UDP {address}"));
    let signaling_place = signaling.map(|address| format!("its signaling{over} on TCP {address}"));
    let places = [enet_place, ws_place, webrtc_place, signaling_place].into_iter().flatten();
    let places = places.collect::<Vec<_>>().join(", for ");
    let line = |address: SocketAddr, is_secure, selection, write: fn(&JoinScript<'_>) -> String| {
        let (host, port) = (host(address), address.port());
        let listener = Reached { host: &host, port, is_secure };
        let (needs_code, needs_token) = (false, false);
        let script = JoinScript { listener, selection, room: "ROOM", needs_code, needs_token };
        format!("    {}\n", write(&script))
    };
    let enet_line = enet.map(|it| line(it, secured.enet, selections.enet, |it| it.enet()));
    let ws_line = ws.map(|it| line(it, secured.ws, selections.ws, |it| it.websocket()));
    let or = if enet.is_some() && ws.is_some() { "\nor, for browsers as well:\n\n" } else { "" };
    let signals = signaling.or(ws);
    let webrtc_line = webrtc.and(signals).map(|address| {
        let or = if enet.is_some() || ws.is_some() { "\nor, with" } else { "With" };
        let line = line(address, secured.ws, RoomSelection::Fixed, |it| it.webrtc());
        let needs = "unreliable packets in browsers and the script of `mp-server gdscript`";
        format!("{or} {needs}:\n\n{line}")
    });
    let lines = [enet_line.as_deref(), Some(or), ws_line.as_deref(), webrtc_line.as_deref()];
    let lines: String = lines.into_iter().flatten().collect();
    let selects_room = enet.is_some() && selections.enet != RoomSelection::Fixed
        || ws.is_some() && selections.ws != RoomSelection::Fixed;
    let rooms = if selects_room { "\nROOM is the name of the room.\n" } else { "" };
    let hosts =
        [enet, ws, signaling].into_iter().flatten().filter(|address| address.ip().is_unspecified());
    let hosts = hosts.filter(|_| public_host.is_none());
    let from_elsewhere = hosts.map(|address| reachable(address.ip())).next().map(|host| {
        format!("On another machine, put this machine's address in place of {host}.\n")
    });
    format!(
        "mp-server {version}: a relay room for Godot 4 games\n\
         listens for {places}, for up to {max_clients} players\n\n\
         In Godot, on every player's side:\n\n\
         {lines}{rooms}\n\
         {elsewhere}Ctrl-C ends it. More: mp-server --help\n",
        version = env!("CARGO_PKG_VERSION"),
        elsewhere = from_elsewhere.unwrap_or_default(),
    )
}

/// Returns an address at which this machine reaches a socket bound to `ip`. A socket bound to
/// `[::]` receives IPv4, too.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_line_connects_to_the_room() {
        let table = [
            ("0.0.0.0:7777", r#"create_client("127.0.0.1", 7777)"#, r#""ws://127.0.0.1:7777""#),
            ("[::]:9", r#"create_client("127.0.0.1", 9)"#, r#""ws://127.0.0.1:9""#),
            ("192.0.2.7:80", r#"create_client("192.0.2.7", 80)"#, r#""ws://192.0.2.7:80""#),
        ];
        for (address, enet, ws) in table {
            let some = Some(address.parse().unwrap());
            let both = Addresses { enet: some, ws: some, webrtc: some, signaling: None };
            let text = text(both, Secured::default(), Selections::default(), 5, None);
            assert!(text.contains(enet) && text.contains(ws), "{text}");
            let join = format!("client.join({}/webrtc\")", ws.trim_end_matches('"'));
            assert!(text.contains(&join), "{text}");
            let places = format!(
                "ENet on UDP {address}, for WebSocket on TCP {address}, for WebRTC on UDP {address}, for up to 5"
            );
            assert!(text.contains(&places), "{text}");
        }
    }

    #[test]
    fn printed_lines_of_an_encrypted_room_set_up_tls() {
        let some = Some("192.0.2.7:80".parse().unwrap());
        let enet_only = Addresses { enet: some, ..Addresses::default() };
        let text =
            text(enet_only, Secured { enet: true, ws: true }, Selections::default(), 5, None);
        let setup = r#"80); peer.host.dtls_client_setup("192.0.2.7", TLSOptions.client("#;
        assert!(text.contains(setup) && text.contains("ENet over DTLS on UDP"), "{text}");
    }

    #[test]
    fn printed_lines_select_a_room_if_the_listener_requires_it() {
        let some = Some("192.0.2.7:80".parse().unwrap());
        let both = Addresses { enet: some, ws: some, ..Addresses::default() };
        for (ws, url) in [
            (RoomSelection::Fixed, r#""ws://192.0.2.7:80")"#),
            (RoomSelection::Path, r#""ws://192.0.2.7:80/ROOM")"#),
            (RoomSelection::Query, r#""ws://192.0.2.7:80/?room=ROOM")"#),
        ] {
            let selections = Selections { enet: RoomSelection::Auth, ws };
            let text = text(both, Secured::default(), selections, 5, None);
            assert!(text.contains(url), "{text}");
            let sent = r#"80); multiplayer.auth_callback = (func(_id, _data): pass); "#;
            assert!(text.contains(sent) && text.contains("ROOM is the name"), "{text}");
        }
    }

    #[test]
    fn printed_lines_have_the_public_host_if_it_is_known() {
        let some = Some("0.0.0.0:80".parse().unwrap());
        let both = Addresses { enet: some, ws: some, webrtc: some, signaling: None };
        for (host, in_url) in [("game.example", "game.example"), ("2001:db8::1", "[2001:db8::1]")] {
            let text = text(both, Secured::default(), Selections::default(), 5, Some(host));
            for part in [format!("(\"{host}\", 80)"), format!("\"ws://{in_url}:80/webrtc\"")] {
                assert!(text.contains(&part), "{part} is not in {text}");
            }
            assert!(!text.contains("127.0.0.1") && !text.contains("On another machine"), "{text}");
        }
    }

    #[test]
    fn disabled_transports_are_not_printed() {
        let some = Some("192.0.2.7:80".parse().unwrap());
        let enet_only = Addresses { enet: some, ..Addresses::default() };
        let enet_only = text(enet_only, Secured::default(), Selections::default(), 5, None);
        assert!(!enet_only.contains("WebSocket") && !enet_only.contains("WebRTC"), "{enet_only}");
        let secured = Secured { enet: true, ws: true };
        let ws_only = text(
            Addresses { ws: some, ..Addresses::default() },
            secured,
            Selections::default(),
            5,
            None,
        );
        assert!(!ws_only.contains("ENet") && ws_only.contains("wss://192.0.2.7:80"), "{ws_only}");
    }

    #[test]
    fn players_join_through_the_port_for_signaling() {
        let [ws, webrtc, signaling] =
            ["[::]:1", "[::]:2", "[::]:3"].map(|address| Some(address.parse().unwrap()));
        for (ws, start) in [(ws, "\nor, with"), (None, "\nWith")] {
            let addresses = Addresses { enet: None, ws, webrtc, signaling };
            let text =
                text(addresses, Secured { enet: false, ws: true }, Selections::default(), 5, None);
            assert!(text.contains(r#"client.join("wss://127.0.0.1:3/webrtc""#), "{text}");
            assert!(text.contains("its signaling over TLS on TCP [::]:3, for up to"), "{text}");
            assert!(text.contains(&format!("{start} unreliable")), "{text}");
            assert!(text.contains("On another machine"), "{text}");
        }
    }
}
