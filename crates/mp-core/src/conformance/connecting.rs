//! Checks of establishing connections, and of the turns of a host.

use super::Rig;
use super::session::{SERVER, Session};
use crate::{CloseMode, ConnectionStatus, DisconnectReason, PeerId};

/// A client is `Connecting` until it reports `Connected`. Both peers report one connection.
pub fn client_and_server_connect<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let client = session.join();
    assert_eq!(session.peers[client].peer.connection_status(), ConnectionStatus::Connecting);
    let meet = |session: &Session<R>| {
        let side = &session.peers[client];
        let status = side.peer.connection_status();
        if side.connections() == 0 {
            assert_eq!(status, ConnectionStatus::Connecting, "before Connected is reported");
        } else {
            assert_eq!(status, ConnectionStatus::Connected, "after Connected was reported");
        }
        side.connections() == 1 && session.peers[SERVER].connections() == 1
    };
    session.until("a client and the server to be connected", meet);
    session.quiet();
    assert!(meet(&session), "each peer keeps its connection");
}

/// The server's `Connected` claims the client's own id, the client's claims the server's 1.
pub fn server_reports_the_id_of_its_client<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pairs = [session.connect(), session.connect(), session.connect()];
    let mut ids: Vec<_> = pairs.iter().map(|l| session.peers[l.client].peer.unique_id()).collect();
    for (pair, id) in pairs.iter().zip(&ids) {
        assert_eq!(session.peers[SERVER].claimed_id(pair.at_server), Some(*id), "at the server");
        let claimed = session.peers[pair.client].claimed_id(pair.at_client);
        assert_eq!(claimed, Some(PeerId::SERVER), "at the client");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), pairs.len(), "client ids are unique");
    assert!(ids[0] > PeerId::SERVER, "no client has the server's id");
}

/// Packets sent as soon as `Connected` is reported are received, after the remote peer's
/// `Connected`.
pub fn connected_precedes_packets<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let client = session.join();
    let mut greeted = [false; 2];
    let deadline = session.now + session.capabilities.patience;
    loop {
        for (side, greeted) in [SERVER, client].into_iter().zip(&mut greeted) {
            if let Some(pair) = session.peers[side].first_connected()
                && !*greeted
            {
                *greeted = true;
                for number in 0..10 {
                    session.send_reliable(side, pair, vec![number; 100]);
                }
            }
        }
        // The session checks the order of all events.
        let received = |side: usize| session.peers[side].all_packets().count();
        if received(SERVER) == 10 && received(client) == 10 {
            return;
        }
        assert!(session.now < deadline, "timed out waiting for the first packets of a connection");
        session.turn();
    }
}

/// `next_event` itself receives nothing from the network.
pub fn events_are_received_only_by_poll<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pair = session.connect();
    session.quiet();
    session.send_reliable(pair.client, pair.at_client, "hello");
    let end = session.now + session.capabilities.quiet;
    while session.now < end {
        session.step();
        let now = session.now;
        session.peers[pair.client].turn(now);
        let event = session.peers[SERVER].peer.next_event();
        assert_eq!(event, None, "an event without a poll");
    }
    session.until("the packet after the server polls", |session| {
        session.peers[SERVER].payloads(pair.at_server) == [b"hello"]
    });
}

