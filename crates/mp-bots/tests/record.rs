//! Scenarios that are recorded from packets of a client, with the project in `interop/bots`.
#![allow(missing_docs, reason = "a test")]

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mp_bots::scenario::{ArgumentContext, CallStep, RawContent, Receivers, Schedule, Step};
use mp_bots::{MethodTables, Scenario, ScenarioRecorder};
use mp_core::variant::{Color, Quaternion, Vector2, Vector2i, Vector3, Vector3i};
use mp_core::{
    Channel, ConnectionOrigin, DisconnectReason, Instant, PeerId, Rng, TransferMode, Variant,
    array, dict,
};
use mp_scene::codec::Objects;
use mp_scene::rpc::{RpcConfig, RpcIds};
use mp_scene::{CallNode, Codec, RemoteCall, SceneMessage};
use mp_wire::{ClientNumber, Direction, ProjectNames, WireCloseReason, WireEvent, WirePacket};

const CLIENT: ClientNumber = ClientNumber(1);
const OWN_ID: i32 = 77;

/// Ids of methods in `arena.gd`.
const PING: u16 = 0;
const SHOUT: u16 = 2;

/// A recorded session.
struct Session {
    recorder: ScenarioRecorder,
    now: Instant,
    mode: TransferMode,
}

impl Session {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/bots");
        Self::with(Some(Rc::new(ProjectNames::load(folder).unwrap())))
    }

    fn with(names: Option<Rc<ProjectNames>>) -> Self {
        let now = Instant::from_millis(5_000);
        let mut session =
            Self { recorder: ScenarioRecorder::new(names), now, mode: TransferMode::Reliable };
        let origin = ConnectionOrigin::Process;
        session.event(WireEvent::Connected { client: CLIENT, at: now, origin });
        let id = PeerId::new(OWN_ID).unwrap();
        session.event(WireEvent::PeerId { client: CLIENT, at: now, id });
        session
    }

    fn event(&mut self, event: WireEvent) {
        self.recorder.observe(&event);
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    fn send(&mut self, message: &SceneMessage) {
        let mut payload = BytesMut::new();
        Codec::default().encode(message, Objects::Ids, &mut payload).unwrap();
        self.event(WireEvent::Packet(WirePacket {
            client: CLIENT,
            at: self.now,
            direction: Direction::ToServer,
            mode: self.mode,
            channel: Channel(0),
            payload: payload.freeze(),
        }));
    }

    fn announce(&mut self, id: u32, path: &str, methods: &[&str]) {
        let methods = methods.iter().map(|name| (*name, RpcConfig::any_peer()));
        let checksum = *RpcIds::of_methods(methods).checksum();
        self.send(&SceneMessage::SimplifyPath { id, checksum, path: path.to_owned() });
    }

    fn announce_arena(&mut self) {
        self.announce(1, "Main/Arena", &["ping", "pong", "shout"]);
    }

    fn call(&mut self, id: u32, method: u16, args: Vec<Variant>) {
        self.send(&call(id, method, args));
    }

    /// Returns the scenario after the client has left. It must be valid.
    fn scenario(mut self) -> (String, Scenario) {
        let reason = WireCloseReason::Client(DisconnectReason::Remote(0));
        let closed = WireEvent::Closed { client: CLIENT, at: self.now, reason };
        assert!(self.recorder.observe(&closed), "the client has left");
        let text = self.recorder.scenario("enet://127.0.0.1:7777");
        let scenario = Scenario::parse("recorded", &text);
        let scenario = scenario.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        MethodTables::load(&scenario).unwrap_or_else(|error| panic!("{error}\n{text}"));
        (text, scenario)
    }
}

fn call(id: u32, method: u16, args: Vec<Variant>) -> SceneMessage {
    let node = CallNode::Id { id, wide: false };
    SceneMessage::RemoteCall(RemoteCall { node, method, args, complete: true })
}

fn relay(peer: i32, message: &SceneMessage) -> SceneMessage {
    let mut inner = BytesMut::new();
    Codec::default().encode(message, Objects::Ids, &mut inner).unwrap();
    SceneMessage::Relay { peer, inner: inner.freeze() }
}

fn calls(scenario: &Scenario) -> Vec<&CallStep> {
    let calls = scenario.steps.iter().filter_map(|step| match step {
        Step::Call(call) => Some(call),
        _ => None,
    });
    calls.collect()
}

fn wait_of(step: &Step) -> Option<Duration> {
    match step {
        Step::Wait { from, .. } => Some(*from),
        _ => None,
    }
}

