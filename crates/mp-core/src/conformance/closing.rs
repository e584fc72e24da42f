//! Checks of closing connections.

use super::Rig;
use super::session::{ConnectionPair, SERVER, Session};
use crate::{
    Channel, CloseMode, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason,
    SendError, TransferMode,
};

/// `Graceful` reports `Disconnected` on both peers: the server's with its own reason, the client's
/// with `Remote`.
pub fn graceful_disconnect_is_reported_by_both_peers<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let (pair, other) = (session.connect(), session.connect());
    session.peers[SERVER].disconnect(pair.at_server, DisconnectReason::Kicked, CloseMode::Graceful);
    wait_for_end(&mut session, pair);
    assert_eq!(session.peers[SERVER].end_of(pair.at_server), Some(DisconnectReason::Kicked));
    check_remote(session.peers[pair.client].end_of(pair.at_client));
    let status = session.peers[pair.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "status of a client that lost its server");
    check_delivery(&mut session, other);
}

/// Same for a client that closes with `Graceful`.
pub fn client_disconnects_gracefully<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let (pair, other) = (session.connect(), session.connect());
    let client = &mut session.peers[pair.client];
    client.disconnect(pair.at_client, DisconnectReason::Closed, CloseMode::Graceful);
    wait_for_end(&mut session, pair);
    assert_eq!(session.peers[pair.client].end_of(pair.at_client), Some(DisconnectReason::Closed));
    check_remote(session.peers[SERVER].end_of(pair.at_server));
    let status = session.peers[pair.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "status of a client that disconnected");
    check_delivery(&mut session, other);
}

/// `Drain` delivers every reliable packet accepted before, then closes like `Graceful`. Later
/// packets are not sent.
pub fn drain_delivers_accepted_packets_first<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pair = session.connect();
    let size = 30_000.min(session.peers[SERVER].peer.max_packet_size());
    for number in 0..50 {
        session.send_reliable(SERVER, pair.at_server, vec![number; size]);
    }
    session.peers[SERVER].disconnect(pair.at_server, DisconnectReason::Closed, CloseMode::Drain);
    session.send_reliable(SERVER, pair.at_server, "after disconnect");
    wait_for_end(&mut session, pair);
    let received: Vec<_> = session.peers[pair.client].payloads(pair.at_client);
    assert_eq!(received.len(), 50, "packets accepted before the draining disconnect");
    for (number, payload) in (0..).zip(received) {
        assert!(payload.len() == size && payload.iter().all(|&byte| byte == number));
    }
    assert_eq!(session.peers[SERVER].end_of(pair.at_server), Some(DisconnectReason::Closed));
    check_remote(session.peers[pair.client].end_of(pair.at_client));
}

/// Counters of the transport do not decrease when connections end, and its queue is empty then.
pub fn statistics_include_ended_connections<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pairs = [session.connect(), session.connect()];
    for pair in pairs {
        for _ in 0..5 {
            session.send_reliable(SERVER, pair.at_server, "down");
            session.send_reliable(pair.client, pair.at_client, "up");
        }
        session.until("five packets each way", |session| {
            session.peers[pair.client].payloads(pair.at_client).len() == 5
                && session.peers[SERVER].payloads(pair.at_server).len() == 5
        });
    }
    let client = &mut session.peers[pairs[0].client];
    client.disconnect(pairs[0].at_client, DisconnectReason::Closed, CloseMode::Graceful);
    wait_for_end(&mut session, pairs[0]);
    session.peers[SERVER].disconnect(
        pairs[1].at_server,
        DisconnectReason::Kicked,
        CloseMode::Immediate,
    );
    session.quiet();
    let stats = session.peers[SERVER].peer.transport_stats();
    let ConnectionStats { packets_received, bytes_received, .. } = stats.connections;
    assert_eq!((packets_received, bytes_received), (10, 20), "packets received, and their bytes");
    let ConnectionStats { packets_sent, bytes_sent, queued_bytes, .. } = stats.connections;
    assert!(packets_sent >= 10 && bytes_sent >= 40, "{packets_sent} sent, {bytes_sent} bytes");
    assert_eq!(queued_bytes, 0, "bytes queued for ended connections");
    assert_eq!(stats.completed_handshakes, 2, "completed handshakes");
    let least = (bytes_received, bytes_sent);
    assert!(stats.network_bytes_received > least.0 && stats.network_bytes_sent > least.1);
}

