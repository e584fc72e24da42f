//! Behaviour that was recorded from Godot, see `testdata/webrtc`.

mod captures;
mod common;

use captures::{read, strings};
use common::{Network, Pair};
use mp_core::link_shaper::LinkConditions;
use mp_core::{Channel, MultiplayerPeer, PeerEvent, PeerId, SendError, TransferMode};
use mp_transport_webrtc::io::DatagramSocket;
use mp_transport_webrtc::limits::{MESSAGE_BYTES_MAX, WEB_MESSAGE_BYTES_MAX};
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
            pair.pass(std::time::Duration::from_millis(50));
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
            server.poll(network.advance(std::time::Duration::from_millis(5)));
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