#[test]
fn calls_and_pauses_of_a_client_become_steps() {
    let mut session = Session::new();
    session.announce_arena();
    session.announce(2, "Main/Players/77", &["steer"]);
    session.call(1, PING, vec![3.into(), Vector2 { x: 1.0, y: 2.5 }.into(), "bob".into()]);
    session.wait(1_500);
    session.mode = TransferMode::UnreliableOrdered;
    session.call(2, 0, vec![Vector2::ONE.into()]);
    session.wait(700);
    let (text, scenario) = session.scenario();
    assert_eq!(scenario.servers[0].url, "enet://127.0.0.1:7777");
    let [ping, steer] = calls(&scenario)[..] else { panic!("{text}") };
    assert_eq!((ping.path.0.as_str(), ping.method.as_str()), ("Main/Arena", "ping"));
    assert_eq!((ping.mode, ping.to), (Some(TransferMode::Reliable), Receivers::Server));
    assert_eq!((steer.path.0.as_str(), steer.method.as_str()), ("Main/Players/{peer}", "steer"));
    assert_eq!(steer.mode, Some(TransferMode::UnreliableOrdered));
    let args = "args = [{ int = [3, 3] }, { vector2 = [[1.0, 1.0], [2.5, 2.5]] }, \"bob\"]\n";
    assert!(text.contains(args), "{text}");
    let waits: Vec<_> = scenario.steps.iter().filter_map(wait_of).collect();
    assert_eq!(waits, [1_500, 700].map(Duration::from_millis), "{text}");
    assert_eq!(scenario.steps.last(), Some(&Step::Leave { vanish: false }));
    let nodes: Vec<_> = scenario.nodes.iter().map(|node| node.path.as_str()).collect();
    assert_eq!(nodes, ["Main/Arena", "Main/Players/*"]);
}

#[test]
fn repeated_calls_become_one_step_with_ranges_of_their_arguments() {
    let mut session = Session::new();
    session.announce_arena();
    for number in 0..10 {
        let position = Vector2 { x: number as f32, y: -1.0 };
        let name = if number % 2 == 0 { "a" } else { "b" };
        session.call(1, PING, vec![number.into(), position.into(), name.into()]);
        session.wait(100);
    }
    session.wait(2_000);
    session.call(1, SHOUT, vec!["bye".into()]);
    session.wait(50);
    let (text, scenario) = session.scenario();
    let args = "args = [{ int = [0, 9] }, { vector2 = [[0.0, 9.0], [-1.0, -1.0]] }, { choice = [\"a\", \"b\"] }]\n";
    assert!(text.contains(args), "{text}");
    let [ping, shout] = calls(&scenario)[..] else { panic!("{text}") };
    let (every, duration) = (Duration::from_millis(100), Duration::from_secs(1));
    let schedule = Schedule { every: Some(every), duration: Some(duration) };
    assert_eq!((ping.schedule, shout.schedule.every), (schedule, None), "{text}");
    let waits: Vec<_> = scenario.steps.iter().filter_map(wait_of).collect();
    assert_eq!(waits, [2_000, 50].map(Duration::from_millis), "{text}");
}

#[test]
fn repeated_calls_that_others_overlap_run_in_the_background() {
    let mut session = Session::new();
    session.announce_arena();
    for number in 0..20 {
        session.call(1, PING, vec![number.into(), Vector2::ZERO.into(), "a".into()]);
        if number == 7 {
            session.call(1, SHOUT, vec!["hi".into()]);
        }
        session.wait(100);
    }
    let (text, scenario) = session.scenario();
    let [ping, shout] = calls(&scenario)[..] else { panic!("{text}") };
    let every = Some(Duration::from_millis(100));
    assert_eq!(ping.schedule, Schedule { every, duration: None }, "{text}");
    assert_eq!(shout.method, "shout");
    let waits: Vec<_> = scenario.steps.iter().filter_map(wait_of).collect();
    assert_eq!(waits, [700, 1_300].map(Duration::from_millis), "{text}");
}

#[test]
fn call_to_several_peers_is_recorded_once() {
    let mut session = Session::new();
    session.announce_arena();
    let shout = call(1, SHOUT, vec!["hi".into()]);
    // Before all peers have confirmed the path, Godot sends one call to each.
    for peer in [5, 6] {
        session.send(&relay(peer, &shout));
    }
    session.send(&shout);
    session.wait(500);
    session.send(&relay(0, &shout));
    session.wait(500);
    session.send(&relay(6, &shout));
    let (text, scenario) = session.scenario();
    let to: Vec<_> = calls(&scenario).iter().map(|call| call.to).collect();
    assert_eq!(to, [Receivers::All, Receivers::All, Receivers::RandomPlayer], "{text}");
}