/// `Immediate` removes the connection immediately and without an event. The remote peer reports it,
/// after the disconnect packet or a timeout.
pub fn immediate_disconnect_is_reported_by_the_remote_peer_only<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pairs = [session.connect(), session.connect()];
    let other = session.connect();
    for pair in pairs {
        // Packets on their way to the closing peer are dropped, too.
        session.send_reliable(SERVER, pair.at_server, "on its way");
        session.send_reliable(pair.client, pair.at_client, "on its way");
    }
    session.peers[SERVER].disconnect(
        pairs[0].at_server,
        DisconnectReason::Kicked,
        CloseMode::Immediate,
    );
    let client = &mut session.peers[pairs[1].client];
    client.disconnect(pairs[1].at_client, DisconnectReason::Closed, CloseMode::Immediate);
    let status = client.peer.connection_status();
    assert_eq!(
        status,
        ConnectionStatus::Disconnected,
        "status of a client that removed its connection"
    );

    // The session fails the check if a peer reports an event of a connection it has removed.
    session.until("the remote peers to report the end", |session| {
        session.peers[pairs[0].client].end_of(pairs[0].at_client).is_some()
            && session.peers[SERVER].end_of(pairs[1].at_server).is_some()
    });
    check_remote_or_timeout(session.peers[pairs[0].client].end_of(pairs[0].at_client));
    check_remote_or_timeout(session.peers[SERVER].end_of(pairs[1].at_server));
    session.quiet();
    check_delivery(&mut session, other);
}

/// A server that closes reports no event and sends nothing more. Its clients report the end.
pub fn closing_server_is_reported_by_its_clients<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pairs = [session.connect(), session.connect(), session.connect()];
    session.peers[SERVER].close();
    let status = session.peers[SERVER].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "status of a closed server");
    session.until("the clients to report the end", |session| {
        pairs.iter().all(|pair| session.peers[pair.client].end_of(pair.at_client).is_some())
    });
    for pair in pairs {
        check_remote_or_timeout(session.peers[pair.client].end_of(pair.at_client));
        let status = session.peers[pair.client].peer.connection_status();
        assert_eq!(
            status,
            ConnectionStatus::Disconnected,
            "status of a client that lost its server"
        );
    }
    session.quiet();
    let to = pairs[0].at_server;
    let sent = session.try_send(SERVER, to, TransferMode::Reliable, Channel(0), "hello");
    assert_eq!(sent, Err(SendError::NotConnected), "packet of a closed server");
}

/// A client that closes reports no event. The server reports the end and keeps its other clients.
pub fn closing_client_is_reported_by_its_server<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let (pair, other) = (session.connect(), session.connect());
    session.peers[pair.client].close();
    let status = session.peers[pair.client].peer.connection_status();
    assert_eq!(status, ConnectionStatus::Disconnected, "status of a closed client");
    session.until("the server to report the end", |session| {
        session.peers[SERVER].end_of(pair.at_server).is_some()
    });
    check_remote_or_timeout(session.peers[SERVER].end_of(pair.at_server));
    check_delivery(&mut session, other);
}

fn wait_for_end<R: Rig>(session: &mut Session<R>, pair: ConnectionPair) {
    let ended = |session: &Session<R>, side: usize, connection: ConnectionId| {
        session.peers[side].end_of(connection).is_some()
    };
    session.until("both peers to report the end of a connection", |session| {
        ended(session, SERVER, pair.at_server) && ended(session, pair.client, pair.at_client)
    });
    // A second end would be detected by the session.
    session.quiet();
}

#[track_caller]
fn check_remote(reason: Option<DisconnectReason>) {
    assert!(
        matches!(reason, Some(DisconnectReason::Remote(_))),
        "reason is {reason:?}, not Remote"
    );
}

/// Checks a reason that is a timeout if the only disconnect packet was lost.
#[track_caller]
fn check_remote_or_timeout(reason: Option<DisconnectReason>) {
    assert!(
        matches!(reason, Some(DisconnectReason::Remote(_) | DisconnectReason::Timeout)),
        "reason is {reason:?}, neither Remote nor Timeout"
    );
}

fn check_delivery<R: Rig>(session: &mut Session<R>, pair: ConnectionPair) {
    session.send_reliable(SERVER, pair.at_server, "still here");
    session.until("a packet on another connection", |session| {
        session.peers[pair.client].payloads(pair.at_client) == [b"still here"]
    });
}
