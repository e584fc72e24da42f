//! Checks of closing connections.

use super::Rig;
use super::stage::{Link, SERVER, Stage};
use crate::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, Farewell, SendError, TransferMode,
};

/// `Polite` reports `Disconnected` on both peers: the server's with its own reason, the client's
/// with `Remote`.
pub fn a_polite_goodbye_is_reported_on_both_sides<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let (link, other) = (stage.connect(), stage.connect());
    stage.sides[SERVER].disconnect(link.at_server, DisconnectReason::Kicked, Farewell::Polite);
    both_ended(&mut stage, link);
    assert_eq!(stage.sides[SERVER].end_of(link.at_server), Some(DisconnectReason::Kicked));
    other_side_did_it(stage.sides[link.client].end_of(link.at_client));
    let status = stage.sides[link.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "status of a client that lost its server");
    still_works(&mut stage, other);
}

/// Same for a client that closes with `Polite`.
pub fn a_client_may_say_goodbye<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let (link, other) = (stage.connect(), stage.connect());
    let client = &mut stage.sides[link.client];
    client.disconnect(link.at_client, DisconnectReason::Closed, Farewell::Polite);
    both_ended(&mut stage, link);
    assert_eq!(stage.sides[link.client].end_of(link.at_client), Some(DisconnectReason::Closed));
    other_side_did_it(stage.sides[SERVER].end_of(link.at_server));
    let status = stage.sides[link.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "status of a client that disconnected");
    still_works(&mut stage, other);
}

/// `Drain` delivers every reliable packet accepted before, then closes like `Polite`. Later packets
/// are not sent.
pub fn a_draining_goodbye_delivers_first<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let link = stage.connect();
    let size = 30_000.min(stage.sides[SERVER].peer.max_packet_size());
    for number in 0..50 {
        stage.say(SERVER, link.at_server, vec![number; size]);
    }
    stage.sides[SERVER].disconnect(link.at_server, DisconnectReason::Closed, Farewell::Drain);
    stage.say(SERVER, link.at_server, "after disconnect");
    both_ended(&mut stage, link);
    let arrived: Vec<_> = stage.sides[link.client].payloads(link.at_client);
    assert_eq!(arrived.len(), 50, "packets accepted before the draining disconnect");
    for (number, payload) in (0..).zip(arrived) {
        assert!(payload.len() == size && payload.iter().all(|&byte| byte == number));
    }
    assert_eq!(stage.sides[SERVER].end_of(link.at_server), Some(DisconnectReason::Closed));
    other_side_did_it(stage.sides[link.client].end_of(link.at_client));
}

/// `Abrupt` removes the connection immediately and without an event. The remote peer reports it,
/// after the disconnect packet or a timeout.
pub fn an_abrupt_goodbye_is_reported_on_the_other_side_only<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect()];
    let other = stage.connect();
    for link in links {
        // Packets on their way to the closing peer are dropped, too.
        stage.say(SERVER, link.at_server, "on its way");
        stage.say(link.client, link.at_client, "on its way");
    }
    stage.sides[SERVER].disconnect(links[0].at_server, DisconnectReason::Kicked, Farewell::Abrupt);
    let client = &mut stage.sides[links[1].client];
    client.disconnect(links[1].at_client, DisconnectReason::Closed, Farewell::Abrupt);
    let status = client.peer.connection_status();
    assert_eq!(
        status,
        ConnectionStatus::Disconnected,
        "status of a client that removed its connection"
    );

    // The session fails the check if a peer reports an event of a connection it has removed.
    stage.until("the remote peers to report the end", |stage| {
        stage.sides[links[0].client].end_of(links[0].at_client).is_some()
            && stage.sides[SERVER].end_of(links[1].at_server).is_some()
    });
    told_or_timed_out(stage.sides[links[0].client].end_of(links[0].at_client));
    told_or_timed_out(stage.sides[SERVER].end_of(links[1].at_server));
    stage.quiet();
    still_works(&mut stage, other);
}

/// A server that closes reports no event and sends nothing more. Its clients report the end.
pub fn closing_is_reported_by_everybody_else<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect(), stage.connect()];
    stage.sides[SERVER].close();
    let status = stage.sides[SERVER].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "status of a closed server");
    stage.until("the clients to report the end", |stage| {
        links.iter().all(|link| stage.sides[link.client].end_of(link.at_client).is_some())
    });
    for link in links {
        told_or_timed_out(stage.sides[link.client].end_of(link.at_client));
        let status = stage.sides[link.client].peer.connection_status();
        assert_eq!(
            status,
            ConnectionStatus::Disconnected,
            "status of a client that lost its server"
        );
    }
    stage.quiet();
    let to = links[0].at_server;
    let sent = stage.try_send(SERVER, to, TransferMode::Reliable, Channel(0), "hello");
    assert_eq!(sent, Err(SendError::NotConnected), "packet of a closed server");
}

/// A client that closes reports no event. The server reports the end and keeps its other clients.
pub fn a_client_that_closes_is_reported_by_the_server<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let (link, other) = (stage.connect(), stage.connect());
    stage.sides[link.client].close();
    let status = stage.sides[link.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "status of a closed client");
    stage.until("the server to report the end", |stage| {
        stage.sides[SERVER].end_of(link.at_server).is_some()
    });
    told_or_timed_out(stage.sides[SERVER].end_of(link.at_server));
    still_works(&mut stage, other);
}

fn both_ended<R: Rig>(stage: &mut Stage<R>, link: Link) {
    let ended = |stage: &Stage<R>, side: usize, connection: ConnectionId| {
        stage.sides[side].end_of(connection).is_some()
    };
    stage.until("both peers to report the end of a connection", |stage| {
        ended(stage, SERVER, link.at_server) && ended(stage, link.client, link.at_client)
    });
    // A second end would be detected by the session.
    stage.quiet();
}

#[track_caller]
fn other_side_did_it(reason: Option<DisconnectReason>) {
    assert!(
        matches!(reason, Some(DisconnectReason::Remote(_))),
        "reason is {reason:?}, not Remote"
    );
}

/// Checks a reason that is a timeout if the only disconnect packet was lost.
#[track_caller]
fn told_or_timed_out(reason: Option<DisconnectReason>) {
    assert!(
        matches!(reason, Some(DisconnectReason::Remote(_) | DisconnectReason::Timeout)),
        "reason is {reason:?}, neither Remote nor Timeout"
    );
}

fn still_works<R: Rig>(stage: &mut Stage<R>, link: Link) {
    stage.say(SERVER, link.at_server, "still here");
    stage.until("a packet on another connection", |stage| {
        stage.sides[link.client].payloads(link.at_client) == [b"still here"]
    });
}
