//! Behaviour that was recorded from Godot, see `testdata/webrtc`.

mod captures;
mod common;

use std::time::Duration;

use captures::{read, strings};
use common::{Network, Pair, packets};
use mp_core::link_shaper::LinkConditions;
use mp_core::{Channel, MultiplayerPeer, PeerEvent, PeerId, SendError, TransferMode};
use mp_transport_webrtc::io::DatagramSocket;
use mp_transport_webrtc::limits::{
    MESSAGE_BYTES_MAX, WEB_MESSAGE_BYTES_MAX, WEB_MESSAGE_OVERHEAD, WEB_PACING_BYTES,
    WEB_PACING_INTERVAL,
};
use mp_transport_webrtc::{
    CandidatePolicy, DatagramRefusal, IceCandidate, SdpKind, Signal, WebRtcMultiplayerPeer,
    WebRtcOptions,
};
use serde_json::Value;

/// Recordings of two Godots with channels for each mode.
const PAIRS: [&str; 3] =
    ["webrtc_native_native.json", "webrtc_native_web.json", "webrtc_web_web.json"];

/// The modes of the channels in the recordings.
const MODES: [TransferMode; 3] =
    [TransferMode::Reliable, TransferMode::UnreliableOrdered, TransferMode::Unreliable];

fn id(number: i32) -> PeerId {
    PeerId::new(number).unwrap()
}

fn mode(number: &Value) -> TransferMode {
    [TransferMode::Unreliable, TransferMode::UnreliableOrdered, TransferMode::Reliable]
        [number.as_u64().unwrap() as usize]
}

