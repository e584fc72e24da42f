//! Branches that are polled in a plain loop, without actors, async runtime and sockets.
#![allow(missing_docs, reason = "a test")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use mp_core::StateMachine;
use mp_core::limits::DRAIN_TIMEOUT;
use mp_core::memory::MemoryMultiplayerPeer;
use mp_core::{CloseMode, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer};
use mp_scene::TreeError;
use mp_scene::api::Configuration;
use mp_scene::codec::{Limits, Objects};
use mp_scene::limits::DEFERRED_PACKETS_MAX;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::{ConfirmedNode, RpcError, SceneMessage, SendBytesError};

/// Calls in order: caller, receiver and arguments.
type Log = Rc<RefCell<Vec<String>>>;

struct Talk {
    log: Log,
}

impl Node for Talk {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("say", RpcConfig::any_peer(), |talk: &mut Self, cx, (text,): (String,)| {
                talk.write(cx, &text);
            })
            .method("cheer", RpcConfig::authority().call_local(), |talk: &mut Self, cx, ()| {
                talk.write(cx, "cheer");
            })
            .method("ask", RpcConfig::any_peer(), |talk: &mut Self, cx, (number,): (i64,)| {
                talk.write(cx, &format!("ask {number}"));
                cx.reply("say", (format!("it is {}", number * number),)).unwrap();
            })
            .method(
                "again",
                RpcConfig::any_peer().call_local(),
                |talk: &mut Self, cx, (n,): (i64,)| {
                    talk.write(cx, &format!("again {n}"));
                    if n > 0 {
                        let own = cx.unique_id();
                        cx.rpc_id_self(own, "again", (n - 1,)).unwrap();
                        talk.write(cx, &format!("end of {n}"));
                    }
                },
            )
            .method("vanish", RpcConfig::any_peer(), |talk: &mut Self, cx, ()| {
                talk.write(cx, "vanish");
                let node = cx.node_id();
                cx.remove(node).unwrap();
            })
    }
}

impl Talk {
    fn write(&self, cx: &RpcContext<'_>, what: &str) {
        let line = format!("{} at {}: {what}", cx.remote_sender(), cx.unique_id());
        self.log.borrow_mut().push(line);
    }
}

fn game(log: &Log) -> BranchBuilder {
    let log = log.clone();
    Branch::builder("/root/Game").setup(move |scene| {
        scene.add("Talk", Talk { log })?;
        Ok(())
    })
}

/// Returns a server and two clients that know each other.
fn lan_of_three(log: &Log) -> (Lan, PeerId, PeerId) {
    let mut lan = Lan::new(game(log)).unwrap();
    let (two, three) = (lan.join(game(log)).unwrap(), lan.join(game(log)).unwrap());
    lan.settle();
    (lan, two, three)
}

fn say(lan: &mut Lan, from: PeerId, to: impl Into<Target>, text: &str) -> Result<(), RpcError> {
    let scene = lan.scene(from);
    let talk = scene.find("Talk").unwrap();
    scene.rpc_id(to, talk, "say", (text,))
}

fn lines(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.borrow_mut())
}

fn signals(branch: &mut Branch) -> Vec<Signal> {
    std::iter::from_fn(|| branch.next_signal()).collect()
}

#[test]
fn clients_are_announced_to_each_other_in_godots_order() {
    let log = Log::default();
    let (mut lan, two, three) = lan_of_three(&log);
    assert_eq!(
        signals(lan.branch(PeerId::SERVER)),
        [Signal::PeerConnected(two), Signal::PeerConnected(three)]
    );
    for (own, other) in [(two, three), (three, two)] {
        assert_eq!(
            signals(lan.branch(own)),
            [
                Signal::ConnectedToServer,
                Signal::PeerConnected(PeerId::SERVER),
                Signal::PeerConnected(other)
            ]
        );
        assert_eq!(lan.scene(own).peers(), [PeerId::SERVER, other]);
    }
}

