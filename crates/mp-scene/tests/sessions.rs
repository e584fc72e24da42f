//! The state of a peer ends with its session: a peer that returns starts without state, on both
//! sides.
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mp_core::memory::MemoryMultiplayerPeer;
use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo,
    Instant, MultiplayerPeer, Packet, PeerEvent, StateMachine, ToBranch, ToEndpoint, TransferMode,
};
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use mp_scene::{CallNode, Codec, RemoteCall, SceneMessage, Spawn, SpawnSource};

const SERVER: PeerId = PeerId::SERVER;
/// An id that is easy to find in the debug output of a branch.
const GUEST: PeerId = PeerId::new(987_654_321).unwrap();
const FRIEND: PeerId = PeerId::new(123_456_789).unwrap();

#[derive(Default)]
struct Thing {
    state: i64,
    changes: i64,
    pokes: Vec<PeerId>,
}

impl Node for Thing {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("poke", RpcConfig::any_peer(), |thing: &mut Self, cx, ()| {
            thing.pokes.push(cx.remote_sender());
        })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("state", |thing: &mut Self| &mut thing.state)
            .property("changes", |thing: &mut Self| &mut thing.changes)
    }
}

fn config() -> ReplicationConfig {
    ReplicationConfig::new().always(".:state").on_change(".:changes")
}

fn thing(owner: PeerId) -> PackedScene {
    PackedScene::new("res://thing.tscn", move || {
        let sync = MultiplayerSynchronizer::new(config());
        let thing = Instance::new("Thing", Thing::default()).child(Instance::new("Sync", sync));
        thing.authority(owner)
    })
}

/// `Hall` has a synchronizer of `owner`, and `Spawner` one that announces the nodes in `Things`.
fn game(owner: PeerId) -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(move |scene| {
        scene.add("Things", Group)?;
        let spawner =
            scene.add("Spawner", MultiplayerSpawner::new("../Things").with_scene(&thing(owner)))?;
        scene.add("Hall", Thing::default())?;
        let sync = scene.add("Hall/Sync", MultiplayerSynchronizer::new(config()))?;
        let tree = scene.tree_mut();
        tree.set_multiplayer_authority(spawner, owner, false)?;
        Ok(tree.set_multiplayer_authority(sync, owner, false)?)
    })
}

/// Peers that join and leave, with ids that they choose.
struct Room {
    now: Instant,
    owner: PeerId,
    sides: BTreeMap<PeerId, (Branch, MemoryMultiplayerPeer)>,
}

impl Room {
    fn new(owner: PeerId) -> Self {
        let server = (game(owner).build().unwrap(), MemoryMultiplayerPeer::server());
        let sides = BTreeMap::from([(SERVER, server)]);
        Self { now: Instant::from_millis(1_000), owner, sides }
    }

    fn join(&mut self, id: PeerId) {
        let peer = self.sides[&SERVER].1.address().connect(id);
        self.sides.insert(id, (game(self.owner).build().unwrap(), peer));
        self.run(16);
    }

    fn leave(&mut self, id: PeerId) {
        self.sides.remove(&id).unwrap().1.close();
        self.run(16);
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.now += Duration::from_millis(5);
            for (branch, peer) in self.sides.values_mut() {
                branch.poll(peer, self.now);
            }
        }
    }

    fn scene(&mut self, id: PeerId) -> &mut Scene {
        self.sides.get_mut(&id).unwrap().0.scene()
    }

    fn thing(&mut self, id: PeerId, path: &str) -> &mut Thing {
        let scene = self.scene(id);
        let node = scene.node::<Thing>(path).unwrap();
        scene.get_mut(node).unwrap()
    }
}

#[test]
fn properties_of_a_returning_peer_are_accepted_immediately() {
    let mut room = Room::new(GUEST);
    room.join(FRIEND);
    room.join(GUEST);
    room.run(1_000);
    room.leave(GUEST);
    room.join(GUEST);
    *room.thing(GUEST, "Hall") = Thing { state: 7, changes: 8, ..Thing::default() };
    room.run(16);
    for id in [SERVER, FRIEND] {
        let Thing { state, changes, .. } = *room.thing(id, "Hall");
        assert_eq!((state, changes), (7, 8), "at {id}: {:?}", room.scene(id).stats());
    }
}

