//! The life cycle of nodes: the orders are those that Godot 4.6.3 prints for the same trees.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mp_core::{Instant, StateMachine};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::{GodotQuirks, TreeError};

type Log = Rc<RefCell<Vec<String>>>;

/// A node that records what happens to it.
struct Unit {
    name: String,
    log: Log,
    on_ready: Option<Hook>,
}

type Hook = Box<dyn Fn(&mut NodeContext<'_>)>;

impl Unit {
    fn new(name: &str, log: &Log) -> Self {
        Self { name: name.to_owned(), log: Rc::clone(log), on_ready: None }
    }

    fn note(&self, what: &str) {
        self.log.borrow_mut().push(format!("{what} {}", self.name));
    }
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "hit",
            RpcConfig::any_peer().call_local(),
            |unit: &mut Self, _cx, (): ()| unit.note("hit"),
        )
    }

    fn enter_tree(&mut self, _tree: &mut Tree, _node: NodeId) {
        self.note("enter");
    }

    fn ready(&mut self, cx: &mut NodeContext<'_>) {
        self.note("ready");
        if let Some(on_ready) = self.on_ready.take() {
            on_ready(cx);
        }
    }

    fn process(&mut self, _cx: &mut NodeContext<'_>, _delta: Duration) {
        self.note("process");
    }

    fn exit_tree(&mut self, tree: &mut Tree, node: NodeId) {
        assert!(tree.contains(node) && tree.parent(node).is_some());
        self.note("exit");
    }
}

/// Takes the log, as one line.
fn taken(log: &Log) -> String {
    std::mem::take(&mut *log.borrow_mut()).join(", ")
}

fn unit(name: &str, log: &Log) -> Instance {
    Instance::new(name, Unit::new(name, log))
}

/// `P` with the children `A` (with the child `A1`) and `B`.
fn units(log: &Log) -> Instance {
    unit("P", log).child(unit("A", log).child(unit("A1", log))).child(unit("B", log))
}

fn turn(branch: &mut Branch, millis: u64) {
    branch.end_turn(Instant::from_millis(millis));
}

#[test]
fn parents_enter_first_and_children_are_ready_first() {
    let log = Log::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    branch.scene().add_instance(".", units(&log)).unwrap();
    assert_eq!(
        taken(&log),
        "enter P, enter A, enter A1, enter B, ready A1, ready A, ready B, ready P"
    );
}

#[test]
fn nodes_of_the_setups_are_ready_together_after_them() {
    let log = Log::default();
    let (first, second) = (Rc::clone(&log), Rc::clone(&log));
    let builder = Branch::builder("/root")
        .setup(move |scene| scene.add_instance(".", unit("P", &first)))
        .setup(move |scene| scene.add_instance("P", unit("A", &second)));
    builder.build().unwrap();
    assert_eq!(taken(&log), "enter P, enter A, ready A, ready P");
}

#[test]
fn a_child_added_by_ready_is_ready_before_ready_continues() {
    let log = Log::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    let mut instance = units(&log);
    let inner = Rc::clone(&log);
    instance.get_mut::<Unit>("A").unwrap().on_ready = Some(Box::new(move |cx| {
        let node = cx.node_id();
        cx.add_instance(node, unit("X", &inner)).unwrap();
        inner.borrow_mut().push("added X".to_owned());
    }));
    branch.scene().add_instance(".", instance).unwrap();
    assert_eq!(
        taken(&log),
        "enter P, enter A, enter A1, enter B, ready A1, ready A, enter X, ready X, added X, \
         ready B, ready P"
    );
}

#[test]
fn children_leave_first_and_nodes_that_move_leave_and_enter_without_being_ready_again() {
    let log = Log::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    let scene = branch.scene();
    scene.add_instance(".", units(&log)).unwrap();
    taken(&log);
    let (a, b) = (scene.find("P/A").unwrap(), scene.find("P/B").unwrap());
    scene.tree_mut().reparent(a, b).unwrap();
    scene.flush_changes();
    assert_eq!(taken(&log), "exit A1, exit A, enter A, enter A1");
    let p = scene.find("P").unwrap();
    scene.remove(p).unwrap();
    assert_eq!(taken(&log), "exit A1, exit A, exit B, exit P");
}

#[test]
fn nodes_are_processed_at_ticks_in_tree_order() {
    let log = Log::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    branch.scene().add_instance(".", units(&log)).unwrap();
    branch.scene().add_instance("P/A", unit("X", &log)).unwrap();
    taken(&log);
    turn(&mut branch, 1_000);
    assert_eq!(taken(&log), "process P, process A, process A1, process X, process B");
    turn(&mut branch, 1_010);
    assert_eq!(taken(&log), "", "60 ticks per second");
    let scene = branch.scene();
    let (a, b) = (scene.find("P/A").unwrap(), scene.find("P/B").unwrap());
    scene.tree_mut().reparent(a, b).unwrap();
    scene.tree_mut().set_process(b, false).unwrap();
    taken(&log);
    turn(&mut branch, 1_020);
    assert_eq!(taken(&log), "process P, process A, process A1, process X");
}