#[test]
fn call_reaches_exactly_its_targets() {
    let log = Log::default();
    let (mut lan, two, three) = lan_of_three(&log);
    let cases: [(PeerId, Target, &[i32]); 7] = [
        (PeerId::SERVER, Target::All, &[2, 3]),
        (PeerId::SERVER, Target::AllExcept(two), &[3]),
        (PeerId::SERVER, three.into(), &[3]),
        (two, Target::All, &[1, 3]),
        (two, Target::AllExcept(PeerId::SERVER), &[3]),
        (two, Target::AllExcept(three), &[1]),
        (two, three.into(), &[3]),
    ];
    for (from, to, expected) in cases {
        say(&mut lan, from, to, "hello").unwrap();
        lan.settle();
        let mut received = lines(&log);
        received.sort();
        let expected: Vec<_> = expected.iter().map(|at| format!("{from} at {at}: hello")).collect();
        assert_eq!(received, expected, "{from} to {to:?}");
    }
}

#[test]
fn calls_of_one_channel_keep_their_order_through_the_relay() {
    let log = Log::default();
    let (mut lan, two, three) = lan_of_three(&log);
    for number in 0..500 {
        say(&mut lan, two, three, &number.to_string()).unwrap();
    }
    lan.settle();
    let expected: Vec<_> = (0..500).map(|number| format!("2 at 3: {number}")).collect();
    assert_eq!(lines(&log), expected);
}

#[test]
fn method_can_reply_to_its_caller() {
    let log = Log::default();
    let (mut lan, two, _) = lan_of_three(&log);
    let scene = lan.scene(two);
    let talk = scene.find("Talk").unwrap();
    scene.rpc_id(PeerId::SERVER, talk, "ask", (12,)).unwrap();
    lan.settle();
    assert_eq!(lines(&log), ["2 at 1: ask 12", "1 at 2: it is 144"]);
}

#[test]
fn call_local_method_runs_locally_with_the_own_id_as_sender() {
    let log = Log::default();
    let (mut lan, ..) = lan_of_three(&log);
    let scene = lan.scene(PeerId::SERVER);
    let talk = scene.find("Talk").unwrap();
    scene.rpc(talk, "cheer", ()).unwrap();
    assert_eq!(lines(&log), ["1 at 1: cheer"]);
    assert_eq!(lan.scene(PeerId::SERVER).remote_sender_id(), None);
    lan.settle();
    assert_eq!(lines(&log), ["1 at 2: cheer", "1 at 3: cheer"]);
}

#[test]
fn call_to_a_running_node_is_deferred_until_it_returns() {
    let log = Log::default();
    let (mut lan, ..) = lan_of_three(&log);
    let scene = lan.scene(PeerId::SERVER);
    let talk = scene.find("Talk").unwrap();
    scene.rpc_id(PeerId::SERVER, talk, "again", (2,)).unwrap();
    assert_eq!(
        lines(&log),
        [
            "1 at 1: again 2",
            "1 at 1: end of 2",
            "1 at 1: again 1",
            "1 at 1: end of 1",
            "1 at 1: again 0"
        ]
    );
}

#[test]
fn a_node_may_remove_itself_while_its_method_runs() {
    let log = Log::default();
    let (mut lan, two, _) = lan_of_three(&log);
    let scene = lan.scene(two);
    let talk = scene.find("Talk").unwrap();
    scene.rpc_id(PeerId::SERVER, talk, "vanish", ()).unwrap();
    scene.rpc_id(PeerId::SERVER, talk, "vanish", ()).unwrap();
    lan.settle();
    assert_eq!(lines(&log), ["2 at 1: vanish"]);
    assert!(lan.scene(PeerId::SERVER).find("Talk").is_err());
    assert_eq!(
        lan.scene(PeerId::SERVER).stats().refused_calls,
        1,
        "the second call must be refused: its node has left"
    );
}

