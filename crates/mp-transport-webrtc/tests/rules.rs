//! Godot's rules for peers, and rules for web peers.

mod common;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use common::{Network, Pair, Relay, Swarm, end, packets};
use mp_core::link_shaper::LinkConditions;
use mp_core::{
    Channel, CloseMode, ConnectionGate, ConnectionStatus, DisconnectReason, GateLimits,
    GateRefusal, MultiplayerPeer, PeerEvent, PeerId, SendError, TransferMode,
};
use mp_transport_webrtc::limits::{
    CONNECT_TIMEOUT, HALF_OPEN_PER_ADDRESS_MAX, MESSAGE_BYTES_MAX, QUEUED_BYTES_MAX,
    RELIABLE_QUEUE_BYTES_MAX, WEB_MESSAGE_BYTES_MAX, WEB_PACING_BYTES, WEB_PACING_INTERVAL,
};
use mp_transport_webrtc::{
    AddPeerError, ConnectionState, CreateError, DescriptionError, SdpKind, Signal,
    WebRtcMultiplayerPeer, WebRtcOptions,
};

fn id(number: i32) -> PeerId {
    PeerId::new(number).unwrap()
}

#[test]
fn a_client_has_an_id_that_is_not_the_servers() {
    let network = Network::new(1, LinkConditions::default());
    let error = WebRtcMultiplayerPeer::client(network.socket(), id(1), WebRtcOptions::default());
    assert!(matches!(error, Err(CreateError::InvalidId)));
}

#[test]
fn options_out_of_range_are_rejected_with_name_value_and_range() {
    let network = Network::new(1, LinkConditions::default());
    let error =
        |options| WebRtcMultiplayerPeer::server(network.socket(), options).unwrap_err().to_string();
    for (options, message) in [
        (WebRtcOptions::default().max_peers(0), "max_peers 0 is out of range; use 1 to 4095"),
        (
            WebRtcOptions::default().max_half_open(0),
            "max_half_open 0 is out of range; use 1 or more",
        ),
        (
            WebRtcOptions::default().channels_config([TransferMode::Reliable; 253]),
            "length of channels_config 253 is out of range; use at most 252",
        ),
        (
            WebRtcOptions::default().web_pacing(0, WEB_PACING_INTERVAL),
            "bytes of web_pacing 0 is out of range; use 1 or more",
        ),
    ] {
        assert_eq!(error(options), message);
    }
}

#[test]
fn peers_are_added_under_godots_rules() {
    let network = Network::new(1, LinkConditions::default());
    let options = WebRtcOptions::default();
    let mut server = WebRtcMultiplayerPeer::server(network.socket(), options.clone()).unwrap();
    assert_eq!(server.add_peer(id(1), 1), Err(AddPeerError::OwnId(id(1))));
    assert_eq!(server.add_peer(id(2), 1), Ok(()));
    assert_eq!(server.add_peer(id(2), 1), Err(AddPeerError::Exists(id(2))));
    assert_eq!(server.peer(id(2)).unwrap().state, ConnectionState::New);
    server.set_refuse_new_connections(true);
    assert_eq!(server.add_peer(id(3), 1), Err(AddPeerError::Refusing));
    server.set_refuse_new_connections(false);
    assert_eq!(server.add_peer(id(i32::MAX), 1), Ok(()));
    server.close();
    assert_eq!(server.add_peer(id(3), 1), Err(AddPeerError::Closed));

    let mut client =
        WebRtcMultiplayerPeer::client(network.socket(), id(7), options.clone()).unwrap();
    assert_eq!(client.add_peer(id(2), 1), Err(AddPeerError::NotTheServer(id(2))));
    assert_eq!(client.add_peer(id(1), 1), Ok(()));
    assert_eq!(client.connection_status(), ConnectionStatus::Connecting);

    let mut mesh = WebRtcMultiplayerPeer::mesh(network.socket(), id(7), options).unwrap();
    assert_eq!(mesh.add_peer(id(1), 1), Ok(()));
    assert_eq!(mesh.add_peer(id(7), 1), Err(AddPeerError::OwnId(id(7))));
    assert!(!mesh.is_server_relay_supported() && client.is_server_relay_supported());
}

