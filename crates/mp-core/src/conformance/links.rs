//! Checks of establishing connections, and of the turns of a host.

use super::Rig;
use super::stage::{SERVER, Stage};
use crate::{ConnectionStatus, DisconnectReason, Farewell, PeerId};

/// A client is `Connecting` until it reports `Connected`. Both peers report one connection.
pub fn the_server_and_a_client_meet<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let client = stage.join();
    assert_eq!(stage.sides[client].peer.connection_status(), ConnectionStatus::Connecting);
    let meet = |stage: &Stage<R>| {
        let side = &stage.sides[client];
        let status = side.peer.connection_status();
        if side.connections() == 0 {
            assert_eq!(status, ConnectionStatus::Connecting, "before Connected is reported");
        } else {
            assert_eq!(status, ConnectionStatus::Connected, "after Connected was reported");
        }
        side.connections() == 1 && stage.sides[SERVER].connections() == 1
    };
    stage.until("a client and the server to be connected", meet);
    stage.quiet();
    assert!(meet(&stage), "each peer keeps its connection");
}

/// The server's `Connected` claims the client's own id, the client's claims the server's 1.
pub fn the_server_sees_the_id_a_client_has<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect(), stage.connect()];
    let mut ids: Vec<_> = links.iter().map(|l| stage.sides[l.client].peer.unique_id()).collect();
    for (link, id) in links.iter().zip(&ids) {
        assert_eq!(stage.sides[SERVER].claimed_id(link.at_server), Some(*id), "at the server");
        let claimed = stage.sides[link.client].claimed_id(link.at_client);
        assert_eq!(claimed, Some(PeerId::SERVER), "at the client");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), links.len(), "client ids are unique");
    assert!(ids[0] > PeerId::SERVER, "no client has the server's id");
}

/// Packets sent as soon as `Connected` is reported are received, after the remote peer's
/// `Connected`.
pub fn connected_precedes_packets<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let client = stage.join();
    let mut greeted = [false; 2];
    let deadline = stage.now + stage.can.patience;
    loop {
        for (side, greeted) in [SERVER, client].into_iter().zip(&mut greeted) {
            if let Some(link) = stage.sides[side].first_connected()
                && !*greeted
            {
                *greeted = true;
                for number in 0..10 {
                    stage.say(side, link, vec![number; 100]);
                }
            }
        }
        // The session checks the order of all events.
        let arrived = |side: usize| stage.sides[side].all_packets().count();
        if arrived(SERVER) == 10 && arrived(client) == 10 {
            return;
        }
        assert!(stage.now < deadline, "timed out waiting for the first packets of a connection");
        stage.turn();
    }
}

/// `next_event` itself receives nothing from the network.
pub fn events_come_only_out_of_poll<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let link = stage.connect();
    stage.quiet();
    stage.say(link.client, link.at_client, "hello");
    let end = stage.now + stage.can.quiet;
    while stage.now < end {
        stage.pass();
        let now = stage.now;
        stage.sides[link.client].turn(now);
        let event = stage.sides[SERVER].peer.next_event();
        assert_eq!(event, None, "an event without a poll");
    }
    stage.until("the packet after the server polls", |stage| {
        stage.sides[SERVER].payloads(link.at_server) == [b"hello"]
    });
}

