//! Arbitrary session descriptions, candidates and datagrams: nothing panics, and other connections
//! are not affected.

mod common;

use std::time::Duration;

use common::{Pair, end, packets};
use mp_core::link_shaper::LinkConditions;
use mp_core::{MultiplayerPeer, PeerId, TransferMode};
use mp_transport_webrtc::io::DatagramSocket;
use mp_transport_webrtc::{IceCandidate, SdpKind, WebRtcMultiplayerPeer, WebRtcOptions};
use proptest::prelude::*;

/// An offer of Godot 4.6.3's official web build, and one of the native plug-in.
const OFFERS: [&str; 2] = [
    "v=0\r\no=- 6804378274728279161 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
     a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
     m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
     a=ice-ufrag:M3Go\r\na=ice-pwd:AbCdEfGhIjKlMnOpQrStUvWx\r\na=ice-options:trickle\r\n\
     a=fingerprint:sha-256 6A:26:34:A8:74:AF:CA:8C:D6:4A:47:ED:DD:4D:18:6E:20:CE:60:96:4D:F1:5C:\
     10:AE:3F:86:52:60:B1:8E:9D\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\n\
     a=max-message-size:262144\r\n",
    "v=0\r\no=rtc 3465526334 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
     a=msid-semantic:WMS *\r\na=ice-options:ice2,trickle\r\n\
     a=fingerprint:sha-256 6A:26:34:A8:74:AF:CA:8C:D6:4A:47:ED:DD:4D:18:6E:20:CE:60:96:4D:F1:5C:\
     10:AE:3F:86:52:60:B1:8E:9D\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
     c=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\na=sctp-port:5000\r\n\
     a=max-message-size:262144\r\na=setup:actpass\r\na=ice-ufrag:86it\r\n\
     a=ice-pwd:LTpaxXOGI8qXCJ4G1Aboak\r\n",
];

fn id(number: i32) -> PeerId {
    PeerId::new(number).unwrap()
}

fn server() -> WebRtcMultiplayerPeer<common::VirtualSocket> {
    let network = common::Network::new(1, LinkConditions::default());
    let mut server =
        WebRtcMultiplayerPeer::server(network.socket(), WebRtcOptions::default()).unwrap();
    server.add_peer(id(2), 1).unwrap();
    server
}

#[test]
fn offers_of_godot_are_answered() {
    for offer in OFFERS {
        assert_eq!(server().set_remote_description(id(2), SdpKind::Offer, offer), Ok(()));
    }
}

/// Edits of a text: position, number of bytes to remove, and text to insert.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    let insert =
        prop_oneof!["\\PC{0,12}", "(\r\n)?a=[a-z-]{1,12}:[0-9]{0,12}(\r\n)?", "[0-9]{1,24}"];
    prop::collection::vec((any::<prop::sample::Index>(), 0_usize..24, insert), 1..6)
}

fn edit(text: &str, edits: Vec<(prop::sample::Index, usize, String)>) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, removed, inserted) in edits {
        let at = at.index(chars.len() + 1);
        let end = (at + removed).min(chars.len());
        chars.splice(at..end, inserted.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn corrupted_session_descriptions_do_not_panic(offer in 0_usize..2, edits in edits()) {
        let sdp = edit(OFFERS[offer], edits);
        let mut offered = server();
        let _ = offered.set_remote_description(id(2), SdpKind::Offer, &sdp);
        offered.flush(mp_core::Instant::from_millis(1_000));
        let mut answered = server();
        answered.create_offer(id(2)).unwrap();
        let _ = answered.set_remote_description(id(2), SdpKind::Answer, &sdp);
        answered.flush(mp_core::Instant::from_millis(1_000));
    }

    #[test]
    fn corrupted_candidates_do_not_panic(edits in edits()) {
        let line = "candidate:1 1 UDP 2114977791 192.0.2.1 53223 typ host generation 0 ufrag M3Go";
        let name = edit(line, edits);
        let mut server = server();
        server.set_remote_description(id(2), SdpKind::Offer, OFFERS[0]).unwrap();
        let candidate = IceCandidate { media: "0".to_owned(), index: 0, name };
        let _ = server.add_ice_candidate(id(2), &candidate);
        server.poll(mp_core::Instant::from_millis(2_000));
        server.flush(mp_core::Instant::from_millis(2_000));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Datagrams from an unknown address, and from the forged address of the client. They start
    /// like STUN, DTLS and other protocols.
    #[test]
    fn forged_datagrams_do_not_close_a_connection(
        datagrams in prop::collection::vec(
            (any::<bool>(), prop_oneof![0_u8..4, 20_u8..24, any::<u8>()],
             prop::collection::vec(any::<u8>(), 0..200)),
            1..64,
        )
    ) {
        let mut pair = Pair::new(1, LinkConditions::default());
        pair.connect();
        let server = "10.0.0.1:1001".parse().unwrap();
        let mut unknown_peer = pair.network.socket();
        let mut forger = pair.network.socket_at("10.0.0.1:1002".parse().unwrap());
        for (is_forged, first, mut rest) in datagrams {
            rest.insert(0, first);
            let socket = if is_forged { &mut forger } else { &mut unknown_peer };
            socket.try_send_to(&rest, server).unwrap();
        }
        pair.pass(Duration::from_secs(1));
        pair.send(true, TransferMode::Reliable, vec![1]);
        pair.pass(Duration::from_secs(2));
        prop_assert_eq!(end(&pair.at_server), None);
        prop_assert_eq!(packets(&pair.at_client), [[1]]);
    }
}