#[test]
fn a_server_that_is_full_adds_no_peers() {
    let mut pair =
        Pair::with_options(1, LinkConditions::default(), WebRtcOptions::default().max_peers(1));
    pair.connect();
    assert_eq!(pair.server.add_peer(id(3), 1), Err(AddPeerError::Full(1)));
    pair.server.remove_peer(id(2));
    assert_eq!(pair.server.add_peer(id(3), 1), Ok(()));
}

#[test]
fn peers_that_never_connect_do_not_exclude_others() {
    let network = Network::new(1, LinkConditions::default());
    let options = WebRtcOptions::default().max_peers(1).max_half_open(3);
    let mut server = WebRtcMultiplayerPeer::server(network.socket(), options).unwrap();
    for number in 2..100 {
        assert_eq!(server.add_peer(id(number), 1), Ok(()));
        let removed = server.next_signal();
        let expected = (number > 4).then(|| Signal::PeerRemoved { peer: id(number - 3) });
        assert_eq!(removed, expected);
    }
    assert_eq!(server.peers().count(), 3);
    assert_eq!(server.stats().replaced_peers, 95);
}

#[test]
fn an_address_whose_peers_never_connect_excludes_only_its_own() {
    let network = Network::new(1, LinkConditions::default());
    let options = WebRtcOptions::default();
    let mut server = WebRtcMultiplayerPeer::server(network.socket(), options).unwrap();
    let addresses = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
    server.add_peer_of(id(2), 1, addresses[0]).unwrap();
    for number in 3..500 {
        server.add_peer_of(id(number), 1, addresses[1]).unwrap();
    }
    assert!(server.has_peer(id(2)));
    assert_eq!(server.peers().count(), 1 + HALF_OPEN_PER_ADDRESS_MAX);
    let left: Vec<_> = server.peers().map(|(peer, _)| peer.get()).skip(1).collect();
    assert_eq!(left, (500 - HALF_OPEN_PER_ADDRESS_MAX as i32..500).collect::<Vec<_>>());
}

#[test]
fn gate_refuses_peers_by_the_address_of_their_signaling() {
    let gate = ConnectionGate::default();
    gate.set_limits(GateLimits { per_address: Some(1), handshakes: None });
    gate.set_bans(["192.0.2.9".parse().unwrap()]);
    let network = Network::new(1, LinkConditions::default());
    let options = WebRtcOptions::default().gate(gate.clone());
    let mut server = WebRtcMultiplayerPeer::server(network.socket(), options).unwrap();
    let refused = |reason| Err(AddPeerError::Gate(reason));
    let [first, banned] = [[192, 0, 2, 1], [192, 0, 2, 9]].map(IpAddr::from);
    assert_eq!(server.add_peer_of(id(2), 1, banned), refused(GateRefusal::Banned));
    assert_eq!(server.add_peer_of(id(2), 1, first), Ok(()));
    assert_eq!(server.add_peer_of(id(3), 1, first), refused(GateRefusal::TooManyOfAddress));
    server.remove_peer(id(2));
    assert_eq!(gate.stats().connections, 0);
    assert_eq!(server.add_peer_of(id(3), 1, first), Ok(()));
}

#[test]
fn packets_for_an_unconfigured_channel_are_sent_on_channel_0_with_the_fallback_option() {
    for falls_back in [false, true] {
        let options = WebRtcOptions::default().channel_fallback(falls_back);
        let mut pair = Pair::with_options(1, LinkConditions::default(), options);
        pair.connect();
        for (mode, byte) in [(TransferMode::Reliable, 1), (TransferMode::Unreliable, 2)] {
            let sent = pair.try_send(true, mode, Channel(3), vec![byte]);
            let error = SendError::Channel { channel: 3, last: 0 };
            assert_eq!(sent, if falls_back { Ok(()) } else { Err(error) });
        }
        pair.pass(Duration::from_millis(100));
        let received = packets(&pair.at_client);
        assert_eq!(received.len(), if falls_back { 2 } else { 0 });
    }
}