#[test]
fn process_receives_the_time_since_the_last_tick() {
    struct Clock(Rc<RefCell<Vec<u128>>>);
    impl Node for Clock {
        fn process(&mut self, _cx: &mut NodeContext<'_>, delta: Duration) {
            self.0.borrow_mut().push(delta.as_millis());
        }
    }
    let deltas = Rc::default();
    let mut branch = Branch::builder("/root").tick_rate(10).build().unwrap();
    let clock = branch.scene().add("Clock", Clock(Rc::clone(&deltas))).unwrap();
    for now in [1_000, 1_100, 1_250] {
        turn(&mut branch, now);
    }
    assert_eq!(*deltas.borrow(), [0, 100, 150]);
    // Time in which no node was processed does not count.
    branch.scene().remove(clock).unwrap();
    turn(&mut branch, 2_000);
    branch.scene().add("Clock", Clock(Rc::clone(&deltas))).unwrap();
    turn(&mut branch, 60_000);
    assert_eq!(*deltas.borrow(), [0, 100, 150, 0]);
}

#[test]
fn a_branch_whose_nodes_have_no_process_method_has_no_timer() {
    let mut branch =
        Branch::builder("/root").setup(|scene| scene.add("Main", Group)).build().unwrap();
    turn(&mut branch, 1_000);
    assert_eq!(branch.poll_timeout(), None);
    branch.scene().add("Main/Other", Group).unwrap();
    assert_eq!(branch.poll_timeout(), None, "the type is known by now");
    let log = Log::default();
    let added = branch.scene().add_instance("Main", unit("P", &log)).unwrap();
    turn(&mut branch, 1_100);
    assert!(branch.poll_timeout().is_some());
    branch.scene().queue_free(added).unwrap();
    turn(&mut branch, 1_200);
    assert_eq!(branch.poll_timeout(), None);
}

#[test]
fn queued_nodes_are_freed_after_the_method_and_its_calls_in_the_order_of_the_requests() {
    let log = Log::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    let scene = branch.scene();
    scene.add_instance(".", units(&log)).unwrap();
    let (p, b) = (scene.find("P").unwrap(), scene.node::<Unit>("P/B").unwrap());
    taken(&log);
    scene
        .with(b, |unit, cx| {
            cx.queue_free_self().unwrap();
            cx.queue_free(p).unwrap();
            cx.rpc_self("hit", ()).unwrap();
            unit.note("end of");
            assert!(cx.is_queued_for_deletion(p) && cx.tree().contains(p));
        })
        .unwrap();
    turn(&mut branch, 1_000);
    assert_eq!(taken(&log), "end of B, hit B, exit B, exit A1, exit A, exit P");
    let scene = branch.scene();
    assert!(!scene.is_queued_for_deletion(p));
    assert_eq!(scene.queue_free(p), Err(TreeError::NotInTree));
    let root = scene.tree().root();
    assert_eq!(scene.queue_free(root), Err(TreeError::IsRoot));
}

#[test]
fn a_node_removed_by_its_own_method_leaves_when_the_method_returns() {
    struct Bomb(Log);
    impl Node for Bomb {
        fn exit_tree(&mut self, tree: &mut Tree, node: NodeId) {
            assert!(!tree.contains(node));
            self.0.borrow_mut().push("exit".to_owned());
        }
    }
    let log = Log::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    let bomb = branch.scene().add("Bomb", Bomb(Rc::clone(&log))).unwrap();
    let explode = |bomb: &mut Bomb, cx: &mut NodeContext<'_>| {
        let node = cx.node_id();
        cx.remove(node).unwrap();
        bomb.0.borrow_mut().push("removed".to_owned());
    };
    branch.scene().with(bomb, explode).unwrap();
    assert_eq!(taken(&log), "removed, exit");
}

#[test]
fn nodes_that_are_leaving_cannot_be_changed() {
    struct Stubborn(Rc<RefCell<Vec<TreeError>>>);
    impl Node for Stubborn {
        fn exit_tree(&mut self, tree: &mut Tree, node: NodeId) {
            let mut errors = self.0.borrow_mut();
            errors.extend(tree.remove(node).err());
            errors.extend(tree.add(node, "Child", Group).err());
            errors.extend(tree.reparent(node, tree.root()).err());
        }
    }
    let errors = Rc::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    let scene = branch.scene();
    scene.add("Main", Group).unwrap();
    let node = scene.add("Main/Node", Stubborn(Rc::clone(&errors))).unwrap();
    scene.remove(node).unwrap();
    assert_eq!(*errors.borrow(), [TreeError::Busy, TreeError::Busy, TreeError::Busy]);
}

