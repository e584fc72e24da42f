//! Bodies of this crate's fuzz targets. Each accepts any bytes and panics if a property does not
//! hold. See `fuzz/` in the repository.

use std::net::SocketAddr;

use mp_core::fuzz::pieces;
use mp_core::{ConnectionId, ConnectionOrigin, ConnectionStatus, Instant, PeerEvent, Rng};

use crate::limits::HEAD_BYTES_MAX;
use crate::proto::connection::Connection;
use crate::proto::response::{ResponseOutcome, SentRequest};
use crate::proto::session::Session;
use crate::proto::url::Url;
use crate::{ClientOptions, ServerOptions};

const NOW: Instant = Instant::from_millis(1_000);
const ID: ConnectionId = ConnectionId { slot: 0, generation: 0 };
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Passes the pieces of an opening handshake to a server's connection and to a client's.
pub fn web_socket_handshake(data: &[u8]) {
    if let Ok(url) = String::from_utf8_lossy(data).parse::<Url>() {
        assert!(!url.host().is_empty());
    }
    let (mut session, mut connection) = server();
    receive(&mut connection, &mut session, pieces(data));
    let (mut session, mut connection, sent) = client();
    if let ResponseOutcome::Open { len, .. } = sent.parse(data) {
        assert!(len <= data.len().min(HEAD_BYTES_MAX));
    }
    receive(&mut connection, &mut session, pieces(data));
}

/// Passes the pieces of a stream of frames to an open connection of a server and of a client.
pub fn web_socket_frames(data: &[u8]) {
    let (mut session, mut connection) = server();
    receive(&mut connection, &mut session, [REQUEST].into_iter());
    assert!(connection.is_open());
    receive(&mut connection, &mut session, pieces(data));

    let (mut session, mut connection, _) = client();
    // The client's key is fixed, and so is the response that it accepts. Its id follows.
    let accept = tungstenite::handshake::derive_accept_key(KEY.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let id = [0x82, 4, 7, 0, 0, 0];
    receive(&mut connection, &mut session, [response.as_bytes(), &id].into_iter());
    assert!(connection.is_open());
    receive(&mut connection, &mut session, pieces(data));
}

/// Passes `pieces` to a connection and discards its output after each, then expires its timers.
fn receive<'a>(
    connection: &mut Connection,
    session: &mut Session,
    pieces: impl Iterator<Item = &'a [u8]>,
) {
    let (mut out, mut received) = (Vec::new(), 0);
    for piece in pieces {
        if connection.end().is_some() {
            break;
        }
        connection.receive(NOW, piece, session);
        connection.transmit(NOW, &mut out, session);
        out.clear();
        received += piece.len();
        for event in session.events.drain(..) {
            if let PeerEvent::Packet(packet) = event {
                assert!(packet.payload.len() <= received.min(session.settings.inbound_max));
            }
        }
    }
    // Every timer moves forward or ends the connection.
    for _ in 0..4 {
        let Some(due) = connection.due().filter(|_| connection.end().is_none()) else { break };
        connection.handle_timeout(due, session);
        connection.transmit(due, &mut out, session);
        assert!(connection.end().is_some() || connection.due().is_none_or(|next| next > due));
    }
}

fn server() -> (Session, Connection) {
    let options = ServerOptions::default().trusted_proxies(1);
    let (settings, rules) = options.read().expect("usable options");
    let rng = Rng::seed_from_u64(1);
    let session = Session::new(settings, rules, rng, ConnectionStatus::Connected);
    let address = SocketAddr::from(([10, 0, 0, 2], 5_000));
    let connection = Connection::accepted(ID, address, None, NOW, false, &session);
    (session, connection)
}

/// The key that [`SentRequest::new`] makes from 16 zeros.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

fn client() -> (Session, Connection, SentRequest) {
    let settings = ClientOptions::default().read().expect("usable options");
    let rng = Rng::seed_from_u64(1);
    let session = Session::new(settings, Default::default(), rng, ConnectionStatus::Connecting);
    let url: Url = "ws://a/".parse().expect("a URL");
    let (sent, request) = SentRequest::new(&url, [0; 16], &[], &[]);
    let origin = ConnectionOrigin::Address(SocketAddr::from(([10, 0, 0, 1], 80)));
    let deadline = NOW + session.settings.handshake_timeout;
    let connection =
        Connection::dialed(ID, origin, None, (sent.clone(), request), deadline, &session);
    (session, connection, sent)
}
