//! Decoded packets of a connection, with the names of the project in `interop/bots`.
#![allow(missing_docs, reason = "a test")]

use std::path::Path;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use mp_core::variant::Vector2;
use mp_core::{PeerId, Variant};
use mp_scene::codec::Objects;
use mp_scene::codec::godot::compressed::encode_compressed_list;
use mp_scene::codec::godot::{SYNCHRONIZER_BY_PATH, relay_prefix};
use mp_scene::rpc::{RpcConfig, RpcIds};
use mp_scene::{CallNode, Codec, ConfirmedNode, RemoteCall, SceneMessage, Spawn, SpawnSource};
use mp_wire::{Direction, ProjectNames, WireDecoder, WireKind};

fn names() -> Rc<ProjectNames> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/bots");
    let names = ProjectNames::load(folder).unwrap();
    assert_eq!(names.unreadable(), &[] as &[String]);
    Rc::new(names)
}

fn encoded(message: &SceneMessage) -> Bytes {
    let mut bytes = BytesMut::new();
    Codec::default().encode(message, Objects::Ids, &mut bytes).unwrap();
    bytes.freeze()
}

fn values(values: &[Variant]) -> Bytes {
    let mut bytes = BytesMut::new();
    encode_compressed_list(values, Objects::Ids, &mut bytes).unwrap();
    bytes.freeze()
}

fn call(node: CallNode, method: u16, args: Vec<Variant>) -> SceneMessage {
    SceneMessage::RemoteCall(RemoteCall { node, method, args, complete: true })
}

fn by_id(id: u32) -> CallNode {
    CallNode::Id { id, wide: false }
}

fn announce(id: u32, path: &str, methods: &[&str]) -> SceneMessage {
    let methods = methods.iter().map(|name| (*name, RpcConfig::any_peer()));
    let checksum = *RpcIds::of_methods(methods).checksum();
    SceneMessage::SimplifyPath { id, checksum, path: path.to_owned() }
}

/// A decoder whose texts are compared.
struct Session(WireDecoder);

impl Session {
    fn up(&mut self, message: &SceneMessage) -> String {
        self.0.decode(Direction::ToServer, &encoded(message)).to_string()
    }

    fn down(&mut self, message: &SceneMessage) -> String {
        self.0.decode(Direction::ToClient, &encoded(message)).to_string()
    }
}

const ARENA: [&str; 3] = ["ping", "pong", "shout"];

#[test]
fn calls_have_names_of_the_script_whose_checksum_was_announced() {
    let mut session = Session(WireDecoder::new(Some(names())));
    assert_eq!(session.up(&call(by_id(7), 0, vec![])), "#7.#0()");
    assert_eq!(
        session.up(&announce(7, "Main/Arena", &ARENA)),
        "announce Main/Arena as 7 (res://arena.gd)"
    );
    let args = || vec![3.into(), Vector2 { x: 1.0, y: 2.0 }.into(), "bob".into()];
    let expected = "Main/Arena.ping(number: 3, _position: Vector2(1, 2), _name: \"bob\")";
    assert_eq!(session.up(&call(by_id(7), 0, args())), expected);
    let by_path = CallNode::Path("Main/Arena".to_owned());
    assert_eq!(session.up(&call(by_path, 0, args())), expected);
    // Ids belong to their sender.
    assert_eq!(session.down(&call(by_id(7), 1, vec![])), "#7.#1()");
    let confirm = SceneMessage::ConfirmPath { node: ConfirmedNode::Id(7), checksum_ok: true };
    assert_eq!(session.down(&confirm), "confirm Main/Arena");
    let (methods, path) = (session.0.method_names(&"Main/Arena".into()), "Main/Arena");
    assert_eq!(methods.unwrap().iter().map(|it| &**it).collect::<Vec<_>>(), ARENA, "{path}");
}

#[test]
fn relayed_packets_are_unwrapped_and_their_ids_belong_to_the_other_client() {
    let mut session = Session(WireDecoder::new(Some(names())));
    let relay =
        |peer, message: &SceneMessage| SceneMessage::Relay { peer, inner: encoded(message) };
    session.down(&SceneMessage::AddPeer(PeerId::new(9).unwrap()));
    session.down(&relay(9, &announce(1, "Main/Arena", &ARENA)));
    let shout = call(by_id(1), 2, vec!["hi".into()]);
    assert_eq!(session.down(&relay(9, &shout)), "[9] Main/Arena.shout(_text: \"hi\")");
    assert_eq!(session.down(&shout), "#1.#2(\"hi\")");
    let confirm = SceneMessage::ConfirmPath { node: ConfirmedNode::Id(1), checksum_ok: false };
    assert_eq!(
        session.up(&relay(9, &confirm)),
        "[9] confirm Main/Arena, but the methods of both peers differ"
    );
    assert_eq!(session.up(&relay(0, &SceneMessage::Raw("hello".into()))), "[all] \"hello\"");
    assert_eq!(
        session.up(&relay(-9, &SceneMessage::Raw(Bytes::from_static(&[0, 1])))),
        "[all except 9] 0001"
    );
    session.down(&SceneMessage::DelPeer(PeerId::new(9).unwrap()));
    assert_eq!(session.down(&relay(9, &shout)), "[9] #1.#2(\"hi\")");
}