#[test]
fn a_packet_that_is_too_large_for_a_web_peer_reaches_the_others() {
    let mut swarm = Swarm::new(3);
    swarm.relay.web_peer = Some(id(3));
    swarm.connect();
    let len = WEB_MESSAGE_BYTES_MAX + 1;
    assert_eq!(swarm.broadcast(vec![7; len].into()), Ok(()));
    for _ in 0..200 {
        swarm.turn();
    }
    let received: Vec<_> = swarm.at_clients.iter().map(|events| packets(events).len()).collect();
    assert_eq!(received, [1, 0, 1]);
    assert_eq!(swarm.server.stats().too_large_packets, 1);
}

#[test]
fn session_descriptions_are_accepted_in_order_only() {
    let network = Network::new(1, LinkConditions::default());
    let options = WebRtcOptions::default();
    let mut server = WebRtcMultiplayerPeer::server(network.socket(), options).unwrap();
    server.add_peer(id(2), 1).unwrap();
    let sdp = "v=0";
    let answer = server.set_remote_description(id(2), SdpKind::Answer, sdp);
    assert_eq!(answer, Err(DescriptionError::NoOffer));
    let offer = server.set_remote_description(id(2), SdpKind::Offer, sdp);
    assert!(matches!(offer, Err(DescriptionError::Malformed(_))), "{offer:?}");
    let long = server.set_remote_description(id(2), SdpKind::Offer, &"x".repeat(20_000));
    assert_eq!(long, Err(DescriptionError::TooLong));
    assert_eq!(server.create_offer(id(3)), Err(DescriptionError::UnknownPeer));
    assert_eq!(server.create_offer(id(2)), Ok(()));
    assert_eq!(server.create_offer(id(2)), Err(DescriptionError::NotNew));
    let created = server.next_signal();
    assert!(matches!(created, Some(Signal::SessionDescriptionCreated { .. })), "{created:?}");
    assert!(matches!(server.next_signal(), Some(Signal::IceCandidateCreated { .. })));
}

