//! Nodes whose tables the macros write.
#![cfg(feature = "macros")]
#![allow(missing_docs, reason = "a test")]

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use mp::prelude::*;
use mp::scene::rpc::RateLimit;
use mp::scene::testing::Lan;
use mp::scene::tree::NodeTree;

#[derive(Default, Node)]
struct Score {
    points: i64,
    callers: Vec<PeerId>,
}

#[rpc_methods]
impl Score {
    /// Adds points of the caller.
    #[rpc(any_peer, rate = "30/min", max_bytes = 64)]
    fn add(&mut self, cx: &mut RpcContext<'_>, points: i64, _reason: Option<String>) {
        self.points += points;
        self.callers.push(cx.remote_sender());
        self.announce(cx);
    }

    #[rpc(any_peer, call_local)]
    fn reset(&mut self) {
        self.points = 0;
    }

    #[rpc(unreliable_ordered, channel = 2)]
    fn shown(total: i64);

    #[rpc(stub)]
    fn blinked();

    fn announce(&self, cx: &mut RpcContext<'_>) {
        cx.this::<Self>().rpcs().shown(self.points).call(cx).unwrap();
    }
}

#[derive(Default, Node)]
struct ScoreView {
    total: i64,
}

#[rpc_methods]
impl ScoreView {
    #[rpc(any_peer)]
    fn add(points: i64, reason: Option<String>);

    #[rpc(any_peer)]
    fn reset();

    #[rpc(unreliable_ordered, channel = 2, rename = "shown")]
    fn show(&mut self, total: i64) {
        self.total = total;
    }

    #[rpc]
    fn blinked(&mut self) {}
}

mp::same_rpcs!(Score, ScoreView);

#[test]
fn typed_calls_reach_the_methods_of_the_remote_peer() {
    let builder = || Branch::builder("/root/Game");
    let server = builder().setup(|scene| scene.add("Score", Score::default()));
    let client = builder().setup(|scene| scene.add("Score", ScoreView::default()));
    let mut lan = Lan::new(server).unwrap();
    let alice = lan.join(client).unwrap();
    lan.settle();

    let scene = lan.scene(alice);
    let view = scene.node::<ScoreView>("Score").unwrap();
    view.rpcs().add(3, None).call_id(scene, PeerId::SERVER).unwrap();
    view.rpcs().add(4, Some("luck".into())).call(scene).unwrap();
    lan.settle();
    let score = lan.scene(PeerId::SERVER).node::<Score>("Score").unwrap();
    let object = lan.scene(PeerId::SERVER).get(score).unwrap();
    assert_eq!((object.points, &*object.callers), (7, &[alice, alice][..]));
    assert_eq!(lan.scene(alice).get(view).unwrap().total, 7);

    // A call_local method runs here, too.
    score.rpcs().reset().call(lan.scene(PeerId::SERVER)).unwrap();
    assert_eq!(lan.scene(PeerId::SERVER).get(score).unwrap().points, 0);
}

/// The table that [`Score`] has, written by hand.
struct ByHand;

impl Node for ByHand {
    fn rpc_table() -> RpcTable<Self> {
        let rate = RateLimit::new(30, Duration::from_secs(60));
        let add = RpcConfig::any_peer().rate(rate).max_bytes(64);
        RpcTable::new()
            .method("add", add, |_: &mut Self, _, _: (i64, Option<String>)| ())
            .method("reset", RpcConfig::any_peer().call_local(), |_: &mut Self, _, ()| ())
            .remote("shown", RpcConfig::authority().unreliable_ordered().channel(2))
            .stub("blinked")
    }
}

#[test]
fn generated_table_equals_the_one_written_by_hand() {
    let branch = Branch::builder("/root").setup(|scene| {
        let (ours, by_hand) = (scene.add("A", Score::default())?, scene.add("B", ByHand)?);
        let ids = |node| scene.tree().rpc_ids(node).unwrap().script().to_vec();
        assert_eq!(ids(ours.id()), ids(by_hand.id()));
        Ok(())
    });
    branch.build().unwrap();
}