/// Returns whether the debug output of a branch contains the guest's id, except as an authority of
/// nodes.
fn mentions_guest(branch: &mut Branch) -> bool {
    // Signals are queued until they are taken.
    while branch.next_signal().is_some() {}
    let text = format!("{branch:?}").replace(&format!("authority: {GUEST:?}"), "");
    text.contains(&GUEST.to_string())
}

#[test]
fn no_state_is_kept_of_a_peer_that_has_left() {
    for owner in [SERVER, FRIEND, GUEST] {
        let mut room = Room::new(owner);
        room.join(FRIEND);
        room.join(GUEST);
        room.scene(owner).add_instance("Things", thing(owner).instantiate()).unwrap();
        room.run(16);
        for id in [SERVER, FRIEND, GUEST] {
            let scene = room.scene(id);
            let hall = scene.find("Hall").unwrap();
            scene.rpc(hall, "poke", ()).unwrap();
        }
        room.run(16);
        for id in [SERVER, FRIEND] {
            assert!(mentions_guest(&mut room.sides.get_mut(&id).unwrap().0), "at {id}");
        }
        room.leave(GUEST);
        for id in [SERVER, FRIEND] {
            let branch = &mut room.sides.get_mut(&id).unwrap().0;
            assert!(!mentions_guest(branch), "at {id}, {owner} owns: {branch:?}");
        }
    }
}

/// A branch whose transport is the test.
struct Side {
    branch: Branch,
    now: Instant,
}

const ENDPOINT: EndpointId = EndpointId(0);
const LINK: ConnectionId = ConnectionId { slot: 0, generation: 0 };

impl Side {
    fn new(id: PeerId, other: PeerId, builder: BranchBuilder) -> Self {
        let mut side = Self { branch: builder.build().unwrap(), now: Instant::from_millis(1) };
        let info = EndpointInfo {
            unique_id: id,
            status: match id.is_server() {
                true => ConnectionStatus::Connected,
                false => ConnectionStatus::Connecting,
            },
            relay_supported: true,
            max_packet_size: 1 << 20,
            outlives_program: false,
        };
        side.branch.handle_input(side.now, ToBranch::Opened(ENDPOINT, info));
        let (connection, claimed_id, origin) = (LINK, Some(other), ConnectionOrigin::Process);
        side.receive(PeerEvent::Connected { connection, claimed_id, origin });
        side
    }

    /// Returns a client of a server that is the test.
    fn client(builder: BranchBuilder) -> Self {
        Self::new(FRIEND, SERVER, builder)
    }

    fn receive(&mut self, event: PeerEvent) {
        self.branch.handle_input(self.now, ToBranch::Events(ENDPOINT, vec![event]));
        self.now += Duration::from_millis(5);
        self.branch.end_turn(self.now);
    }

    fn receive_packet(&mut self, payload: impl Into<Bytes>) {
        let (mode, channel, payload) = (TransferMode::Reliable, Channel(0), payload.into());
        self.receive(PeerEvent::Packet(Packet { from: LINK, mode, channel, payload }));
    }

    /// Receives a SYS packet about the guest.
    fn receive_sys(&mut self, command: u8, inner: &[u8]) {
        let packet = [&[7, command], &GUEST.get().to_le_bytes()[..], inner].concat();
        self.receive_packet(packet);
    }

    /// Receives a relayed message of the guest.
    fn relay(&mut self, message: &SceneMessage) {
        let mut packet = BytesMut::new();
        Codec::default().encode(message, Objects::Ids, &mut packet).unwrap();
        self.receive_sys(RELAY, &packet);
    }

    /// Returns the messages that were sent to the guest, through the server, since the last call.
    fn sent_to_guest(&mut self) -> Vec<SceneMessage> {
        let mut sent = Vec::new();
        self.branch.deliver(&mut |_, message| {
            if let ToEndpoint::Send(packets) = message {
                for packet in packets {
                    let message = Codec::default().decode(&packet.joined(), &Limits::default());
                    if let Ok(SceneMessage::Relay { peer, inner }) = message
                        && peer == GUEST.get()
                    {
                        sent.push(Codec::default().decode(&inner, &Limits::default()).unwrap());
                    }
                }
            }
            Ok(())
        });
        sent
    }

    fn signals(&mut self) -> Vec<Signal> {
        std::iter::from_fn(|| self.branch.next_signal()).collect()
    }
}

const ADD: u8 = 1;
const DEL: u8 = 2;
const RELAY: u8 = 3;

