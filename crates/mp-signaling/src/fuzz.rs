//! The body of this crate's fuzz target. It accepts any bytes and panics if a property does not
//! hold. See `fuzz/` in the repository.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mp_core::fuzz::pieces;
use mp_core::{Instant, Rng};

use crate::{Message, Output, SignalingOptions, SignalingServer, SocketId};

/// Passes the pieces of the input to a server as messages, and parses each as a message. The first
/// byte of a piece selects the socket, the time that passes before, and whether the socket closes.
pub fn signaling_message(data: &[u8]) {
    let mut server = SignalingServer::new(SignalingOptions::default(), Rng::seed_from_u64(1));
    server.open_lobby("room", 2);
    server.set_default_lobby(Some("room".to_owned()));
    let mut now = Instant::from_millis(1_000);
    let mut open = BTreeSet::new();
    for piece in pieces(data) {
        let Some((&first, text)) = piece.split_first() else { continue };
        let text = String::from_utf8_lossy(text);
        if let Ok(message) = Message::from_text(&text) {
            let again = Message::from_text(&message.to_text());
            assert_eq!(again.ok(), Some(message));
        }
        let socket = SocketId(u64::from(first & 3));
        now += Duration::from_millis(u64::from(first >> 3) * 16);
        server.handle_timeout(now);
        // A lobby may close any socket.
        drain(&mut server, &mut open);
        if open.insert(socket) {
            server.handle_opened(now, socket, IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        server.handle_message(now, socket, &text);
        drain(&mut server, &mut open);
        if first & 4 != 0 && open.remove(&socket) {
            server.handle_closed(socket);
            drain(&mut server, &mut open);
        }
        assert_eq!(server.socket_count(), open.len());
        // The lobby of the server, and one of each socket.
        assert!(server.lobby_count() <= 1 + open.len());
    }
}

fn drain(server: &mut SignalingServer, open: &mut BTreeSet<SocketId>) {
    while let Some(output) = server.next_output() {
        match output {
            Output::Send { socket, message } => {
                assert!(open.contains(&socket), "{message:?} to a closed socket");
            }
            Output::Close { socket, .. } => assert!(open.remove(&socket), "closed twice"),
            _ => {}
        }
    }
}