#[test]
fn call_with_wrong_arguments_is_dropped_and_counted() {
    let server = Branch::builder("/root").setup(|scene| scene.add("Score", Score::default()));
    let client = Branch::builder("/root").setup(|scene| scene.add("Score", ScoreView::default()));
    let mut lan = Lan::new(server).unwrap();
    let alice = lan.join(client).unwrap();
    lan.settle();
    let scene = lan.scene(alice);
    let view = scene.find("Score").unwrap();
    scene.rpc(view, "add", ()).unwrap();
    scene.rpc(view, "add", ("three",)).unwrap();
    scene.rpc(view, "add", (3, "luck", true)).unwrap();
    lan.settle();
    let scene = lan.scene(PeerId::SERVER);
    assert_eq!(scene.stats().refused_calls, 3);
    assert_eq!(scene.node::<Score>("Score").map(|score| scene.get(score).unwrap().points), Ok(0));
}

#[derive(Default, Node)]
struct Player {
    #[replicate(spawn, rename = "name_tag")]
    name: String,
    #[replicate(spawn, on_change)]
    health: Replicated<i64>,
    #[replicate(always)]
    position: Vector2,
    cooldown: f32,
}

fn player() -> PackedScene {
    PackedScene::new("res://player.tscn", || {
        let sync = MultiplayerSynchronizer::new(Player::replication_config());
        Instance::new("Player", Player { cooldown: 1.0, ..Player::default() })
            .child(Instance::new("Sync", sync))
    })
}

#[test]
fn replicated_fields_are_announced_and_sent() {
    let expected =
        ReplicationConfig::new().spawn(".:name_tag").on_change(".:health").always(".:position");
    assert_eq!(Player::replication_config(), expected);

    let game = || {
        Branch::builder("/root").setup(|scene| {
            scene.add("Players", Group)?;
            scene.add("Spawner", MultiplayerSpawner::new("../Players").with_scene(&player()))
        })
    };
    let mut lan = Lan::new(game()).unwrap();
    let alice = lan.join(game()).unwrap();
    lan.settle();
    let scene = lan.scene(PeerId::SERVER);
    scene.add_instance("Players", player().instantiate().named("2")).unwrap();
    let ours = scene.node::<Player>("Players/2").unwrap();
    scene.get_mut(ours).unwrap().name = "Alice".into();
    lan.settle();
    *lan.scene(PeerId::SERVER).get_mut(ours).unwrap().health = 9;
    lan.settle();
    let scene = lan.scene(alice);
    let theirs = scene.get(scene.node::<Player>("Players/2").unwrap()).unwrap();
    assert_eq!((&*theirs.name, *theirs.health, theirs.cooldown), ("Alice", 9, 1.0));
}

#[derive(Node)]
#[node(enter_tree = Input::entered, ready = Input::ready)]
#[node(process = Input::process, exit_tree = Input::exited)]
struct Input {
    #[node(synchronizer)]
    sync: MultiplayerSynchronizer,
    #[replicate(always)]
    direction: f64,
    hooks: Rc<RefCell<Vec<&'static str>>>,
}

impl Input {
    fn entered(&mut self, tree: &mut Tree, node: NodeId) {
        assert_eq!(tree.name_of(node), Some("Input"));
        self.hooks.borrow_mut().push("enter_tree");
    }

    fn ready(&mut self, _cx: &mut NodeContext<'_>) {
        self.hooks.borrow_mut().push("ready");
    }

    fn process(&mut self, _cx: &mut NodeContext<'_>, _delta: Duration) {
        self.hooks.borrow_mut().push("process");
    }

    fn exited(&mut self, _tree: &mut Tree, _node: NodeId) {
        self.hooks.borrow_mut().push("exit_tree");
    }
}

#[derive(Node)]
struct Players {
    #[node(spawner)]
    spawner: MultiplayerSpawner,
}