fn bytes(hex: &Value) -> Vec<u8> {
    let digits = hex.as_str().unwrap().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn packets_are_received_with_the_recorded_channel_and_mode() {
    for name in PAIRS {
        let options = WebRtcOptions::default().channels_config(MODES);
        let mut pair = Pair::with_options(1, LinkConditions::default(), options);
        pair.connect();
        for put in read(name)["server_puts_client_receives"].as_array().unwrap() {
            let channel = Channel(put["put_channel"].as_u64().unwrap() as u8);
            let received = put["received"].as_array().unwrap();
            // The first one was sent to one peer, the second one to all.
            let payload = received.first().map_or_else(|| vec![1], |packet| bytes(&packet["hex"]));
            let sent = pair.try_send(true, mode(&put["put_mode"]), channel, payload.clone());
            if put["result_one_target"] == 31 {
                assert_eq!(sent, Err(SendError::Channel { channel: channel.0, last: 3 }));
                continue;
            }
            assert_eq!(sent, Ok(()), "{name}: {put}");
            pair.at_client.clear();
            pair.pass(Duration::from_millis(50));
            let [PeerEvent::Packet(packet)] = &pair.at_client[..] else {
                panic!("{name}: {put}: {:?}", pair.at_client)
            };
            assert_eq!(packet.payload, payload);
            assert_eq!(u64::from(packet.channel.0), received[0]["channel"].as_u64().unwrap());
            assert_eq!(packet.mode, mode(&received[0]["mode"]), "{name}: {put}");
        }
    }
}

#[test]
fn recorded_offers_are_answered_and_recorded_candidates_used() {
    let candidates = strings(|text| text.starts_with("candidate:"));
    for offer in strings(|text| text.starts_with("v=0") && text.contains("a=setup:actpass")) {
        let network = Network::new(1, LinkConditions::default());
        let options = WebRtcOptions::default().candidate_policy(CandidatePolicy::Any);
        let mut server = WebRtcMultiplayerPeer::server(network.socket(), options).unwrap();
        server.add_peer(id(77), 1).unwrap();
        assert_eq!(server.set_remote_description(id(77), SdpKind::Offer, &offer), Ok(()));
        let answer = server.next_signal();
        let Some(Signal::SessionDescriptionCreated { kind: SdpKind::Answer, sdp, .. }) = answer
        else {
            panic!("{answer:?}")
        };
        // Godot stops for good if a peer announces less and its script sends more.
        assert!(sdp.contains(&format!("a=max-message-size:{MESSAGE_BYTES_MAX}")), "{sdp}");
        for name in candidates.iter().take(10) {
            let candidate = IceCandidate { media: "0".to_owned(), index: 0, name: name.clone() };
            assert_eq!(server.add_ice_candidate(id(77), &candidate), Ok(()), "{name}");
        }
    }
}

#[test]
fn the_recorded_browsers_are_sent_no_longer_messages_than_they_receive() {
    for name in PAIRS {
        for description in read(name)["sdp"].as_array().unwrap() {
            let sdp = description["sdp"].as_str().unwrap();
            let is_web = !sdp.contains("o=rtc ");
            let largest = if is_web { WEB_MESSAGE_BYTES_MAX } else { MESSAGE_BYTES_MAX };
            let mut pair = Pair::new(1, LinkConditions::default());
            // The client describes itself like the recorded one.
            let origin = sdp.lines().find_map(|line| line.strip_prefix("o=")).unwrap();
            pair.relay.origin = Some(origin.to_owned());
            pair.connect();
            let mut send =
                |len| pair.try_send(true, TransferMode::Reliable, Channel(0), vec![0; len]);
            assert_eq!(send(largest), Ok(()));
            let error = SendError::TooLarge { len: largest + 1, max: largest };
            assert_eq!(send(largest + 1), Err(error), "{name}");
        }
    }
}

#[test]
fn the_recorded_datagrams_of_handshakes_are_recognized() {
    let recording = read("webrtc_handshake.json");
    for (name, datagrams) in recording.as_object().unwrap() {
        let Some(datagrams) = datagrams.as_array() else { continue };
        let network = Network::new(1, LinkConditions::default());
        let mut server =
            WebRtcMultiplayerPeer::server(network.socket(), WebRtcOptions::default()).unwrap();
        let mut socket = network.socket();
        let to = server.local_addr().unwrap();
        let whole = datagrams.iter().filter(|datagram| {
            datagram["hex"].as_str().unwrap().len() as u64 == 2 * datagram["len"].as_u64().unwrap()
        });
        let mut sent = 0;
        for datagram in whole {
            socket.try_send_to(&bytes(&datagram["hex"]), to).unwrap();
            server.poll(network.advance(Duration::from_millis(5)));
            sent += 1;
        }
        let refused = server.stats().refused_datagrams;
        for refusal in [
            DatagramRefusal::TooLong,
            DatagramRefusal::UnknownProtocol,
            DatagramRefusal::MalformedStun,
        ] {
            assert_eq!(refused.get(refusal), 0, "{name}: {refusal:?}");
        }
        assert!(sent > 10, "{name}: {sent}");
        assert!(refused.get(DatagramRefusal::UnknownConnection) > 0, "{name}");
    }
}

/// Rows of `webrtc_limits.json` about the test `name`, and whether a web build receives. Between
/// Godots, the server is native and the client is the web build.
fn limits(name: &str) -> Vec<(Value, bool)> {
    let recording = read("webrtc_limits.json");
    let rows = ["between_godots", "with_str0m"].map(|part| recording[part].as_array().unwrap());
    let named = rows.into_iter().flatten().filter(|row| row["test"] == name);
    let found: Vec<_> = named
        .map(|row| {
            let is_web = match row["from"].as_str() {
                Some(from) => from.starts_with("native"),
                None => row["godot"].as_str().unwrap().starts_with("web"),
            };
            (row.clone(), is_web)
        })
        .collect();
    assert!(!found.is_empty(), "{name}");
    found
}

/// A connection whose client describes itself like a web build, or not.
fn pair_of(is_web: bool) -> Pair {
    let mut pair = Pair::new(1, LinkConditions::default());
    pair.relay.looks_like_web = is_web;
    pair.connect();
    pair
}

fn number(row: &Value, key: &str) -> usize {
    row[key].as_u64().unwrap() as usize
}

#[test]
fn the_recorded_bursts_arrive_although_a_web_build_lost_data_of_some() {
    // Of the ring buffer of a channel, one byte stays empty.
    let ring = 2 * WEB_PACING_BYTES - 1;
    let mut lost = 0;
    for (row, is_web) in [limits("burst reliable"), limits("burst from str0m")].concat() {
        let [size, count, received] = ["size", "count", "received"].map(|key| number(&row, key));
        let mut pair = pair_of(is_web);
        let result =
            pair.try_send(true, TransferMode::Reliable, Channel(0), numbered_packet(0, size));
        if is_web && size > WEB_MESSAGE_BYTES_MAX {
            assert_eq!(received, 0, "{row}");
            assert_eq!(result, Err(SendError::TooLarge { len: size, max: WEB_MESSAGE_BYTES_MAX }));
            continue;
        }
        if is_web && count * (size + WEB_MESSAGE_OVERHEAD) <= ring {
            assert_eq!(received, count, "the ring buffer is as large as assumed: {row}");
        }
        lost += usize::from(is_web && received < count);
        assert_eq!(result, Ok(()));
        for number in 1..count {
            pair.send(true, TransferMode::Reliable, numbered_packet(number, size));
        }
        let mut read = 0;
        while read < count {
            // A slow frame of the client, which reads all at its end.
            pair.pass(2 * WEB_PACING_INTERVAL);
            let arrived = packets(&pair.at_client);
            let bytes: usize =
                arrived[read..].iter().map(|packet| packet.len() + WEB_MESSAGE_OVERHEAD).sum();
            assert!(!is_web || bytes <= ring, "{bytes} bytes in a frame: {row}");
            assert!(arrived.len() > read, "{read} of {count} arrived: {row}");
            read = arrived.len();
        }
        let sent: Vec<_> = (0..count).map(|number| numbered_packet(number, size)).collect();
        assert_eq!(packets(&pair.at_client), sent, "{row}");
    }
    assert!(lost >= 4, "{lost} recorded bursts lost data");
}

fn numbered_packet(number: usize, len: usize) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(len).collect()
}