#[test]
fn spawned_nodes_and_their_properties_have_names() {
    let mut session = Session(WireDecoder::new(Some(names())));
    session.down(&announce(4, "Main/Spawner", &[]));
    let state = values(&[Vector2 { x: 1.0, y: 2.0 }.into(), 5.into()]);
    let spawn = SceneMessage::Spawn(Spawn {
        source: SpawnSource::Scene(0),
        spawner: 4,
        net_id: 10,
        synchronizers: vec![11],
        name: "77".to_owned(),
        state,
    });
    assert_eq!(
        session.down(&spawn),
        "Main/Players/77 from res://player.tscn as 10: position=Vector2(1, 2), steps=5"
    );
    let element = |id: u32, values: &Bytes| -> Bytes {
        let size = (values.len() as u32).to_le_bytes();
        [&id.to_le_bytes()[..], &size, values].concat().into()
    };
    let position = values(&[Vector2 { x: 3.0, y: 4.0 }.into()]);
    let sync = SceneMessage::Sync { time: 8, elements: element(11, &position) };
    assert_eq!(session.down(&sync), "8: Main/Players/77/Sync position=Vector2(3, 4)");
    let steps = values(&[6.into()]);
    let size = (steps.len() as u32).to_le_bytes();
    let delta: Bytes =
        [&11_u32.to_le_bytes()[..], &1_u64.to_le_bytes(), &size, &steps].concat().into();
    assert_eq!(session.down(&SceneMessage::Delta(delta)), "Main/Players/77/Sync steps=6");
    // The client's own synchronizer below the spawned node, by path.
    session.up(&announce(1, "Main/Players/77/Sync", &[]));
    let sync =
        SceneMessage::Sync { time: 9, elements: element(1 | SYNCHRONIZER_BY_PATH, &position) };
    assert_eq!(session.up(&sync), "9: Main/Players/77/Sync position=Vector2(3, 4)");
    assert_eq!(session.down(&SceneMessage::Despawn(10)), "Main/Players/77 (10)");
    assert_eq!(session.down(&SceneMessage::Despawn(10)), "#10");
    let sync = SceneMessage::Sync { time: 10, elements: element(11, &position) };
    assert_eq!(session.down(&sync), "10: #11 Vector2(3, 4)");
}

#[test]
fn without_a_project_ids_stand_for_names() {
    let mut session = Session(WireDecoder::new(None));
    assert_eq!(session.up(&announce(7, "Main/Arena", &ARENA)), "announce Main/Arena as 7");
    assert_eq!(session.up(&call(by_id(7), 2, vec!["hi".into()])), "Main/Arena.#2(\"hi\")");
    session.down(&announce(4, "Main/Spawner", &[]));
    let spawn = SceneMessage::Spawn(Spawn {
        source: SpawnSource::Scene(3),
        spawner: 4,
        net_id: 10,
        synchronizers: vec![],
        name: "77".to_owned(),
        state: values(&[true.into()]),
    });
    assert_eq!(session.down(&spawn), "77 from scene 3 as 10: true");
}

#[test]
fn bytes_of_authentications_are_masked() {
    let mut session = Session(WireDecoder::new(None));
    assert_eq!(session.up(&SceneMessage::Auth("token=secret".into())), "… (12 bytes)");
    assert_eq!(session.up(&SceneMessage::Auth(Bytes::new())), "complete");
    let relay =
        SceneMessage::Relay { peer: 9, inner: encoded(&SceneMessage::Auth("secret".into())) };
    assert_eq!(session.up(&relay), "[9] … (6 bytes)");
}

#[test]
fn arguments_whose_names_say_that_they_are_secret_are_masked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("project.godot"), "config_version=5\n").unwrap();
    let script =
        "extends Node\n@rpc(\"any_peer\")\nfunc login(user: String, sessionToken: String): pass\n";
    std::fs::write(folder.path().join("login.gd"), script).unwrap();
    let names = Rc::new(ProjectNames::load(folder.path()).unwrap());
    let mut session = Session(WireDecoder::new(Some(names)));
    session.up(&announce(1, "Login", &["login"]));
    let login = call(by_id(1), 0, vec!["ann".into(), "s3cret".into()]);
    assert_eq!(session.up(&login), "Login.login(user: \"ann\", sessionToken: …)");
}

#[test]
fn malformed_packets_are_shown_and_counted() {
    let mut decoder = WireDecoder::new(None);
    let mut text = |bytes: &[u8]| {
        let packet = decoder.decode(Direction::ToServer, &Bytes::copy_from_slice(bytes));
        assert_eq!(packet.kind(), WireKind::Malformed);
        packet.to_string()
    };
    assert_eq!(text(&[]), "the packet is empty");
    assert_eq!(text(&[4, 1]), "the packet ends within the head of a SPAWN: 0401");
    let relay = relay_prefix(9);
    let within = [relay.as_slice(), relay.as_slice(), &[3, 1]].concat();
    assert_eq!(text(&within), "[9] invalid RELAY within a RELAY: 0703090000000301");
    assert_eq!(decoder.stats().malformed, 3);
    // A call with an argument that ends early is a call.
    let packet = Bytes::from_static(&[0, 1, 0, 2, 2, 5, 2]);
    let packet = decoder.decode(Direction::ToServer, &packet);
    assert_eq!(packet.to_string(), "#1.#0(5, null) with malformed arguments");
    assert_eq!(decoder.stats().malformed, 4);
}