#[test]
fn attributes_of_a_node_are_its_hooks() {
    let sync = MultiplayerSynchronizer::new(Input::replication_config()).with_root_path(".");
    let hooks = Rc::default();
    let mut input = Input { sync, direction: 0.5, hooks: Rc::clone(&hooks) };
    assert!(input.as_synchronizer().is_some() && input.as_spawner().is_none());
    assert_eq!(input.direction, 0.5);
    let mut players = Players { spawner: MultiplayerSpawner::new(".") };
    assert!(players.as_synchronizer().is_none() && players.as_spawner().is_some());

    let server = Branch::builder("/root").setup(|scene| scene.add("Input", input));
    let mut lan = Lan::new(server).unwrap();
    (0..20).for_each(|_| lan.step());
    let scene = lan.scene(PeerId::SERVER);
    let input = scene.find("Input").unwrap();
    scene.remove(input).unwrap();
    let mut hooks = hooks.take();
    hooks.dedup();
    assert_eq!(hooks, ["enter_tree", "ready", "process", "exit_tree"]);
}

/// A node of any type of values.
#[derive(Node)]
struct Slot<T: FromVariant + Into<Variant> + 'static> {
    content: PhantomData<T>,
    changes: usize,
}

#[rpc_methods]
impl<T: FromVariant + Into<Variant> + 'static> Slot<T> {
    #[rpc(call_local)]
    fn set(&mut self, _content: T, r#type: String) {
        let _ = (r#type, &self.content);
        self.changes += 1;
    }
}

#[test]
fn generic_node_has_typed_calls() {
    let branch = Branch::builder("/root").setup(|scene| {
        let slot = scene.add("Slot", Slot::<i64> { content: PhantomData, changes: 0 })?;
        slot.rpcs().set(7, "int".into()).call(scene)?;
        assert_eq!(scene.get(slot)?.changes, 1);
        Ok(())
    });
    branch.build().unwrap();
}

#[test]
fn node_without_rpcs_has_an_empty_table() {
    assert_eq!(format!("{:?}", <Players as Node>::rpc_table()), "{}");
}

#[derive(Node)]
struct FromScript;

#[rpc_methods(gd = "tests/ui/godot/score.gd")]
impl FromScript {
    #[rpc(any_peer)]
    fn add(points: i64, reason: String);

    #[rpc(stub)]
    fn reset();

    #[rpc(stub)]
    fn shown();
}

#[test]
fn files_of_the_game_are_dependencies_of_the_crate() {
    let table = format!("{:?}", <FromScript as Node>::rpc_table());
    assert_eq!(table, "{\"add\", \"reset\", \"shown\"}");
    // The compiler lists the files beside the program.
    let files = std::env::current_exe().unwrap().with_extension("d");
    let files = std::fs::read_to_string(files).unwrap();
    assert!(files.contains("score.gd") && files.contains("counter.gd"), "{files}");
}

#[derive(Default, Node)]
struct Shop;

#[rpc_methods]
impl Shop {
    #[request(any_peer)]
    fn price(&mut self, cx: &mut RpcContext<'_>, item: String) -> i64 {
        item.len() as i64 * i64::from(cx.remote_sender().get())
    }

    #[rpc]
    fn closed();
}

#[derive(Default, Node)]
struct ShopView;

#[rpc_methods]
impl ShopView {
    #[request(any_peer)]
    fn price(item: String) -> i64;

    #[rpc]
    fn closed(&mut self) {}
}

mp::same_rpcs!(Shop, ShopView);

#[test]
fn request_returns_the_value_of_the_remote_method() {
    let server = Branch::builder("/root").setup(|scene| scene.add("Shop", Shop));
    let client = Branch::builder("/root").setup(|scene| scene.add("Shop", ShopView));
    let mut lan = Lan::new(server).unwrap();
    let alice = lan.join(client).unwrap();
    lan.settle();
    let scene = lan.scene(alice);
    let shop = scene.node::<ShopView>("Shop").unwrap();
    let price = shop.rpcs().price("sword".into()).ask(scene, PeerId::SERVER).unwrap();
    lan.settle();
    assert_eq!(price.take(), Some(Ok(10)));
}