/// Slots may be reused, connection ids may not. A packet for an old id is not delivered.
pub fn connection_ids_are_never_reused<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let mut old = Vec::new();
    for round in 0..6 {
        let pair = session.connect();
        let (side, connection) = match round % 3 {
            0 => (pair.client, pair.at_client),
            _ => (SERVER, pair.at_server),
        };
        let close_mode = if round % 2 == 0 { CloseMode::Graceful } else { CloseMode::Immediate };
        session.peers[side].disconnect(connection, DisconnectReason::Kicked, close_mode);
        session.until("a connection to end", |session| {
            let ended = |side: usize, connection| session.peers[side].end_of(connection).is_some();
            let abrupt = close_mode == CloseMode::Immediate;
            (ended(SERVER, pair.at_server) || (abrupt && side == SERVER))
                && (ended(pair.client, pair.at_client) || (abrupt && side == pair.client))
        });
        old.push(pair.at_server);
    }
    // The session checks that each id is new.
    let pair = session.connect();
    for connection in old {
        assert_ne!(connection, pair.at_server);
        session.send_reliable(SERVER, connection, "lost");
        session.peers[SERVER].peer.disconnect(
            connection,
            DisconnectReason::Kicked,
            CloseMode::Immediate,
        );
    }
    session.send_reliable(SERVER, pair.at_server, "hello");
    session.until("a packet on the current connection", |session| {
        session.peers[pair.client].packets(pair.at_client).next().is_some()
    });
    session.quiet();
    assert_eq!(session.peers[pair.client].payloads(pair.at_client), [b"hello"]);
    assert_eq!(session.peers[pair.client].end_of(pair.at_client), None);
}

/// While new connections are refused existing ones continue. Afterwards clients may join again.
pub fn refusing_connections_keeps_existing_ones<R: Rig>(rig: R) {
    assert!(rig.capabilities().refuses, "the rig does not support refusing connections");
    let mut session = Session::open(rig);
    assert!(
        !session.peers[SERVER].peer.is_refusing_new_connections(),
        "connections are refused by default"
    );
    let pair = session.connect();
    session.peers[SERVER].peer.set_refuse_new_connections(true);
    assert!(session.peers[SERVER].peer.is_refusing_new_connections());

    let rejected = session.join();
    session.quiet();
    let ended = session.peers[SERVER].end_of(pair.at_server);
    assert_eq!(ended, None, "existing connection ended");
    assert_eq!(session.peers[SERVER].connections(), 1, "the server refuses the second client");
    assert_eq!(session.peers[rejected].connections(), 0, "the second client is refused");
    assert_ne!(session.peers[rejected].peer.connection_status(), ConnectionStatus::Connected);
    session.send_reliable(SERVER, pair.at_server, "down");
    session.send_reliable(pair.client, pair.at_client, "up");
    session.until("packets on the existing connection", |session| {
        session.peers[pair.client].payloads(pair.at_client) == [b"down"]
            && session.peers[SERVER].payloads(pair.at_server) == [b"up".as_slice()]
    });

    // The rejected client closes, so that it does not retry.
    session.peers[rejected].close();
    session.quiet();
    session.peers[SERVER].peer.set_refuse_new_connections(false);
    let late = session.connect();
    assert_eq!(session.peers[SERVER].end_of(pair.at_server), None);
    assert_ne!(late.at_server, pair.at_server);
}

/// Turns at `poll_timeout` and as `readiness` says are enough for progress, and an idle peer
/// requests no immediate turn.
pub fn sleeping_host_makes_progress<R: Rig>(rig: R) {
    const ROUNDS: u8 = 20;
    let mut session = Session::open(rig);
    let client = session.join();
    session.until_lazily("a client and the server to be connected", |session| {
        session.peers[client].connections() == 1 && session.peers[SERVER].connections() == 1
    });
    let at_server = session.peers[SERVER].first_connected().expect("connected");
    let at_client = session.peers[client].first_connected().expect("connected");
    let size = 20_000.min(session.peers[SERVER].peer.max_packet_size());
    for round in 1..=ROUNDS {
        for (from, connection, to) in [(SERVER, at_server, client), (client, at_client, SERVER)] {
            session.send_reliable(from, connection, vec![round; size]);
            // A host ends the turn in which it handled a message.
            let now = session.now;
            session.peers[from].turn(now);
            session.until_lazily("the next packet of a conversation", |session| {
                session.peers[to].all_packets().count() == usize::from(round)
            });
        }
    }
    let end = session.now + session.capabilities.quiet;
    while session.now < end {
        session.lazy_turn();
    }
    session.turn();
    for side in &session.peers {
        let due = side.peer.poll_timeout();
        let now = session.now;
        assert!(
            due.is_none_or(|due| due > now),
            "an idle peer requests an immediate turn: {due:?}"
        );
    }
}