#[test]
fn call_received_before_its_node_is_deferred() {
    let log = Log::default();
    let mut lan = Lan::new(Branch::builder("/root/Game")).unwrap();
    let two = lan.join(game(&log)).unwrap();
    lan.settle();
    for text in ["first", "second"] {
        say(&mut lan, two, PeerId::SERVER, text).unwrap();
    }
    lan.settle();
    assert_eq!(lines(&log), [""; 0]);

    let talk = Talk { log: log.clone() };
    lan.scene(PeerId::SERVER).add("Talk", talk).unwrap();
    say(&mut lan, two, PeerId::SERVER, "third").unwrap();
    lan.settle();
    assert_eq!(lines(&log), ["2 at 1: first", "2 at 1: second", "2 at 1: third"]);
    // The announcement of the path was deferred, too, so calls now use the path id.
    let received = lan.scene(two).stats().packets_received;
    assert_eq!(received, 1, "only the confirmation is received");
}

#[test]
fn the_multiplayer_root_can_be_configured() {
    let log = Log::default();
    let mut branch = game(&log).build().unwrap();
    let root = |path: &str| Configuration::RootPath(path.to_owned());
    let scene = branch.scene();
    let talk = scene.find("Talk").unwrap();
    assert_eq!(scene.object_configuration_add(&root("/root")), Ok(()));
    assert_eq!(scene.find("Game/Talk"), Ok(talk));
    assert!(scene.object_configuration_add(&root("rel")).is_err());
    assert_eq!(scene.object_configuration_remove(&root("/root")), Err(TreeError::IsRoot));
    assert!(scene.object_configuration_remove(&root("/root/X")).is_err());
    assert!(scene.multiplayer().has_multiplayer_peer());
}

#[test]
fn transport_is_replaced_without_signals() {
    let log = Log::default();
    let (mut old, two, _) = lan_of_three(&log);
    let (mut new, ..) = lan_of_three(&log);
    let mut branch = game(&log).build().unwrap();
    let session = |branch: &mut Branch, lan: &mut Lan, id: i32| {
        let id = PeerId::new(id).unwrap();
        let mut peer = lan.peer(PeerId::SERVER).address().connect(id);
        for _ in 0..8 {
            lan.step();
            branch.poll(&mut peer, Instant::from_millis(1));
        }
        peer
    };
    let first = session(&mut branch, &mut old, 7);
    assert_eq!(branch.scene().peers().len(), 3);
    signals(&mut branch);

    branch.replace_peer();
    assert_eq!((signals(&mut branch), branch.scene().peers()), (vec![], vec![]));
    let _second = session(&mut branch, &mut new, 8);
    assert_eq!(signals(&mut branch)[0], Signal::ConnectedToServer);
    assert_eq!(branch.scene().unique_id(), PeerId::new(8).unwrap());

    drop(first);
    old.settle();
    assert_eq!(
        old.scene(two).peers().len(),
        2,
        "a replaced transport must stay open until its owner closes it"
    );
}

#[test]
fn before_godot_4_3_paths_are_confirmed_by_path() {
    let log = Log::default();
    let old = |log: &Log| game(log).codec(Codec::Godot4(GodotVersion::V4_0));
    let mut lan = Lan::new(old(&log)).unwrap();
    let two = lan.join(old(&log)).unwrap();
    lan.settle();
    let (_, link) = lan.scene(two).multiplayer().connection(PeerId::SERVER).unwrap();
    let mut sent = Vec::new();
    for text in ["one", "two"] {
        say(&mut lan, two, PeerId::SERVER, text).unwrap();
        lan.settle();
        sent.push(lan.peer(two).connection_stats(link).unwrap().bytes_sent);
    }
    assert_eq!(lines(&log), ["2 at 1: one", "2 at 1: two"]);
    // The second call uses the path id: header, node, method, argument count, and "two" with its
    // type and length.
    assert_eq!(sent[1] - sent[0], 4 + 12);
    let message =
        SceneMessage::ConfirmPath { node: ConfirmedNode::Path("Talk".into()), checksum_ok: true };
    let mut bytes = BytesMut::new();
    Codec::Godot4(GodotVersion::V4_0).encode(&message, Objects::Ids, &mut bytes).unwrap();
    assert_eq!(bytes[..], *b"\x02\x01Talk\0");
    let read = Codec::Godot4(GodotVersion::V4_0).decode(&bytes.freeze(), &Limits::default());
    assert_eq!(read, Ok(message));
}