#[test]
fn a_client_that_is_never_answered_becomes_disconnected() {
    let mut pair = Pair::new(1, LinkConditions::default());
    pair.relay.is_broken = true;
    pair.pass(CONNECT_TIMEOUT + Duration::from_secs(1));
    assert_eq!(pair.client.connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(pair.relay.removed.take(), [(id(2), id(1))]);
    assert!(pair.at_client.is_empty());
}

#[test]
fn a_client_that_cannot_be_reached_becomes_disconnected() {
    let mut pair = Pair::new(1, LinkConditions::default());
    pair.network.set_dark(true);
    pair.pass(CONNECT_TIMEOUT + Duration::from_secs(1));
    assert_eq!(pair.client.connection_status(), ConnectionStatus::Disconnected);
    assert!(!pair.server.has_peer(id(2)));
    assert!(pair.at_client.is_empty() && pair.at_server.is_empty());
}

#[test]
fn a_removed_peer_is_notified_immediately() {
    let mut pair = Pair::new(2, LinkConditions::default());
    pair.connect();
    pair.server.remove_peer(id(2));
    pair.pass(Duration::from_millis(100));
    assert_eq!(end(&pair.at_server), Some(DisconnectReason::Closed));
    assert_eq!(end(&pair.at_client), Some(DisconnectReason::Remote(0)));
    assert!(!pair.server.has_peer(id(2)));
}

#[test]
fn a_peer_can_be_added_again_under_its_id() {
    let mut pair = Pair::new(3, LinkConditions::default());
    pair.connect();
    let first = pair.to_client.unwrap();
    pair.server.disconnect(first, DisconnectReason::Kicked, CloseMode::Graceful);
    pair.pass(Duration::from_millis(100));
    pair.reopen();
    pair.connect();
    assert_ne!(pair.to_client.unwrap(), first);
}

#[test]
fn three_members_of_a_mesh_reach_each_other() {
    let network = Network::new(4, LinkConditions::default());
    let mut relay = Relay::new();
    let mut members: Vec<_> = (1..=3)
        .map(|number| {
            let socket = network.socket();
            let mut member =
                WebRtcMultiplayerPeer::mesh(socket, id(number), WebRtcOptions::default()).unwrap();
            relay.insert(id(number), member.signaling());
            member
        })
        .collect();
    for (a, b) in [(2, 1), (3, 1), (3, 2)] {
        relay.connect(id(a), id(b));
    }
    let mut connected = [0; 3];
    for _ in 0..400 {
        relay.run();
        let now = network.advance(Duration::from_millis(5));
        for (member, connected) in members.iter_mut().zip(&mut connected) {
            member.poll(now);
            while let Some(event) = member.next_event() {
                *connected += usize::from(matches!(event, PeerEvent::Connected { .. }));
            }
            member.flush(now);
        }
    }
    assert_eq!(connected, [2, 2, 2]);
    assert!(members[0].peers().all(|(_, info)| info.is_connected));
}

#[test]
fn a_web_peer_is_sent_no_message_that_it_cannot_receive() {
    let mut pair = Pair::new(5, LinkConditions::default());
    pair.relay.looks_like_web = true;
    pair.connect();
    let reliable = TransferMode::Reliable;
    let len = WEB_MESSAGE_BYTES_MAX + 1;
    let error = pair.try_send(true, reliable, Channel(0), vec![0; len]);
    assert_eq!(error, Err(SendError::TooLarge { len, max: WEB_MESSAGE_BYTES_MAX }));
    pair.send(true, reliable, vec![7; WEB_MESSAGE_BYTES_MAX]);
    pair.pass(Duration::from_secs(2));
    assert_eq!(packets(&pair.at_client), [vec![7; WEB_MESSAGE_BYTES_MAX]]);
}

#[test]
fn a_web_peer_is_sent_no_more_per_frame_than_it_buffers() {
    let mut pair = Pair::new(6, LinkConditions::default());
    pair.relay.looks_like_web = true;
    pair.connect();
    for _ in 0..400 {
        pair.send(true, TransferMode::Reliable, vec![1; 1_000]);
    }
    let mut most = 0;
    for _ in 0..200 {
        let before = packets(&pair.at_client).len();
        pair.pass(WEB_PACING_INTERVAL);
        most = most.max(packets(&pair.at_client).len() - before);
    }
    assert_eq!(packets(&pair.at_client).len(), 400);
    // Two windows may end in one interval of the receiver.
    assert!(most * 1_005 <= 2 * WEB_PACING_BYTES, "{most} packets of 1,000 B in one frame");
}

#[test]
fn an_empty_packet_is_accepted_and_not_sent() {
    let mut pair = Pair::new(9, LinkConditions::default());
    pair.connect();
    pair.send(true, TransferMode::Reliable, Vec::new());
    pair.send(true, TransferMode::Reliable, vec![1]);
    pair.pass(Duration::from_millis(500));
    assert_eq!(packets(&pair.at_client), [[1]]);
    assert_eq!(pair.server.stats().empty_packets, 1);
}

#[test]
fn channels_beyond_the_configured_ones_are_rejected() {
    let options = WebRtcOptions::default().channels_config([TransferMode::Unreliable]);
    let mut pair = Pair::with_options(10, LinkConditions::default(), options);
    pair.connect();
    let mut send = |channel| pair.try_send(true, TransferMode::Reliable, channel, vec![1]);
    assert_eq!(send(Channel(1)), Ok(()));
    assert_eq!(send(Channel(2)), Err(SendError::Channel { channel: 2, last: 1 }));
}

#[test]
fn datagrams_of_unknown_addresses_have_no_effect() {
    use mp_transport_webrtc::io::DatagramSocket;
    let mut pair = Pair::new(11, LinkConditions::default());
    pair.connect();
    let server = "10.0.0.1:1001".parse().unwrap();
    let mut unknown_peer = pair.network.socket();
    for length in 0..200_usize {
        let noise: Vec<u8> = (0..length).map(|byte| (byte * 31 + length) as u8).collect();
        unknown_peer.try_send_to(&noise, server).unwrap();
    }
    pair.pass(Duration::from_secs(1));
    pair.send(true, TransferMode::Reliable, vec![1]);
    pair.pass(Duration::from_secs(1));
    assert_eq!(packets(&pair.at_client), [[1]]);
    assert!(pair.server.stats().refused_datagrams.total() > 0);
}

#[test]
fn a_connection_is_closed_when_its_reliable_packets_exceed_the_limit() {
    let mut pair = Pair::new(12, LinkConditions::default());
    pair.connect();
    pair.network.set_dark(true);
    let packets = RELIABLE_QUEUE_BYTES_MAX / MESSAGE_BYTES_MAX + 4;
    for _ in 0..packets {
        pair.send(true, TransferMode::Reliable, vec![1; MESSAGE_BYTES_MAX]);
        pair.server.flush(pair.network.now());
    }
    pair.turn();
    assert_eq!(end(&pair.at_server), Some(DisconnectReason::QueueFull));
}

#[test]
fn connections_are_closed_at_the_limit_of_all_connections() {
    let mut network = Swarm::new(6);
    network.connect();
    network.network.set_dark(true);
    let payload = Bytes::from(vec![1; MESSAGE_BYTES_MAX]);
    // Each stays below its own limit, and five of six below the limit of all.
    for _ in 0..QUEUED_BYTES_MAX / MESSAGE_BYTES_MAX / 5 - 2 {
        for index in 0..6 {
            network.send(index, payload.clone());
        }
    }
    network.turn();
    let ends = network.ends();
    let full = ends.iter().filter(|reason| **reason == DisconnectReason::QueueFull);
    assert!((1..6).contains(&full.count()), "{ends:?}");
}

#[test]
fn unreliable_packets_beyond_the_bound_are_dropped_and_counted() {
    let mut pair = Pair::new(13, LinkConditions::default());
    pair.connect();
    pair.network.set_dark(true);
    for _ in 0..2_000 {
        pair.send(true, TransferMode::Unreliable, vec![1; 1_000]);
    }
    pair.pass(Duration::from_millis(100));
    let stats = pair.server.connection_stats(pair.to_client.unwrap()).unwrap();
    assert!(stats.send_drops > 0);
    assert_eq!(end(&pair.at_server), None);
}

#[test]
fn time_in_which_the_process_does_not_run_does_not_close_a_connection() {
    let mut pair = Pair::new(14, LinkConditions::default());
    pair.connect();
    pair.network.advance(Duration::from_secs(60));
    pair.pass(Duration::from_secs(5));
    assert_eq!((end(&pair.at_server), end(&pair.at_client)), (None, None));
    pair.send(true, TransferMode::Reliable, vec![1]);
    pair.pass(Duration::from_secs(5));
    assert_eq!(packets(&pair.at_client), [[1]]);
    assert!(pair.server.stats().stalls > 0);
}

#[test]
fn time_in_which_the_process_does_not_run_fails_no_connection_that_waits_for_signaling() {
    let network = Network::new(16, LinkConditions::default());
    let mut server =
        WebRtcMultiplayerPeer::server(network.socket(), WebRtcOptions::default()).unwrap();
    server.poll(network.now());
    server.add_peer(id(2), 1).unwrap();
    server.create_offer(id(2)).unwrap();
    for _ in 0..20 {
        server.flush(network.now());
        server.poll(network.advance(Duration::from_millis(50)));
    }
    server.flush(network.now());
    let now = network.advance(CONNECT_TIMEOUT * 2);
    server.poll(now);
    assert_eq!((server.stats().stalls, server.has_peer(id(2))), (1, true));
    // Time in which the process runs counts again.
    let end = now + CONNECT_TIMEOUT;
    while server.has_peer(id(2)) {
        let next = server.poll_timeout().expect("a turn of the connection");
        assert!(next <= end, "{next:?}");
        server.poll(next);
        server.flush(next);
    }
}

#[test]
fn packets_of_a_paused_connection_are_reported_before_its_end() {
    let mut pair = Pair::new(15, LinkConditions::default());
    pair.connect();
    pair.server.pause_receiving(pair.to_client.unwrap(), true);
    pair.send(false, TransferMode::Reliable, vec![1]);
    pair.pass(Duration::from_secs(1));
    assert!(packets(&pair.at_server).is_empty());
    pair.client.close();
    pair.pass(Duration::from_secs(1));
    assert_eq!(packets(&pair.at_server), [[1]]);
    assert_eq!(end(&pair.at_server), Some(DisconnectReason::Remote(0)));
    assert!(matches!(pair.at_server.last(), Some(PeerEvent::Disconnected { .. })));
}
