//! Failures of networks and of remote peers: many web clients with loss, killed processes, closed
//! and reopened connections, and floods of peers that never connect.

mod captures;
mod common;

use std::time::Duration;

use common::{Pair, Swarm, end, packets};
use mp_core::link_shaper::{LinkConditions, LossBursts};
use mp_core::{CloseMode, DisconnectReason, MultiplayerPeer, PeerEvent, PeerId, TransferMode};
use mp_transport_webrtc::limits::MESSAGE_BYTES_MAX;
use mp_transport_webrtc::{SdpKind, Signal, WebRtcMultiplayerPeer, WebRtcOptions};

/// A mobile network: 5 % loss, jitter, duplicates, and datagrams that overtake others.
const LOSSY: LinkConditions = LinkConditions {
    delay: Duration::from_millis(20),
    jitter: Duration::from_millis(10),
    loss_permille: 50,
    bursts: LossBursts { begin_permille: 0, loss_permille: 0, end_permille: 0 },
    duplication_permille: 10,
    reordering_permille: 50,
    bytes_per_second: 0,
};

fn id(number: i32) -> PeerId {
    PeerId::new(number).unwrap()
}

/// Returns the packet `number` of a sequence, of `len` bytes.
fn numbered(number: usize, len: usize) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(len).collect()
}

/// A server that is ICE-lite and clients like browsers, whose candidates have mDNS names. Nothing
/// is lost yet: SCTP sends its handshake only four times within the time to connect.
fn web_swarm(clients: i32) -> Swarm {
    let conditions = LinkConditions { loss_permille: 0, ..LOSSY };
    let options = WebRtcOptions::default().ice_lite(true);
    let mut swarm = Swarm::with_options(clients, 1, conditions, options);
    swarm.relay.looks_like_web = true;
    swarm.relay.passes_candidates = false;
    swarm
}

#[test]
fn fifty_web_clients_receive_reliable_packets_once_and_in_order_at_5_percent_loss() {
    const CLIENTS: usize = 50;
    const PACKETS: usize = 40;
    let mut swarm = web_swarm(CLIENTS as i32);
    swarm.connect();
    swarm.network.set_conditions(LOSSY);
    for number in 0..PACKETS {
        swarm.broadcast(numbered(number, 1_500).into()).unwrap();
        for index in 0..CLIENTS {
            swarm.send_to_server(index, numbered(number, 300).into());
        }
        swarm.turn();
    }
    let is_complete = |swarm: &Swarm| {
        packets(&swarm.at_server).len() >= CLIENTS * PACKETS
            && swarm.at_clients.iter().all(|events| packets(events).len() >= PACKETS)
    };
    for _ in 0..120 {
        if is_complete(&swarm) {
            break;
        }
        swarm.pass(Duration::from_secs(1));
    }
    let sent: Vec<_> = (0..PACKETS).map(|number| numbered(number, 1_500)).collect();
    for events in &swarm.at_clients {
        assert_eq!(packets(events), sent);
    }
    let sent: Vec<_> = (0..PACKETS).map(|number| numbered(number, 300)).collect();
    for &connection in &swarm.connections {
        assert_eq!(swarm.packets_from(connection), sent);
    }
}

#[test]
fn a_killed_client_times_out_within_19_6_s_and_does_not_disturb_others() {
    let mut swarm = web_swarm(4);
    swarm.connect();
    swarm.network.set_conditions(LOSSY);
    let killed = swarm.connections[1];
    for number in 0..100 {
        if number == 50 {
            swarm.kill(1);
        }
        swarm.broadcast(numbered(number, 1_000).into()).unwrap();
        swarm.turn();
    }
    let end = swarm.network.now() + Duration::from_millis(19_600);
    while swarm.ends().is_empty() {
        swarm.turn();
        assert!(swarm.network.now() < end, "the server does not notice the end");
    }
    assert_eq!(swarm.ends(), [DisconnectReason::Timeout]);
    assert!(swarm.server.connection_stats(killed).is_none());
    let sent: Vec<_> = (0..100).map(|number| numbered(number, 1_000)).collect();
    for index in [0, 2, 3] {
        assert_eq!(packets(&swarm.at_clients[index]), sent);
    }
}

#[test]
fn a_blackout_of_1_s_loses_no_reliable_packet_in_either_direction() {
    let mut pair = Pair::new(7, LOSSY);
    pair.connect();
    let mut sent = Vec::new();
    for number in 0..600_usize {
        pair.network.set_dark((200..400).contains(&number));
        let payload = numbered(number, 100);
        pair.send(true, TransferMode::Reliable, payload.clone());
        pair.send(false, TransferMode::Reliable, payload.clone());
        sent.push(payload);
        pair.turn();
    }
    pair.pass(Duration::from_secs(60));
    assert_eq!(packets(&pair.at_client), sent);
    assert_eq!(packets(&pair.at_server), sent);
    assert_eq!((end(&pair.at_server), end(&pair.at_client)), (None, None));
}

#[test]
fn messages_of_the_maximum_length_arrive_in_order_with_small_ones_at_5_percent_loss() {
    let mut pair = Pair::new(3, LOSSY);
    pair.connect();
    let lens = [MESSAGE_BYTES_MAX, 1, 100_000, 1_200, MESSAGE_BYTES_MAX, 2];
    let sent: Vec<_> = lens.iter().enumerate().map(|(n, &len)| numbered(n + 1, len)).collect();
    for payload in &sent {
        pair.send(true, TransferMode::Reliable, payload.clone());
        pair.send(false, TransferMode::Reliable, payload.clone());
    }
    for _ in 0..600 {
        pair.pass(Duration::from_secs(1));
        if packets(&pair.at_client).len() + packets(&pair.at_server).len() == 2 * sent.len() {
            break;
        }
    }
    // Not with `assert_eq!`, which would print a megabyte.
    assert!(packets(&pair.at_client) == sent, "at the client");
    assert!(packets(&pair.at_server) == sent, "at the server");
}