#[test]
fn packets_above_the_recorded_maximum_are_refused_and_later_ones_arrive() {
    for (row, _) in limits("oversize") {
        let size = number(&row, "size");
        assert!(size > MESSAGE_BYTES_MAX, "{row}");
        let mut pair = pair_of(false);
        for from_server in [true, false] {
            let sent =
                pair.try_send(from_server, TransferMode::Reliable, Channel(0), vec![0; size]);
            assert_eq!(sent, Err(SendError::TooLarge { len: size, max: MESSAGE_BYTES_MAX }));
            pair.send(from_server, TransferMode::Reliable, vec![1]);
        }
        pair.pass(Duration::from_millis(100));
        assert_eq!(packets(&pair.at_client), [[1]]);
        assert_eq!(packets(&pair.at_server), [[1]]);
    }
}

#[test]
fn an_empty_packet_does_not_block_its_channel_as_the_recorded_one_did() {
    for (row, is_web) in limits("after empty binary") {
        assert_eq!(number(&row, "received"), 0, "{row}");
        let mut pair = pair_of(is_web);
        pair.send(true, TransferMode::Reliable, Vec::new());
        let later = (0..number(&row, "then_reliable_sent") as u8).map(|number| vec![number]);
        later.clone().for_each(|packet| pair.send(true, TransferMode::Reliable, packet));
        pair.pass(Duration::from_secs(1));
        assert_eq!(packets(&pair.at_client), later.collect::<Vec<_>>());
    }
}

#[test]
fn unreliable_packets_are_lost_and_ordered_as_in_the_recording() {
    for (row, is_web) in limits("str0m sends 100 with 20 % loss") {
        let recorded = number(&row, "received");
        assert!((1..100).contains(&recorded), "{row}");
        let is_ordered = row["reliability"]["ordered"].as_bool().unwrap();
        let mode =
            if is_ordered { TransferMode::UnreliableOrdered } else { TransferMode::Unreliable };
        let mut pair = pair_of(is_web);
        pair.network
            .set_conditions(LinkConditions { loss_permille: 200, ..LinkConditions::default() });
        for number in 0..100 {
            pair.send(true, mode, vec![number]);
            pair.turn();
        }
        pair.pass(Duration::from_secs(20));
        let arrived = packets(&pair.at_client);
        assert!((1..100).contains(&arrived.len()), "{} arrived: {row}", arrived.len());
        assert!(!is_ordered || arrived.is_sorted(), "{row}");
    }
}
