//! How links end.

use super::Rig;
use super::stage::{Link, SERVER, Stage};
use crate::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, Farewell, SendError, TransferMode,
};

/// `Polite` gives the server its own reason in a `Disconnected`, and the client one that says the other side did it.
pub fn a_polite_goodbye_is_reported_on_both_sides<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let (link, other) = (stage.connect(), stage.connect());
    stage.sides[SERVER].disconnect(link.at_server, DisconnectReason::Kicked, Farewell::Polite);
    both_ended(&mut stage, link);
    assert_eq!(stage.sides[SERVER].end_of(link.at_server), Some(DisconnectReason::Kicked));
    other_side_did_it(stage.sides[link.client].end_of(link.at_client));
    let status = stage.sides[link.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "of a client that lost its server");
    still_works(&mut stage, other);
}

/// The same from a client.
pub fn a_client_may_say_goodbye<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let (link, other) = (stage.connect(), stage.connect());
    let client = &mut stage.sides[link.client];
    client.disconnect(link.at_client, DisconnectReason::Closed, Farewell::Polite);
    both_ended(&mut stage, link);
    assert_eq!(stage.sides[link.client].end_of(link.at_client), Some(DisconnectReason::Closed));
    other_side_did_it(stage.sides[SERVER].end_of(link.at_server));
    let status = stage.sides[link.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "of a client that left");
    still_works(&mut stage, other);
}

/// `Drain` delivers every reliable packet accepted before it, then ends like `Polite`; later packets go nowhere.
pub fn a_draining_goodbye_delivers_first<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let link = stage.connect();
    let size = 30_000.min(stage.sides[SERVER].peer.max_packet_size());
    for number in 0..50 {
        stage.say(SERVER, link.at_server, vec![number; size]);
    }
    stage.sides[SERVER].disconnect(link.at_server, DisconnectReason::Closed, Farewell::Drain);
    stage.say(SERVER, link.at_server, "too late");
    both_ended(&mut stage, link);
    let arrived: Vec<_> = stage.sides[link.client].payloads(link.at_client);
    assert_eq!(arrived.len(), 50, "packets accepted before a draining goodbye");
    for (number, payload) in (0..).zip(arrived) {
        assert!(payload.len() == size && payload.iter().all(|&byte| byte == number));
    }
    assert_eq!(stage.sides[SERVER].end_of(link.at_server), Some(DisconnectReason::Closed));
    other_side_did_it(stage.sides[link.client].end_of(link.at_client));
}

/// `Abrupt` forgets the link at once and without an event; the other side learns of it, from the goodbye or by waiting.
pub fn an_abrupt_goodbye_is_reported_on_the_other_side_only<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect()];
    let other = stage.connect();
    for link in links {
        // What was on its way to the side that forgets is forgotten, too.
        stage.say(SERVER, link.at_server, "on its way");
        stage.say(link.client, link.at_client, "on its way");
    }
    stage.sides[SERVER].disconnect(links[0].at_server, DisconnectReason::Kicked, Farewell::Abrupt);
    let client = &mut stage.sides[links[1].client];
    client.disconnect(links[1].at_client, DisconnectReason::Closed, Farewell::Abrupt);
    let status = client.peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "of a client that forgot its server");

    // The stage takes an event of a forgotten link for a failure.
    stage.until("the other sides to learn of it", |stage| {
        stage.sides[links[0].client].end_of(links[0].at_client).is_some()
            && stage.sides[SERVER].end_of(links[1].at_server).is_some()
    });
    told_or_timed_out(stage.sides[links[0].client].end_of(links[0].at_client));
    told_or_timed_out(stage.sides[SERVER].end_of(links[1].at_server));
    stage.quiet();
    still_works(&mut stage, other);
}

/// A server that closes reports nothing and sends nothing more; its clients learn of it.
pub fn closing_is_reported_by_everybody_else<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect(), stage.connect()];
    stage.sides[SERVER].close();
    let status = stage.sides[SERVER].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "of a server that closed");
    stage.until("the clients to learn of it", |stage| {
        links.iter().all(|link| stage.sides[link.client].end_of(link.at_client).is_some())
    });
    for link in links {
        told_or_timed_out(stage.sides[link.client].end_of(link.at_client));
        let status = stage.sides[link.client].peer.connection_status();
        assert_eq!(status, ConnectionStatus::Disconnected, "of a client that lost its server");
    }
    stage.quiet();
    let to = links[0].at_server;
    let sent = stage.try_send(SERVER, to, TransferMode::Reliable, Channel(0), "hello");
    assert_eq!(sent, Err(SendError::NotConnected), "a packet of a server that closed");
}

/// A client that closes reports nothing; the server learns of it and goes on.
pub fn a_client_that_closes_is_reported_by_the_server<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let (link, other) = (stage.connect(), stage.connect());
    stage.sides[link.client].close();
    let status = stage.sides[link.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "of a client that closed");
    stage.until("the server to learn of it", |stage| {
        stage.sides[SERVER].end_of(link.at_server).is_some()
    });
    told_or_timed_out(stage.sides[SERVER].end_of(link.at_server));
    still_works(&mut stage, other);
}

fn both_ended<R: Rig>(stage: &mut Stage<R>, link: Link) {
    let ended = |stage: &Stage<R>, side: usize, connection: ConnectionId| {
        stage.sides[side].end_of(connection).is_some()
    };
    stage.until("both sides to report the end of a link", |stage| {
        ended(stage, SERVER, link.at_server) && ended(stage, link.client, link.at_client)
    });
    // A second end would be noticed by the stage.
    stage.quiet();
}

#[track_caller]
fn other_side_did_it(reason: Option<DisconnectReason>) {
    assert!(matches!(reason, Some(DisconnectReason::Remote(_))), "not Remote: {reason:?}");
}

/// One goodbye can get lost.
#[track_caller]
fn told_or_timed_out(reason: Option<DisconnectReason>) {
    assert!(
        matches!(reason, Some(DisconnectReason::Remote(_) | DisconnectReason::Timeout)),
        "neither Remote nor Timeout: {reason:?}"
    );
}

fn still_works<R: Rig>(stage: &mut Stage<R>, link: Link) {
    stage.say(SERVER, link.at_server, "still here");
    stage.until("a packet on a link that did not end", |stage| {
        stage.sides[link.client].payloads(link.at_client) == [b"still here"]
    });
}