/// A spawned node: `ready` of the server sets the health, and greets.
#[derive(Default)]
struct Player {
    health: i64,
    seen: Vec<String>,
}

impl Node for Player {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "greet",
            RpcConfig::authority().call_local(),
            |player: &mut Self, _cx, (text,): (String,)| player.seen.push(text),
        )
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("health", |player: &mut Self| &mut player.health)
    }

    fn ready(&mut self, cx: &mut NodeContext<'_>) {
        self.seen.push(format!("ready with {}", self.health));
        if cx.unique_id() == PeerId::SERVER {
            self.health = 7;
            cx.rpc_self("greet", ("hello",)).unwrap();
        }
    }
}

fn player() -> PackedScene {
    PackedScene::new("res://player.tscn", || {
        let config = ReplicationConfig::new().spawn(".:health");
        Instance::new("Player", Player::default())
            .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
    })
}

fn game() -> BranchBuilder {
    Branch::builder("/root").setup(|scene| {
        scene.add("Players", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Players").with_scene(&player()))
    })
}

#[test]
fn state_set_by_ready_is_announced_and_its_calls_follow_the_announcement() {
    let mut lan = Lan::new(game()).unwrap();
    // As a Godot client, it drops calls of nodes that it does not have.
    let quirks = GodotQuirks { absent_nodes: true, ..GodotQuirks::default() };
    let client = lan.join(game().quirks(quirks)).unwrap();
    lan.settle();
    lan.scene(PeerId::SERVER).add_instance("Players", player().instantiate()).unwrap();
    lan.settle();
    let scene = lan.scene(PeerId::SERVER);
    let node = scene.node::<Player>("Players/Player").unwrap();
    assert_eq!(scene.get(node).unwrap().seen, ["ready with 0", "hello"]);
    let scene = lan.scene(client);
    let node = scene.node::<Player>("Players/Player").unwrap();
    assert_eq!(scene.get(node).unwrap().seen, ["ready with 7", "hello"]);
}

#[test]
fn a_spawned_node_is_ready_with_its_announced_state_before_the_signal() {
    let log = Log::default();
    let seen = Rc::clone(&log);
    let mut lan = Lan::new(game()).unwrap();
    let client = lan
        .join(game().on_signal(move |scene, signal| {
            if let Signal::Spawned { node, .. } = signal {
                let player = scene.get(NodeRef::<Player>::new(*node)).unwrap();
                seen.borrow_mut().extend(player.seen.iter().cloned());
            }
        }))
        .unwrap();
    lan.settle();
    lan.scene(PeerId::SERVER).add_instance("Players", player().instantiate()).unwrap();
    lan.settle();
    assert_eq!(taken(&log), "ready with 7");
    let players = lan.scene(PeerId::SERVER).find("Players/Player").unwrap();
    lan.scene(PeerId::SERVER).queue_free(players).unwrap();
    lan.settle();
    assert!(lan.scene(client).find("Players/Player").is_err());
}

/// A synchronizer whose `ready` applies changes while the node itself is checked out.
struct Input {
    sync: MultiplayerSynchronizer,
    aim: i64,
}

impl Node for Input {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("aim", |input: &mut Self| &mut input.aim)
    }

    fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
        Some(&mut self.sync)
    }

    fn ready(&mut self, cx: &mut NodeContext<'_>) {
        cx.flush_changes();
        self.aim += 1;
    }
}

#[test]
fn a_synchronizer_whose_ready_method_flushes_changes_is_replicated() {
    let scene = PackedScene::new("res://input.tscn", || {
        let config = ReplicationConfig::new().spawn("Input:aim");
        let sync = MultiplayerSynchronizer::new(config);
        Instance::new("Unit", Group).child(Instance::new("Input", Input { sync, aim: 0 }))
    });
    let builder = || {
        let scene = scene.clone();
        Branch::builder("/root").setup(move |root| {
            root.add("Units", Group)?;
            root.add("Spawner", MultiplayerSpawner::new("../Units").with_scene(&scene))
        })
    };
    let mut lan = Lan::new(builder()).unwrap();
    let client = lan.join(builder()).unwrap();
    lan.settle();
    lan.scene(PeerId::SERVER).add_instance("Units", scene.instantiate()).unwrap();
    lan.settle();
    let scene = lan.scene(client);
    let input = scene.node::<Input>("Units/Unit/Input").unwrap();
    assert_eq!(scene.get(input).unwrap().aim, 2);
}