/// Returns the guest's announcement of a path without RPC methods.
fn simplify_path(id: u32, path: &str) -> SceneMessage {
    let checksum = *b"d41d8cd98f00b204e9800998ecf8427e";
    SceneMessage::SimplifyPath { id, checksum, path: path.to_owned() }
}

/// Returns the guest's SPAWN of a thing whose synchronizer has the net id 2.
fn spawn() -> SceneMessage {
    SceneMessage::Spawn(Spawn {
        source: SpawnSource::Scene(0),
        spawner: 1,
        net_id: 1,
        synchronizers: vec![2],
        name: "Thing".to_owned(),
        state: Bytes::new(),
    })
}

#[test]
fn client_drops_packets_from_and_for_a_peer_that_has_left() {
    let mut client = Side::client(game(GUEST));
    client.receive_sys(ADD, b"");
    client.relay(&simplify_path(1, "Spawner"));
    client.relay(&spawn());
    // Announcements and calls for absent nodes.
    client.relay(&simplify_path(2, "Absent"));
    let node = CallNode::Path("Absent".to_owned());
    let call = RemoteCall { node, method: 0, args: vec![], complete: true };
    client.relay(&SceneMessage::RemoteCall(call));
    let elements = Bytes::from_static(&[9, 0, 0, 0, 1, 0, 0, 0, 1]);
    client.relay(&SceneMessage::Sync { time: 1, elements });
    let scene = client.branch.scene();
    assert!(scene.find("Things/Thing").is_ok());
    scene.multiplayer_mut().pause_peer(GUEST);
    let hall = scene.find("Hall").unwrap();
    scene.rpc_id(GUEST, hall, "poke", ()).unwrap();
    assert!(mentions_guest(&mut client.branch));

    client.receive_sys(DEL, b"");
    assert!(!mentions_guest(&mut client.branch), "{:?}", client.branch);
    let scene = client.branch.scene();
    assert!(scene.find("Things/Thing").is_err());
    // Two for nodes and one for a synchronizer that were absent, and two for the paused peer: a
    // path and a call.
    assert_eq!(scene.stats().stray_packets, 5);
}

#[test]
fn server_keeps_no_state_of_a_peer_that_failed_to_authenticate() {
    let mut server = Side::new(SERVER, GUEST, Branch::builder("/root").on_peer_auth(|_, _, _| ()));
    server.branch.scene().multiplayer_mut().complete_auth(GUEST).unwrap();
    server.receive_packet(&b"\x03overtakes its completion"[..]);
    assert!(mentions_guest(&mut server.branch));
    let reason = DisconnectReason::Timeout;
    server.receive(PeerEvent::Disconnected { connection: LINK, reason });
    assert!(!mentions_guest(&mut server.branch), "{:?}", server.branch);
    assert_eq!(server.branch.scene().stats().stray_packets, 1);
}

#[test]
fn deferred_packets_of_a_peer_are_dropped_with_its_session() {
    let mut client = Side::client(Branch::builder("/root/Game"));
    client.receive_sys(RELAY, b"\x03of the session before");
    client.receive_sys(DEL, b"");
    assert!(!mentions_guest(&mut client.branch), "{:?}", client.branch);
    client.receive_sys(ADD, b"");
    assert_eq!(client.signals(), [Signal::PeerConnected(GUEST)]);
    assert_eq!(client.branch.scene().stats().stray_packets, 1);
}

/// Announces a peer twice. Godot's servers do so if the peer left while the relay was disabled and
/// returned.
#[test]
fn peer_that_is_announced_again_has_no_previous_state() {
    let mut client = Side::client(game(FRIEND));
    client.branch.scene().add_instance("Things", thing(FRIEND).instantiate()).unwrap();
    let mut sent = Vec::new();
    for _ in 0..2 {
        client.receive_sys(ADD, b"");
        sent.push(client.sent_to_guest());
    }
    assert!(sent[0].iter().any(|message| matches!(message, SceneMessage::Spawn(_))), "{sent:?}");
    assert_eq!(sent[0], sent[1]);

    let mut client = Side::client(game(GUEST));
    for _ in 0..2 {
        client.receive_sys(ADD, b"");
        assert!(client.branch.scene().find("Things/Thing").is_err());
        client.relay(&simplify_path(1, "Spawner"));
        client.relay(&spawn());
        assert!(client.branch.scene().find("Things/Thing").is_ok());
    }
    let stats = client.branch.scene().stats();
    assert_eq!((stats.refused_calls, stats.malformed_packets), (0, 0));
}
