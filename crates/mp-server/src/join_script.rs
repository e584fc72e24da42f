//! [`JoinScript`]: the line of GDScript with which a player joins a room.

use std::net::IpAddr;

use crate::config::RoomSelection;
use crate::webrtc::SIGNALING_PATH;

/// A listener, as a player reaches it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached<'a> {
    /// IP address without brackets, or name.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// True if the player encrypts.
    pub(crate) is_secure: bool,
}

/// A room, as a player selects it on one listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JoinScript<'a> {
    pub(crate) listener: Reached<'a>,
    pub(crate) selection: RoomSelection,
    /// Name of the room.
    pub(crate) room: &'a str,
    /// True if the room needs a code.
    pub(crate) needs_code: bool,
    /// True if the server needs a token of each player.
    pub(crate) needs_token: bool,
}

impl JoinScript<'_> {
    /// Returns the line over ENet.
    pub(crate) fn enet(&self) -> String {
        let Reached { host, port, is_secure } = self.listener;
        let dtls = match is_secure {
            true => format!(r#" peer.host.dtls_client_setup("{host}", {TLS_CLIENT});"#),
            false => String::new(),
        };
        let setup = dtls + &self.auth();
        join("ENetMultiplayerPeer", &format!(r#""{host}", {port}"#), &setup)
    }

    /// Returns the line over WebSocket.
    pub(crate) fn websocket(&self) -> String {
        let (url, tls) = (self.websocket_url(), self.tls());
        join("WebSocketMultiplayerPeer", &format!(r#""{url}"{tls}"#), &self.auth())
    }

    /// Returns the line over WebRTC with the class of `mp-server gdscript`. It joins the room of
    /// the listener; the listener is the one with the signaling.
    pub(crate) fn webrtc(&self) -> String {
        let (url, tls) = (self.url(SIGNALING_PATH), self.tls());
        format!("var client = MpWebRtcClient.new(); add_child(client); client.join(\"{url}\"{tls})")
    }

    /// Returns the URL over WebSocket.
    pub(crate) fn websocket_url(&self) -> String {
        self.url(&self.place())
    }

    fn url(&self, place: &str) -> String {
        let Reached { host, port, is_secure } = self.listener;
        let scheme = if is_secure { "wss" } else { "ws" };
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(host)) => format!("{scheme}://[{host}]:{port}{place}"),
            _ => format!("{scheme}://{host}:{port}{place}"),
        }
    }

    fn tls(&self) -> String {
        if self.listener.is_secure { format!(", {TLS_CLIENT}") } else { String::new() }
    }

    /// Returns the rest of the URL after the port.
    fn place(&self) -> String {
        let (room, further) = (self.room, self.further());
        match self.selection {
            RoomSelection::Path => with_query(&format!("/{room}"), &further),
            RoomSelection::Query => {
                with_query("/", &[&[format!("room={room}")], &*further].concat())
            }
            RoomSelection::Fixed => with_query("", &further),
            RoomSelection::Auth => String::new(),
        }
    }

    /// Returns the code that sends an authentication packet, if the listener reads it.
    fn auth(&self) -> String {
        let further = self.further();
        let data = match self.selection {
            RoomSelection::Auth if further.is_empty() => self.room.to_owned(),
            RoomSelection::Auth => [&[format!("room={}", self.room)], &*further].concat().join("&"),
            RoomSelection::Fixed | RoomSelection::Path | RoomSelection::Query => {
                return String::new();
            }
        };
        format!(
            " multiplayer.auth_callback = (func(_id, _data): pass); \
             multiplayer.peer_authenticating.connect(func(id): \
             multiplayer.send_auth(id, \"{data}\".to_utf8_buffer()); multiplayer.complete_auth(id));"
        )
    }

    /// Returns what the player sends besides the name of the room, with placeholders.
    fn further(&self) -> Vec<String> {
        let pairs = [(self.needs_code, "code=CODE"), (self.needs_token, "token=TOKEN")];
        let needed = pairs.into_iter().filter(|(is_needed, _)| *is_needed);
        needed.map(|(_, pair)| pair.to_owned()).collect()
    }
}

fn with_query(path: &str, pairs: &[String]) -> String {
    match pairs {
        [] => path.to_owned(),
        _ => format!("{}?{}", if path.is_empty() { "/" } else { path }, pairs.join("&")),
    }
}

fn join(class: &str, arguments: &str, setup: &str) -> String {
    format!(
        "var peer = {class}.new(); peer.create_client({arguments});{setup} multiplayer.multiplayer_peer = peer"
    )
}

/// Trust of the certificate that the operator gives to players.
const TLS_CLIENT: &str = r#"TLSOptions.client(load("res://server.crt"))"#;

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENER: Reached<'_> = Reached { host: "192.0.2.7", port: 80, is_secure: false };

    fn script(selection: RoomSelection) -> JoinScript<'static> {
        let (needs_code, needs_token) = (false, false);
        JoinScript { listener: LISTENER, selection, room: "arena", needs_code, needs_token }
    }

    #[test]
    fn line_selects_the_room_as_the_listener_requires() {
        use RoomSelection::{Auth, Fixed, Path, Query};
        let urls = [(Fixed, ""), (Path, "/arena"), (Query, "/?room=arena"), (Auth, "")];
        for (selection, place) in urls {
            let line = script(selection).websocket();
            assert!(line.contains(&format!("\"ws://192.0.2.7:80{place}\")")), "{line}");
        }
        assert!(script(Auth).enet().contains("send_auth(id, \"arena\".to_utf8_buffer())"));
        assert!(!script(Fixed).enet().contains("auth"));
    }

    #[test]
    fn line_has_placeholders_for_what_only_the_player_knows() {
        let private = |selection| JoinScript { needs_code: true, ..script(selection) };
        let identified = |selection| JoinScript { needs_token: true, ..private(selection) };
        let lines = [
            (private(RoomSelection::Path).websocket(), ":80/arena?code=CODE\""),
            (private(RoomSelection::Query).websocket(), ":80/?room=arena&code=CODE\""),
            (identified(RoomSelection::Fixed).websocket(), ":80/?code=CODE&token=TOKEN\""),
            (identified(RoomSelection::Auth).enet(), "\"room=arena&code=CODE&token=TOKEN\""),
        ];
        for (line, part) in lines {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn line_encrypts_if_the_listener_does_and_puts_ipv6_in_brackets() {
        let listener = Reached { host: "2001:db8::1", port: 9, is_secure: true };
        let secure = JoinScript { listener, ..script(RoomSelection::Path) };
        let trust = "TLSOptions.client(load(\"res://server.crt\"))";
        let websocket = format!("create_client(\"wss://[2001:db8::1]:9/arena\", {trust})");
        assert!(secure.websocket().contains(&websocket), "{}", secure.websocket());
        assert!(secure.enet().contains(&format!("dtls_client_setup(\"2001:db8::1\", {trust})")));
        let webrtc = format!("client.join(\"wss://[2001:db8::1]:9/webrtc\", {trust})");
        assert!(secure.webrtc().contains(&webrtc), "{}", secure.webrtc());
    }
}