#[test]
fn a_client_that_reopens_its_connection_receives_nothing_of_the_former_one() {
    let mut pair = Pair::new(5, LOSSY);
    for round in 0..20_u8 {
        pair.connect();
        for _ in 0..20 {
            pair.send(true, TransferMode::Reliable, vec![round; 5_000]);
            pair.send(false, TransferMode::Reliable, vec![round; 50]);
        }
        pair.pass(Duration::from_secs(5));
        assert_eq!(packets(&pair.at_client), vec![vec![round; 5_000]; 20], "round {round}");
        assert_eq!(packets(&pair.at_server), vec![vec![round; 50]; 20], "round {round}");
        // These are on their way when the connection is closed.
        pair.send(true, TransferMode::Reliable, vec![round; 5_000]);
        pair.send(false, TransferMode::Reliable, vec![round; 50]);
        pair.server.flush(pair.network.now());
        pair.client.flush(pair.network.now());
        pair.reopen();
    }
}

/// An action of Godot that ends a connection, and its counterpart.
type End = (&'static str, fn(&mut Pair));

/// Returns the longest time in milliseconds in which native Godot noticed the end of a connection
/// to a native Godot.
fn recorded_time(action: &str) -> u64 {
    let recording = captures::read("webrtc_disconnects.json");
    let ends = recording["godot_godot"].as_array().unwrap().iter();
    let native = |value: &serde_json::Value| value.as_str().unwrap().contains("native");
    let ends =
        ends.filter(|end| end["action"] == action && native(&end["by"]) && native(&end["other"]));
    ends.map(|end| end["other_peer_disconnected_after_ms"].as_u64().unwrap()).max().unwrap()
}

#[test]
fn the_end_of_a_connection_is_noticed_as_soon_as_by_godot() {
    let ends: [End; 6] = [
        ("close", |pair| pair.server.close()),
        ("remove", |pair| pair.server.remove_peer(id(2))),
        ("disconnect", |pair| disconnect(pair, CloseMode::Graceful)),
        ("disconnect_force_released", |pair| disconnect(pair, CloseMode::Immediate)),
        ("blackhole", |pair| pair.network.set_dark(true)),
        ("kill", |pair| pair.network.set_dark(true)),
    ];
    for (name, act) in ends {
        // str0m beside Godot noticed a killed peer after 19.6 s.
        let most = Duration::from_millis(recorded_time(name).min(19_600));
        let mut pair = Pair::new(4, LinkConditions::default());
        pair.connect();
        pair.pass(Duration::from_secs(1));
        let start = pair.network.now();
        act(&mut pair);
        while end(&pair.at_client).is_none() {
            pair.turn();
            let time = pair.network.now() - start;
            assert!(time <= most, "{name}: not noticed after {time:?}");
        }
    }
}

fn disconnect(pair: &mut Pair, mode: CloseMode) {
    let connection = pair.to_client.unwrap();
    pair.server.disconnect(connection, DisconnectReason::Kicked, mode);
}

/// Stages of a handshake at which a client stops.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Added,
    Offered,
}

#[test]
fn a_flood_of_half_open_peers_excludes_no_other_peer() {
    for stage in [Stage::Added, Stage::Offered] {
        let mut swarm = web_swarm(0);
        let offer = offer();
        let mut next = 1_000_000;
        let mut flood = |swarm: &mut Swarm| {
            // 1,000 per second.
            for _ in 0..5 {
                swarm.server.add_peer(id(next), 1).unwrap();
                if matches!(stage, Stage::Offered) {
                    swarm.server.set_remote_description(id(next), SdpKind::Offer, &offer).unwrap();
                }
                next += 1;
            }
            swarm.turn();
        };
        (0..200).for_each(|_| flood(&mut swarm));
        for client in 0..4 {
            swarm.join();
            let mut turns = 0;
            while swarm.at_clients[client].is_empty() {
                flood(&mut swarm);
                turns += 1;
                assert!(turns < 400, "{stage:?}: client {client} is kept out");
            }
        }
        assert!(swarm.server.stats().replaced_peers > 0);
        let opening = swarm.server.peers().filter(|(_, info)| !info.is_connected).count();
        assert!(opening <= mp_transport_webrtc::limits::HALF_OPEN_MAX, "{opening}");
        let is_connected = |event: &PeerEvent| matches!(event, PeerEvent::Connected { .. });
        assert_eq!(swarm.at_server.iter().filter(|event| is_connected(event)).count(), 4);
        assert_eq!(swarm.ends(), []);
    }
}

/// Returns the offer of a client.
fn offer() -> String {
    let address = ([127, 0, 0, 1], 0).into();
    let mut client =
        WebRtcMultiplayerPeer::create_client(address, id(2), WebRtcOptions::default()).unwrap();
    client.add_peer(PeerId::SERVER, 1).unwrap();
    client.create_offer(PeerId::SERVER).unwrap();
    match client.next_signal() {
        Some(Signal::SessionDescriptionCreated { sdp, .. }) => sdp,
        other => panic!("no offer: {other:?}"),
    }
}
