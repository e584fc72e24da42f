//! Peers whose program has stopped, on a transport whose connections stay open: WebRTC.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo,
    Instant, Packet, PeerEvent, StateMachine, ToBranch, ToEndpoint, TransferMode,
};
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use mp_scene::{Codec, ConfirmedNode, SceneMessage};

const SERVER: PeerId = PeerId::SERVER;
const ENDPOINT: EndpointId = EndpointId(0);
const LINK: ConnectionId = ConnectionId { slot: 0, generation: 0 };
const SECOND: Duration = Duration::from_secs(1);

/// A branch whose transport is the test, with one peer.
struct Side {
    branch: Branch,
    now: Instant,
}

impl Side {
    fn new(id: PeerId, other: PeerId, outlives_program: bool) -> Self {
        let branch = Branch::builder("/root").build().unwrap();
        let mut side = Self { branch, now: Instant::from_millis(1) };
        let info = EndpointInfo {
            unique_id: id,
            status: ConnectionStatus::Connected,
            relay_supported: true,
            max_packet_size: 1 << 20,
            outlives_program,
        };
        side.branch.handle_input(side.now, ToBranch::Opened(ENDPOINT, info));
        let (connection, claimed_id, origin) = (LINK, Some(other), ConnectionOrigin::Process);
        side.receive(PeerEvent::Connected { connection, claimed_id, origin });
        side
    }

    fn server() -> Self {
        Self::new(SERVER, guest(), true)
    }

    fn receive(&mut self, event: PeerEvent) {
        self.branch.handle_input(self.now, ToBranch::Events(ENDPOINT, vec![event]));
        self.branch.end_turn(self.now);
    }

    fn receive_message(&mut self, message: &SceneMessage) {
        let mut payload = BytesMut::new();
        Codec::default().encode(message, Objects::Ids, &mut payload).unwrap();
        let (mode, channel) = (TransferMode::Reliable, Channel(0));
        let payload = Bytes::from(payload);
        self.receive(PeerEvent::Packet(Packet { from: LINK, mode, channel, payload }));
    }

    /// Runs the branch for a second; returns what it sends.
    fn run_second(&mut self) -> (Vec<SceneMessage>, Vec<DisconnectReason>) {
        self.now += SECOND;
        self.branch.end_turn(self.now);
        let (mut sent, mut ended) = (Vec::new(), Vec::new());
        self.branch.deliver(&mut |_, message| {
            match message {
                ToEndpoint::Send(packets) => sent.extend(packets.iter().map(|packet| {
                    Codec::default().decode(&packet.joined(), &Limits::default()).unwrap()
                })),
                ToEndpoint::Disconnect { reason, .. } => ended.push(reason),
                other => panic!("{other:?}"),
            }
            Ok(())
        });
        (sent, ended)
    }

    /// Runs the branch without packets from the peer. Returns the seconds of probes, and of the
    /// disconnect.
    fn run_silent(&mut self, seconds: u32) -> (Vec<u32>, Option<u32>) {
        let (mut probes, mut disconnect) = (Vec::new(), None);
        for second in 1..=seconds {
            let (sent, ended) = self.run_second();
            probes.extend(sent.iter().map(|message| {
                assert!(is_probe(message), "{message:?}");
                second
            }));
            for reason in ended {
                assert_eq!((reason, disconnect.replace(second)), (DisconnectReason::Timeout, None));
            }
        }
        (probes, disconnect)
    }
}

fn guest() -> PeerId {
    PeerId::new(2).unwrap()
}

fn is_probe(message: &SceneMessage) -> bool {
    matches!(message, SceneMessage::SimplifyPath { path, .. } if path == ".")
}

#[test]
fn a_peer_whose_program_has_stopped_is_probed_and_then_disconnected() {
    let mut server = Side::server();
    assert_eq!(server.run_silent(120), (vec![10], Some(30)));
    assert_eq!(server.branch.scene().stats().silent_peers, 1);
}

#[test]
fn a_peer_that_only_listens_is_never_disconnected() {
    let mut server = Side::server();
    let mut ids = Vec::new();
    for _ in 0..3_600 {
        let (sent, ended) = server.run_second();
        assert_eq!(ended, []);
        for message in sent {
            let SceneMessage::SimplifyPath { id, path, .. } = message else {
                panic!("{message:?}");
            };
            assert_eq!(path, ".");
            assert!(!ids.contains(&id), "{id} is announced twice, which Godot reports as an error");
            ids.push(id);
            let (node, checksum_ok) = (ConfirmedNode::Id(id), true);
            server.receive_message(&SceneMessage::ConfirmPath { node, checksum_ok });
        }
    }
    assert_eq!(ids.len(), 360);
    assert_eq!(server.branch.scene().stats().silent_peers, 0);
}

#[test]
fn any_packet_ends_the_silence_of_a_peer() {
    let mut server = Side::server();
    for _ in 0..10 {
        assert_eq!(server.run_silent(9), (vec![], None));
        server.receive_message(&SceneMessage::Raw(Bytes::from_static(b"x")));
    }
    assert_eq!(server.run_silent(29), (vec![10], None));
    server.receive_message(&SceneMessage::Raw(Bytes::from_static(b"x")));
    assert_eq!(server.run_silent(31), (vec![10], Some(30)));
}

#[test]
fn a_program_confirms_probes_by_itself() {
    let mut client = Side::new(guest(), SERVER, true);
    for id in 100..110 {
        let checksum = *b"d41d8cd98f00b204e9800998ecf8427e";
        client.receive_message(&SceneMessage::SimplifyPath { id, checksum, path: ".".to_owned() });
        let (node, checksum_ok) = (ConfirmedNode::Id(id), true);
        assert_eq!(client.run_second().0, [SceneMessage::ConfirmPath { node, checksum_ok }]);
    }
}

#[test]
fn peers_of_other_transports_and_paused_peers_may_be_silent() {
    let mut other = Side::new(SERVER, guest(), false);
    assert_eq!(other.run_silent(120), (vec![], None));

    let mut server = Side::server();
    server.branch.scene().multiplayer_mut().pause_peer(guest());
    assert_eq!(server.run_silent(120), (vec![], None));
    server.branch.scene().multiplayer_mut().resume_peer(guest());
    let (probes, disconnect) = server.run_silent(60);
    assert_eq!((probes.len(), disconnect), (1, Some(probes[0] + 20)));
}

#[test]
fn the_silence_timeout_is_a_setting() {
    let mut server = Side::server();
    server.branch.scene().multiplayer_mut().set_silence_timeout(Duration::ZERO);
    assert_eq!(server.run_silent(120), (vec![], None));
    server.branch.scene().multiplayer_mut().set_silence_timeout(SECOND * 60);
    assert_eq!(server.run_silent(120), (vec![10], Some(60)));
}