#[test]
fn authentications_and_secret_arguments_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("project.godot"), "config_version=5\n").unwrap();
    let script = "extends Node\n@rpc(\"any_peer\")\nfunc login(user, session_token): pass\n";
    std::fs::write(folder.path().join("login.gd"), script).unwrap();
    let names = ProjectNames::load(folder.path()).unwrap();
    let mut session = Session::with(Some(Rc::new(names)));
    session.send(&SceneMessage::Auth("hunter2".into()));
    session.send(&SceneMessage::Auth(Bytes::new()));
    session.announce(1, "Login", &["login"]);
    session.call(1, 0, vec!["ann".into(), "hunter2".into()]);
    let (text, scenario) = session.scenario();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("[[do]] # 7 bytes, which are not recorded"), "{text}");
    assert!(text.contains("args = [\"ann\", \"MASKED\"]\n"), "{text}");
    assert!(scenario.authenticates());
}

#[test]
fn raw_packets_are_texts_or_random_bytes() {
    let mut session = Session::new();
    session.send(&SceneMessage::Raw("a \"text\"".into()));
    session.wait(100);
    session.send(&relay(0, &SceneMessage::Raw(Bytes::from_static(&[0; 40]))));
    let (text, scenario) = session.scenario();
    let raw = |step: &Step| match step {
        Step::Raw { content, to, .. } => Some((content.clone(), *to)),
        _ => None,
    };
    let raws: Vec<_> = scenario.steps.iter().filter_map(raw).collect();
    let [(RawContent::Text(first), Receivers::Server), (second, Receivers::All)] = &raws[..] else {
        panic!("{text}")
    };
    assert_eq!((first.0.as_str(), second), ("a \"text\"", &RawContent::Random(40)));
}

#[test]
fn values_of_all_types_are_played_as_they_were_recorded() {
    let values: Vec<Variant> = vec![
        Variant::Nil,
        true.into(),
        i64::MIN.into(),
        0.1.into(),
        f64::INFINITY.into(),
        "quoted \"text\" with \\ and \n".into(),
        Vector2 { x: 0.1, y: -3.5e-20 }.into(),
        Vector2i { x: i32::MIN, y: 7 }.into(),
        Vector3 { x: 1e20, y: 0.0, z: 2.0 }.into(),
        Vector3i { x: 1, y: 2, z: 3 }.into(),
        Color { r: 1.0, g: 0.5, b: 0.25, a: 1.0 }.into(),
        Quaternion::IDENTITY.into(),
        array![1, "two", array![3.5]].into(),
        dict! { "a" => 1, "b" => array![true] }.into(),
        Variant::PackedInt32Array(vec![1, 2, 3]),
        i64::from(OWN_ID).into(),
    ];
    let mut session = Session::new();
    session.announce_arena();
    for value in &values {
        session.wait(2_000);
        session.call(1, SHOUT, vec![value.clone()]);
    }
    let (text, scenario) = session.scenario();
    let calls = calls(&scenario);
    assert_eq!(calls.len(), values.len(), "{text}");
    let mut rng = Rng::seed_from_u64(1);
    for (call, value) in calls.iter().zip(&values) {
        let mut cx = ArgumentContext { bot: 1, peer: OWN_ID, sequence: 1, rng: &mut rng };
        assert_eq!(call.args[0].draw(&mut cx), *value, "{text}");
    }
    assert!(text.contains("# argument 1: Color(1, 0.5, 0.25, 1)\n"), "{text}");
    assert!(text.contains("args = [{ value = \"peer\" }]\n"), "{text}");
}

#[test]
fn packets_that_bots_cannot_send_are_counted() {
    let mut session = Session::with(None);
    session.announce_arena();
    session.call(1, PING, vec![1.into()]);
    session.send(&SceneMessage::Delta(Bytes::from_static(&[0; 20])));
    let (text, scenario) = session.scenario();
    assert_eq!(calls(&scenario).len(), 0);
    assert!(text.contains("# not recorded: 1 calls whose methods have no names; pass"), "{text}");
    assert!(text.contains("# not recorded: 1 spawned nodes and synchronizations"), "{text}");
}

#[test]
fn scenario_of_a_long_session_can_be_read() {
    let mut session = Session::new();
    session.announce_arena();
    for number in 0..20_000_i64 {
        session.wait(1_100);
        session.call(1, SHOUT, vec![format!("{number} {}", "x".repeat(200)).into()]);
    }
    let (text, scenario) = session.scenario();
    assert!(calls(&scenario).len() > 1_000, "{}", text.len());
    assert!(text.contains("steps that are too large"));
}
