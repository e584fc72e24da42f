//! Datagrams and messages that a peer refuses are counted by reason and change nothing else.

mod common;

use std::time::Duration;

use common::{Network, Pair, packets};
use mp_core::link_shaper::LinkConditions;
use mp_core::{CloseMode, DisconnectReason, MultiplayerPeer, PeerId, TransferMode};
use mp_transport_webrtc::io::DatagramSocket;
use mp_transport_webrtc::limits::{
    DATAGRAM_BYTES_MAX, EARLY_DATAGRAMS_PER_ADDRESS, MESSAGE_BYTES_MAX,
};
use mp_transport_webrtc::{
    DatagramRefusal, MessageRefusal, SdpKind, Signal, WebRtcMultiplayerPeer, WebRtcOptions,
};

/// The magic cookie and the transaction of a STUN message.
const COOKIE_AND_TRANSACTION: [u8; 16] =
    [0x21, 0x12, 0xA4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

fn id(number: i32) -> PeerId {
    PeerId::new(number).unwrap()
}

#[test]
fn refused_datagrams_are_counted_by_reason_and_have_no_effect() {
    let mut pair = Pair::new(1, LinkConditions::default());
    pair.connect();
    let server = pair.server.local_addr().unwrap();
    let mut unknown_peer = pair.network.socket();
    let mut forger = pair.network.socket_at(pair.client.local_addr().unwrap());
    let indication = [&[0, 0x11, 0, 0][..], &COOKIE_AND_TRANSACTION].concat();
    for (is_forged, datagram, times, refusal) in [
        (false, vec![22; DATAGRAM_BYTES_MAX + 1], 1, DatagramRefusal::TooLong),
        (false, vec![], 1, DatagramRefusal::UnknownProtocol),
        (true, vec![128; 20], 1, DatagramRefusal::UnknownProtocol),
        (false, vec![0; 19], 1, DatagramRefusal::MalformedStun),
        (false, indication, 1, DatagramRefusal::UnknownConnection),
        (false, vec![22; 20], EARLY_DATAGRAMS_PER_ADDRESS + 1, DatagramRefusal::UnknownAddress),
    ] {
        let mut expected = pair.server.stats().refused_datagrams;
        expected.count(refusal);
        let socket = if is_forged { &mut forger } else { &mut unknown_peer };
        for _ in 0..times {
            socket.try_send_to(&datagram, server).unwrap();
        }
        pair.pass(Duration::from_millis(100));
        assert_eq!(pair.server.stats().refused_datagrams, expected, "{refusal}");
    }
    pair.send(true, TransferMode::Reliable, vec![1]);
    pair.pass(Duration::from_secs(1));
    assert_eq!(packets(&pair.at_client), [[1]]);
}

#[test]
fn a_connectivity_check_with_a_wrong_password_is_rejected_by_ice() {
    let network = Network::new(1, LinkConditions::default());
    let options = WebRtcOptions::default();
    let mut server = WebRtcMultiplayerPeer::server(network.socket(), options).unwrap();
    server.add_peer(id(2), 1).unwrap();
    server.create_offer(id(2)).unwrap();
    let Some(Signal::SessionDescriptionCreated { sdp, .. }) = server.next_signal() else {
        panic!("no offer");
    };
    let user_name = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap();
    // Attributes have a multiple of 4 bytes.
    let user_name = format!("{:x<28}", format!("{user_name}:"));
    let attributes = [
        &[0, 6, 0, 28][..], // USERNAME
        user_name.as_bytes(),
        &[0, 0x24, 0, 4, 0, 0, 0, 1], // PRIORITY
        &[0, 8, 0, 20],               // MESSAGE-INTEGRITY
        &[7; 20],
    ]
    .concat();
    let header = [&[0, 1, 0, attributes.len() as u8][..], &COOKIE_AND_TRANSACTION].concat();
    let request = [header, attributes].concat();
    network.socket().try_send_to(&request, server.local_addr().unwrap()).unwrap();
    server.poll(network.advance(Duration::from_millis(100)));
    let refused: Vec<_> = server.stats().refused_datagrams.iter().collect();
    assert_eq!(refused, [(DatagramRefusal::RejectedByIce, 1)]);
}

#[test]
fn messages_received_while_a_closing_connection_sends_its_last_packets_are_counted() {
    let mut pair = Pair::new(1, LinkConditions::default());
    pair.connect();
    pair.send(true, TransferMode::Reliable, vec![0; MESSAGE_BYTES_MAX]);
    pair.send(false, TransferMode::Reliable, vec![1]);
    let connection = pair.to_client.unwrap();
    pair.server.disconnect(connection, DisconnectReason::Kicked, CloseMode::Drain);
    pair.pass(Duration::from_secs(1));
    assert!(packets(&pair.at_server).is_empty());
    assert_eq!(pair.server.stats().refused_messages.get(MessageRefusal::Closing), 1);
}

#[test]
fn a_connection_whose_certificate_is_not_that_of_its_description_fails() {
    let network = Network::new(1, LinkConditions::default());
    let options = WebRtcOptions::default();
    let mut server = WebRtcMultiplayerPeer::server(network.socket(), options.clone()).unwrap();
    let mut client = WebRtcMultiplayerPeer::client(network.socket(), id(2), options).unwrap();
    server.add_peer(id(2), 1).unwrap();
    client.add_peer(id(1), 1).unwrap();
    client.create_offer(id(1)).unwrap();
    for _ in 0..200 {
        for is_client in [true, false] {
            let (from, to, peers) = match is_client {
                true => (&mut client, &mut server, (id(1), id(2))),
                false => (&mut server, &mut client, (id(2), id(1))),
            };
            while let Some(signal) = from.next_signal() {
                match signal {
                    Signal::SessionDescriptionCreated { kind, sdp, .. } => {
                        let sdp =
                            if kind == SdpKind::Offer { forge_fingerprint(&sdp) } else { sdp };
                        to.set_remote_description(peers.1, kind, &sdp).unwrap();
                    }
                    Signal::IceCandidateCreated { candidate, .. } if to.has_peer(peers.1) => {
                        let _ = to.add_ice_candidate(peers.1, &candidate);
                    }
                    _ => {}
                }
            }
        }
        let now = network.advance(Duration::from_millis(5));
        for peer in [&mut server, &mut client] {
            peer.poll(now);
            peer.flush(now);
        }
    }
    assert_eq!(server.stats().failed_connections, 1);
    assert!(!server.has_peer(id(2)));
}

/// Replaces the first byte of the fingerprint of a session description.
fn forge_fingerprint(sdp: &str) -> String {
    let start = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let forged = if sdp[start..].starts_with("00") { "01" } else { "00" };
    format!("{}{forged}{}", &sdp[..start], &sdp[start + 2..])
}