#[test]
fn deferred_calls_are_bounded() {
    let log = Log::default();
    let mut lan = Lan::new(Branch::builder("/root/Game")).unwrap();
    let two = lan.join(game(&log)).unwrap();
    lan.settle();
    for number in 0..DEFERRED_PACKETS_MAX + 10 {
        say(&mut lan, two, PeerId::SERVER, &number.to_string()).unwrap();
    }
    lan.settle();
    assert_eq!(lan.scene(PeerId::SERVER).stats().refused_calls, 10);
    lan.scene(PeerId::SERVER).add("Talk", Talk { log: log.clone() }).unwrap();
    lan.settle();
    assert_eq!(lines(&log).len(), DEFERRED_PACKETS_MAX);
}

#[test]
fn only_the_authority_may_call_authority_methods() {
    let log = Log::default();
    let (mut lan, two, three) = lan_of_three(&log);
    let scene = lan.scene(two);
    let talk = scene.find("Talk").unwrap();
    // The caller is the local peer, so the method runs locally only.
    scene.rpc(talk, "cheer", ()).unwrap();
    lan.settle();
    assert_eq!(lines(&log), ["2 at 2: cheer"]);

    for id in [PeerId::SERVER, two, three] {
        let scene = lan.scene(id);
        let talk = scene.find("Talk").unwrap();
        scene.tree_mut().set_multiplayer_authority(talk, two, true).unwrap();
    }
    assert!(lan.scene(two).is_multiplayer_authority(talk));
    lan.scene(two).rpc(talk, "cheer", ()).unwrap();
    lan.settle();
    assert_eq!(lines(&log), ["2 at 2: cheer", "2 at 1: cheer", "2 at 3: cheer"]);
}

#[test]
fn raw_bytes_reach_exactly_their_targets() {
    let log = Log::default();
    let (mut lan, two, three) = lan_of_three(&log);
    for (number, target) in
        [Target::SERVER, Target::All, Target::AllExcept(three), Target::AllExcept(PeerId::SERVER)]
            .into_iter()
            .enumerate()
    {
        let data = [number as u8];
        lan.scene(two).send_bytes(&data, target, TransferMode::Reliable, Channel(3)).unwrap();
    }
    lan.settle();
    let mut received = |id| -> Vec<u8> {
        signals(lan.branch(id))
            .into_iter()
            .filter_map(|signal| match signal {
                Signal::PeerPacket { from, data } => {
                    assert_eq!(from, two);
                    Some(data[0])
                }
                _ => None,
            })
            .collect()
    };
    assert_eq!(received(PeerId::SERVER), [0, 1, 2]);
    assert_eq!(received(three), [1, 3]);
}

#[test]
fn without_the_relay_clients_do_not_know_each_other() {
    let log = Log::default();
    let mut lan = Lan::new(game(&log).server_relay(false)).unwrap();
    let two = lan.join(game(&log).server_relay(false)).unwrap();
    let three = lan.join(game(&log).server_relay(false)).unwrap();
    lan.settle();
    assert_eq!(lan.scene(two).peers(), [PeerId::SERVER]);
    assert_eq!(say(&mut lan, two, three, "hello"), Err(RpcError::UnknownPeer(three)));
    say(&mut lan, two, Target::All, "hello").unwrap();
    lan.settle();
    assert_eq!(lines(&log), ["2 at 1: hello"]);
}

