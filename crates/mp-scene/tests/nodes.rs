//! A node's own methods with the scene, and nodes found and prepared without formatted paths.

use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::{RpcError, TreeError};

/// A game whose methods need both itself and its scene.
#[derive(Default)]
struct Game {
    round: i64,
    asked_by: Option<PeerId>,
    answers: Vec<i64>,
}

impl Node for Game {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("ask", RpcConfig::any_peer(), |game: &mut Self, cx, (): ()| {
                game.asked_by = Some(cx.remote_sender());
                cx.reply("answer", (game.round,)).unwrap();
            })
            .method("answer", RpcConfig::authority(), |game: &mut Self, _, (round,): (i64,)| {
                game.answers.push(round);
            })
            .method(
                "advance",
                RpcConfig::authority().call_local(),
                |game: &mut Self, cx, (by,): (i64,)| {
                    game.round += by;
                    // `node` of the scene can be used in a method.
                    let team = cx.node::<Team>("Game/Team").unwrap();
                    cx.get_mut(team).unwrap().points += by;
                    let this = cx.this::<Self>();
                    assert_eq!(cx.get(this).map(drop), Err(TreeError::Busy));
                },
            )
    }
}

impl Game {
    fn start_round(&mut self, cx: &mut NodeContext<'_>) -> Result<i64, RpcError> {
        let before = self.round;
        cx.rpc_self("advance", (1,))?;
        // The local call runs when this method returns.
        assert_eq!(self.round, before);
        Ok(before)
    }
}

#[derive(Default)]
struct Team {
    points: i64,
}

impl Node for Team {}

fn game() -> BranchBuilder {
    Branch::builder("/root").setup(|scene| {
        let game = scene.add("Game", Game::default())?;
        scene.add_child(game, "Team", Team::default())
    })
}

#[test]
fn a_method_of_a_node_has_the_scene_and_its_local_calls_follow_it() {
    let mut lan = Lan::new(game()).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    let scene = lan.scene(PeerId::SERVER);
    let node = scene.node::<Game>("Game").unwrap();
    assert_eq!(scene.with(node, Game::start_round).unwrap().unwrap(), 0);
    assert_eq!(scene.get(node).unwrap().round, 1);
    lan.settle();
    for peer in [PeerId::SERVER, client] {
        let scene = lan.scene(peer);
        let node = scene.node::<Game>("Game").unwrap();
        let team = scene.child::<Team>(node, "Team").unwrap();
        assert_eq!((scene.get(node).unwrap().round, scene.get(team).unwrap().points), (1, 1));
    }
}

#[test]
fn a_reply_reaches_only_the_caller() {
    let mut lan = Lan::new(game()).unwrap();
    let clients = [lan.join(game()).unwrap(), lan.join(game()).unwrap()];
    lan.settle();
    let scene = lan.scene(clients[1]);
    let node = scene.find("Game").unwrap();
    scene.rpc_id(PeerId::SERVER, node, "ask", ()).unwrap();
    lan.settle();
    let answers = clients.map(|client| {
        let scene = lan.scene(client);
        let node = scene.node::<Game>("Game").unwrap();
        scene.get(node).unwrap().answers.len()
    });
    assert_eq!(answers, [0, 1]);
}

#[test]
fn with_refuses_a_node_of_another_type_a_running_one_and_one_that_was_removed() {
    let mut branch = game().build().unwrap();
    let scene = branch.scene();
    let node = scene.node::<Game>("Game").unwrap();
    let team: NodeRef<Team> = NodeRef::new(node.id());
    assert!(matches!(scene.with(team, |_, _| ()), Err(TreeError::WrongType { .. })));
    let nested = scene.with(node, |_, cx| cx.with(node, |_, _| ())).unwrap();
    assert_eq!(nested, Err(TreeError::Busy));
    scene.with(node, |_, cx| cx.remove(node).map(drop)).unwrap().unwrap();
    assert_eq!(scene.with(node, |_, _| ()), Err(TreeError::NotInTree));
}

#[test]
fn nodes_have_paths_and_are_found_from_other_nodes() {
    let mut branch = game().build().unwrap();
    let scene = branch.scene();
    let game = scene.find("Game").unwrap();
    let team = scene.find_from(game, "Team").unwrap();
    assert_eq!(scene.path(team).as_deref(), Some("Game/Team"));
    assert_eq!(scene.find_from(team, ".."), Ok(game));
    assert_eq!(scene.find_from(team, "/root/Game"), Ok(game));
    assert_eq!(scene.child::<Team>(game, "Team").map(NodeRef::id), Ok(team));
    assert!(matches!(scene.child::<Game>(game, "Team"), Err(TreeError::WrongType { .. })));
    assert!(matches!(scene.child::<Team>(game, "Goal"), Err(TreeError::NotFound(_))));
    scene.remove(team).unwrap();
    assert_eq!(scene.path(team), None);
}

#[test]
fn an_instance_is_set_up_before_it_is_added() {
    let made = PackedScene::new("res://game.tscn", || {
        Instance::new("Game", Game::default()).child(Instance::new("Team", Team::default()))
    });
    let mut branch =
        Branch::builder("/root").setup(|scene| scene.add("Main", Group)).build().unwrap();
    let scene = branch.scene();
    let mut instance = made.instantiate_with(|game: &mut Game| game.round = 3);
    instance.get_mut::<Team>("Team").unwrap().points = 7;
    assert!(matches!(instance.get_mut::<Game>("Team"), Err(TreeError::WrongType { .. })));
    assert!(matches!(instance.get_mut::<Game>("Goal"), Err(TreeError::NotFound(_))));
    let main = scene.find("Main").unwrap();
    let game = NodeRef::new(scene.add_instance(main, instance).unwrap());
    let team = scene.child::<Team>(game, "Team").unwrap();
    assert_eq!(scene.get::<Game>(game).unwrap().round, 3);
    assert_eq!(scene.get(team).unwrap().points, 7);
    let second = scene.add_readable("Main", made.instantiate()).unwrap();
    assert_eq!(scene.path(second).as_deref(), Some("Main/Game2"));
}

/// A node with a method that takes a peer and an `Array[int]`.
#[derive(Default)]
struct Prizes {
    given: Vec<(PeerId, Vec<i64>)>,
}

impl Node for Prizes {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("give", RpcConfig::any_peer(), Self::give)
    }
}

impl Prizes {
    fn give(&mut self, _: &mut RpcContext<'_>, (to, points): (PeerId, TypedArray<i64>)) {
        self.given.push((to, points.to_vec()));
    }
}

#[test]
fn a_method_takes_a_peer_id_and_a_typed_array_and_refuses_other_elements() {
    let game = || Branch::builder("/root").setup(|scene| scene.add("Prizes", Prizes::default()));
    let mut lan = Lan::new(game()).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    let scene = lan.scene(client);
    let node = scene.find("Prizes").unwrap();
    let server = PeerId::SERVER;
    scene.rpc_id(server, node, "give", (client, TypedArray::from([3_i64, 5]))).unwrap();
    scene.rpc_id(server, node, "give", (client, TypedArray::from([1.5_f64]))).unwrap();
    scene.rpc_id(server, node, "give", (-2, TypedArray::from([7_i64]))).unwrap();
    lan.settle();
    let scene = lan.scene(server);
    let prizes = scene.node::<Prizes>("Prizes").unwrap();
    assert_eq!(scene.get(prizes).unwrap().given, [(client, vec![3, 5])]);
}