/// Slots may be reused, connection ids may not. A packet for an old id is not delivered.
pub fn a_connection_id_is_never_used_again<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let mut old = Vec::new();
    for round in 0..6 {
        let link = stage.connect();
        let (side, connection) = match round % 3 {
            0 => (link.client, link.at_client),
            _ => (SERVER, link.at_server),
        };
        let how = if round % 2 == 0 { Farewell::Polite } else { Farewell::Abrupt };
        stage.sides[side].disconnect(connection, DisconnectReason::Kicked, how);
        stage.until("a connection to end", |stage| {
            let told = |side: usize, connection| stage.sides[side].end_of(connection).is_some();
            let abrupt = how == Farewell::Abrupt;
            (told(SERVER, link.at_server) || (abrupt && side == SERVER))
                && (told(link.client, link.at_client) || (abrupt && side == link.client))
        });
        old.push(link.at_server);
    }
    // The session checks that each id is new.
    let link = stage.connect();
    for connection in old {
        assert_ne!(connection, link.at_server);
        stage.say(SERVER, connection, "lost");
        stage.sides[SERVER].peer.disconnect(connection, DisconnectReason::Kicked, Farewell::Abrupt);
    }
    stage.say(SERVER, link.at_server, "hello");
    stage.until("a packet on the current connection", |stage| {
        stage.sides[link.client].packets(link.at_client).next().is_some()
    });
    stage.quiet();
    assert_eq!(stage.sides[link.client].payloads(link.at_client), [b"hello"]);
    assert_eq!(stage.sides[link.client].end_of(link.at_client), None);
}

/// While new connections are refused existing ones continue. Afterwards clients may join again.
pub fn refusing_keeps_the_links_there_are<R: Rig>(rig: R) {
    assert!(rig.capabilities().refuses, "the rig does not support refusing connections");
    let mut stage = Stage::open(rig);
    assert!(
        !stage.sides[SERVER].peer.is_refusing_new_connections(),
        "connections are refused by default"
    );
    let link = stage.connect();
    stage.sides[SERVER].peer.set_refuse_new_connections(true);
    assert!(stage.sides[SERVER].peer.is_refusing_new_connections());

    let refused = stage.join();
    stage.quiet();
    let ended = stage.sides[SERVER].end_of(link.at_server);
    assert_eq!(ended, None, "existing connection ended");
    assert_eq!(stage.sides[SERVER].connections(), 1, "the server refuses the second client");
    assert_eq!(stage.sides[refused].connections(), 0, "the second client is refused");
    assert_ne!(stage.sides[refused].peer.connection_status(), ConnectionStatus::Connected);
    stage.say(SERVER, link.at_server, "down");
    stage.say(link.client, link.at_client, "up");
    stage.until("packets on the existing connection", |stage| {
        stage.sides[link.client].payloads(link.at_client) == [b"down"]
            && stage.sides[SERVER].payloads(link.at_server) == [b"up".as_slice()]
    });

    // The rejected client closes, so that it does not retry.
    stage.sides[refused].close();
    stage.quiet();
    stage.sides[SERVER].peer.set_refuse_new_connections(false);
    let welcome = stage.connect();
    assert_eq!(stage.sides[SERVER].end_of(link.at_server), None);
    assert_ne!(welcome.at_server, link.at_server);
}

/// Turns at `poll_timeout` and as `readiness` says are enough for progress, and an idle peer
/// requests no immediate turn.
pub fn a_host_that_sleeps_until_it_is_called_makes_progress<R: Rig>(rig: R) {
    const ROUNDS: u8 = 20;
    let mut stage = Stage::open(rig);
    let client = stage.join();
    stage.lazily_until("a client and the server to be connected", |stage| {
        stage.sides[client].connections() == 1 && stage.sides[SERVER].connections() == 1
    });
    let at_server = stage.sides[SERVER].first_connected().expect("connected");
    let at_client = stage.sides[client].first_connected().expect("connected");
    let size = 20_000.min(stage.sides[SERVER].peer.max_packet_size());
    for round in 1..=ROUNDS {
        for (from, connection, to) in [(SERVER, at_server, client), (client, at_client, SERVER)] {
            stage.say(from, connection, vec![round; size]);
            // A host ends the turn in which it handled a message.
            let now = stage.now;
            stage.sides[from].turn(now);
            stage.lazily_until("the next packet of a conversation", |stage| {
                stage.sides[to].all_packets().count() == usize::from(round)
            });
        }
    }
    let end = stage.now + stage.can.quiet;
    while stage.now < end {
        stage.lazy_turn();
    }
    stage.turn();
    for side in &stage.sides {
        let due = side.peer.poll_timeout();
        let now = stage.now;
        assert!(
            due.is_none_or(|due| due > now),
            "an idle peer requests an immediate turn: {due:?}"
        );
    }
}