#[test]
fn client_does_not_relay_for_a_server_with_the_relay_disabled() {
    let log = Log::default();
    let mut lan = Lan::new(game(&log).server_relay(false)).unwrap();
    let two = lan.join(game(&log)).unwrap();
    lan.settle();
    lan.scene(two).send_bytes(b"x", Target::All, TransferMode::Reliable, Channel(0)).unwrap();
    lan.settle();
    let stats = lan.scene(PeerId::SERVER).stats();
    assert_eq!((stats.stray_packets, stats.malformed_packets), (1, 0));
    assert_eq!(signals(lan.branch(PeerId::SERVER)), [Signal::PeerConnected(two)]);
}

#[test]
fn disconnected_peer_is_removed_immediately_and_notified() {
    let log = Log::default();
    let (mut lan, two, three) = lan_of_three(&log);
    for id in [PeerId::SERVER, two, three] {
        signals(lan.branch(id));
    }
    lan.scene(PeerId::SERVER).multiplayer_mut().disconnect_peer(two);
    assert_eq!(lan.scene(PeerId::SERVER).peers(), [three]);
    lan.settle();
    assert_eq!(signals(lan.branch(PeerId::SERVER)), []);
    assert_eq!(signals(lan.branch(three)), [Signal::PeerDisconnected(two)]);
    assert_eq!(
        signals(lan.branch(two)),
        [Signal::PeerDisconnected(PeerId::SERVER), Signal::ServerDisconnected]
    );
    assert_eq!(lan.scene(two).peers(), []);
}

#[test]
fn clients_are_notified_when_the_server_closes() {
    let log = Log::default();
    let (mut lan, two, _) = lan_of_three(&log);
    signals(lan.branch(two));
    say(&mut lan, PeerId::SERVER, Target::All, "last words").unwrap();
    lan.step();
    lan.branch(PeerId::SERVER).close(DisconnectReason::Closed, CloseMode::Graceful);
    lan.settle();
    assert_eq!(lines(&log), ["1 at 2: last words", "1 at 3: last words"]);
    assert_eq!(
        signals(lan.branch(two)),
        [Signal::PeerDisconnected(PeerId::SERVER), Signal::ServerDisconnected]
    );
    assert_eq!(say(&mut lan, two, PeerId::SERVER, "?"), Err(RpcError::NotConnected));
}

#[test]
fn draining_branch_sends_queued_packets_before_it_closes() {
    let log = Log::default();
    let (mut lan, two, three) = lan_of_three(&log);
    say(&mut lan, PeerId::SERVER, Target::All, "last words").unwrap();
    lan.branch(PeerId::SERVER).close(DisconnectReason::Closed, CloseMode::Drain);
    lan.settle();
    assert_eq!(lines(&log), ["1 at 2: last words", "1 at 3: last words"]);
    for id in [two, three] {
        assert!(signals(lan.branch(id)).ends_with(&[Signal::ServerDisconnected]));
    }
    assert_eq!(lan.peer(PeerId::SERVER).connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn packets_after_close_are_rejected_and_not_lost() {
    let log = Log::default();
    let (mut lan, two, _) = lan_of_three(&log);
    lan.branch(two).close(DisconnectReason::Closed, CloseMode::Drain);
    assert!(lan.scene(two).multiplayer().is_closing());
    assert_eq!(say(&mut lan, two, PeerId::SERVER, "too late"), Err(RpcError::NotConnected));
    let sent =
        lan.scene(two).send_bytes(b"too late", PeerId::SERVER, TransferMode::Reliable, Channel(0));
    assert_eq!(sent, Err(SendBytesError::NotConnected));
    lan.settle();
    assert_eq!(lines(&log), [] as [&str; 0]);
}

#[test]
fn branch_that_cannot_drain_closes_after_the_timeout() {
    let mut server = MemoryMultiplayerPeer::server();
    let mut client = server.address().connect(PeerId::new(2).unwrap());
    let mut branches = [(); 2].map(|()| Branch::builder("/root").build().unwrap());
    let [at_server, at_client] = &mut branches;
    let start = Instant::from_millis(1_000);
    for _ in 0..4 {
        at_server.poll(&mut server, start);
        at_client.poll(&mut client, start);
    }
    let two = client.unique_id();
    assert_eq!(at_server.scene().peers(), [two]);
    let (reliable, channel) = (TransferMode::Reliable, Channel(0));
    at_server.scene().send_bytes(b"who listens?", two, reliable, channel).unwrap();
    at_server.close(DisconnectReason::Closed, CloseMode::Drain);
    let mut now = start;
    while now < start + DRAIN_TIMEOUT {
        at_server.poll(&mut server, now);
        assert_eq!(server.connection_status(), ConnectionStatus::Connected, "at {now:?}");
        now = at_server.poll_timeout().expect("a turn for the drain");
    }
    assert_eq!(now, start + DRAIN_TIMEOUT);
    at_server.poll(&mut server, now);
    assert_eq!(server.connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(at_server.scene().peers(), []);
}

#[test]
fn second_peer_with_the_same_id_is_rejected() {
    let log = Log::default();
    let (mut lan, two, _) = lan_of_three(&log);
    let mut intruder = lan.peer(PeerId::SERVER).address().connect(two);
    let mut branch = game(&log).build().unwrap();
    for _ in 0..8 {
        lan.step();
        branch.poll(&mut intruder, Instant::from_millis(1));
    }
    assert_eq!(lan.scene(PeerId::SERVER).stats().duplicate_ids, 1);
    assert_eq!(lan.scene(PeerId::SERVER).peers().len(), 2);
    assert_eq!(signals(&mut branch).last(), Some(&Signal::ServerDisconnected));
    say(&mut lan, PeerId::SERVER, two, "still here").unwrap();
    lan.settle();
    assert_eq!(lines(&log), ["1 at 2: still here"]);
}

#[test]
fn refused_client_reports_connection_failed() {
    let log = Log::default();
    let mut lan = Lan::new(game(&log)).unwrap();
    lan.scene(PeerId::SERVER).multiplayer_mut().set_refuse_new_connections(true);
    lan.settle();
    assert!(lan.peer(PeerId::SERVER).is_refusing_new_connections());
    let two = lan.join(game(&log)).unwrap();
    lan.settle();
    assert_eq!(signals(lan.branch(two)), [Signal::ConnectionFailed]);

    lan.scene(PeerId::SERVER).multiplayer_mut().set_refuse_new_connections(false);
    lan.settle();
    let three = lan.join(game(&log)).unwrap();
    lan.settle();
    assert_eq!(lan.scene(three).peers(), [PeerId::SERVER]);
}

#[test]
fn ticks_run_at_their_rate_and_receive_the_elapsed_time() {
    let deltas = Rc::new(RefCell::new(Vec::new()));
    let seen = deltas.clone();
    let builder = Branch::builder("/root")
        .tick_rate(50)
        .on_process(move |_, delta| seen.borrow_mut().push(delta));
    let mut lan = Lan::new(builder).unwrap();
    for _ in 0..40 {
        lan.step();
    }
    let deltas = deltas.borrow();
    assert_eq!(deltas.len(), 10, "40 steps of 5 ms at 50 Hz");
    assert_eq!(deltas[0], Duration::ZERO);
    assert!(deltas[1..].iter().all(|&delta| delta == Duration::from_millis(20)));
}

#[test]
fn branch_without_a_transport_is_an_offline_server() {
    let log = Log::default();
    let mut branch = game(&log).build().unwrap();
    let scene = branch.scene();
    assert!(scene.multiplayer().is_server() && scene.peers().is_empty());
    let talk = scene.find("Talk").unwrap();
    scene.rpc(talk, "cheer", ()).unwrap();
    assert_eq!(lines(&log), ["1 at 1: cheer"]);
}
