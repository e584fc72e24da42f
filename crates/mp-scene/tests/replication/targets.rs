//! Changes of the nodes and values that property paths name: another node at a path, another value
//! in a field.

use mp_scene::prelude::*;
use mp_scene::testing::Lan;

use crate::game::{SERVER, signals};

#[derive(Default)]
struct Gun {
    ammo: Replicated<i64>,
    shots: i64,
}

impl Node for Gun {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("ammo", |gun: &mut Self| &mut gun.ammo)
            .property("shots", |gun: &mut Self| &mut gun.shots)
    }
}

#[derive(Default)]
struct Player {
    hp: Replicated<i64>,
    armour: Replicated<i64>,
    score: i64,
}

impl Player {
    /// Swaps fields with the other player.
    fn trade(&mut self, cx: &mut RpcContext<'_>, (): ()) {
        let other = NodeRef::<Self>::new(cx.find("Q").unwrap());
        std::mem::swap(&mut self.hp, &mut cx.get_mut(other).unwrap().hp);
    }
}

impl Node for Player {
    fn rpc_table() -> RpcTable<Self> {
        let config = RpcConfig::any_peer().call_local();
        RpcTable::new().method("trade", config, Self::trade)
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("hp", |player: &mut Self| &mut player.hp)
            .property("armour", |player: &mut Self| &mut player.armour)
            .property("score", |player: &mut Self| &mut player.score)
    }
}

fn game(config: fn() -> ReplicationConfig) -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(move |scene| {
        for name in ["P", "Q"] {
            scene.add(name, Player::default())?;
            scene.add(&format!("{name}/Hand"), Group)?;
            scene.add(&format!("{name}/Hand/Gun"), Gun::default())?;
            let sync = MultiplayerSynchronizer::new(config());
            scene.add(&format!("{name}/Sync"), sync)?;
        }
        Ok(())
    })
}

fn lan(config: fn() -> ReplicationConfig) -> (Lan, PeerId) {
    let mut lan = Lan::new(game(config)).unwrap();
    let client = lan.join(game(config)).unwrap();
    lan.settle();
    (lan, client)
}

fn object<'l, N: Node>(lan: &'l mut Lan, peer: PeerId, path: &str) -> &'l mut N {
    let node = lan.scene(peer).node(path).unwrap();
    lan.scene(peer).get_mut(node).unwrap()
}

fn hp(lan: &mut Lan, peer: PeerId, path: &str) -> i64 {
    *object::<Player>(lan, peer, path).hp
}

/// Drops the gun of `P` to the ground on both peers.
fn drop_gun(lan: &mut Lan, client: PeerId) {
    for peer in [SERVER, client] {
        let scene = lan.scene(peer);
        let (gun, ground) = (scene.find("P/Hand/Gun").unwrap(), scene.find(".").unwrap());
        scene.tree_mut().reparent(gun, ground).unwrap();
    }
}

#[test]
fn synchronizer_reads_and_writes_the_new_node_at_its_path() {
    let (mut lan, client) = lan(|| ReplicationConfig::new().always("Hand/Gun:shots"));
    drop_gun(&mut lan, client);
    for peer in [SERVER, client] {
        lan.scene(peer).add("P/Hand/Gun", Gun::default()).unwrap();
    }
    lan.settle();
    object::<Gun>(&mut lan, SERVER, "P/Hand/Gun").shots = 30;
    object::<Gun>(&mut lan, SERVER, "Gun").shots = 7;
    lan.settle();
    assert_eq!(object::<Gun>(&mut lan, client, "P/Hand/Gun").shots, 30);
    assert_eq!(
        object::<Gun>(&mut lan, client, "Gun").shots,
        0,
        "the dropped gun must not be written"
    );
}

#[test]
fn synchronizer_resolves_its_path_again_when_nodes_are_renamed() {
    let (mut lan, client) = lan(|| ReplicationConfig::new().on_change("Hand/Gun:ammo"));
    for peer in [SERVER, client] {
        let scene = lan.scene(peer);
        scene.add("P/Left", Group).unwrap();
        scene.add("P/Left/Gun", Gun::default()).unwrap();
        let (hand, left) = (scene.find("P/Hand").unwrap(), scene.find("P/Left").unwrap());
        scene.tree_mut().rename(hand, "Right").unwrap();
        scene.tree_mut().rename(left, "Hand").unwrap();
    }
    *object::<Gun>(&mut lan, SERVER, "P/Hand/Gun").ammo = 5;
    *object::<Gun>(&mut lan, SERVER, "P/Right/Gun").ammo = 6;
    lan.settle();
    assert_eq!(*object::<Gun>(&mut lan, client, "P/Hand/Gun").ammo, 5);
    assert_eq!(
        *object::<Gun>(&mut lan, client, "P/Right/Gun").ammo,
        0,
        "the gun is not on the path"
    );
}

#[test]
fn replacement_node_is_sent_even_with_the_same_values() {
    let (mut lan, client) = lan(|| ReplicationConfig::new().on_change("Hand/Gun:ammo"));
    *object::<Gun>(&mut lan, SERVER, "P/Hand/Gun").ammo = 9;
    lan.settle();
    drop_gun(&mut lan, client);
    lan.settle();
    lan.scene(client).add("P/Hand/Gun", Gun::default()).unwrap();
    let same = Gun { ammo: 9.into(), shots: 0 };
    lan.scene(SERVER).add("P/Hand/Gun", same).unwrap();
    lan.settle();
    assert_eq!(*object::<Gun>(&mut lan, client, "P/Hand/Gun").ammo, 9);
}

#[test]
fn other_properties_are_sent_while_the_node_of_one_is_absent() {
    let config = || {
        let config = ReplicationConfig::new().on_change("Hand/Gun:ammo");
        config.on_change(".:hp").on_change(".:score")
    };
    let (mut lan, client) = lan(config);
    drop_gun(&mut lan, client);
    lan.settle();
    let player = object::<Player>(&mut lan, SERVER, "P");
    (*player.hp, player.score) = (9, 8);
    lan.settle();
    let late = lan.join(game(config)).unwrap();
    lan.settle();
    for peer in [client, late] {
        let player = object::<Player>(&mut lan, peer, "P");
        assert_eq!((*player.hp, player.score), (9, 8), "{peer}");
    }
    let failures = signals(&mut lan, SERVER);
    let failures = failures.iter().filter(|s| matches!(s, Signal::ReplicationFailed(_)));
    assert_eq!(failures.count(), 1, "the absent property is reported once");

    for peer in [SERVER, client] {
        lan.scene(peer).add("P/Hand/Gun", Gun::default()).unwrap();
    }
    *object::<Gun>(&mut lan, SERVER, "P/Hand/Gun").ammo = 3;
    lan.settle();
    assert_eq!(*object::<Gun>(&mut lan, client, "P/Hand/Gun").ammo, 3);
}

/// Changes the hit points of `P` with `replace` and then as usual; the client must receive both.
fn replaced(replace: fn(&mut Player), expected: i64) {
    let (mut lan, client) = lan(|| ReplicationConfig::new().on_change(".:hp"));
    *object::<Player>(&mut lan, SERVER, "P").hp = 50;
    lan.settle();
    replace(object(&mut lan, SERVER, "P"));
    lan.settle();
    assert_eq!(hp(&mut lan, client, "P"), expected, "replaced");
    *object::<Player>(&mut lan, SERVER, "P").hp = 70;
    lan.settle();
    assert_eq!(hp(&mut lan, client, "P"), 70, "the second change must be sent");
}

#[test]
fn replaced_player_is_sent() {
    replaced(|player| *player = Player { hp: 100.into(), ..Player::default() }, 100);
}

#[test]
fn replaced_field_is_sent() {
    replaced(|player| player.hp = Replicated::new(100), 100);
}

#[test]
fn copied_field_is_sent() {
    replaced(|player| player.hp = Player { hp: 100.into(), ..Player::default() }.hp.clone(), 100);
}

#[test]
fn field_moved_elsewhere_is_sent() {
    thread_local!(static KEPT: std::cell::RefCell<Replicated<i64>> = std::cell::RefCell::default());
    replaced(|player| KEPT.set(std::mem::take(&mut player.hp)), 0);
    assert_eq!(*KEPT.take(), 50);
}

#[test]
fn swapped_fields_of_one_player_are_sent() {
    let (mut lan, client) =
        lan(|| ReplicationConfig::new().on_change(".:hp").on_change(".:armour"));
    let player = object::<Player>(&mut lan, SERVER, "P");
    (*player.hp, *player.armour) = (1, 2);
    lan.settle();
    let player = object::<Player>(&mut lan, SERVER, "P");
    std::mem::swap(&mut player.hp, &mut player.armour);
    lan.settle();
    let player = object::<Player>(&mut lan, client, "P");
    assert_eq!((*player.hp, *player.armour), (2, 1));
}

#[test]
fn swapped_fields_of_two_players_are_sent() {
    let config = || ReplicationConfig::new().on_change(".:hp");
    let (mut lan, client) = lan(config);
    *object::<Player>(&mut lan, SERVER, "P").hp = 1;
    *object::<Player>(&mut lan, SERVER, "Q").hp = 2;
    lan.settle();
    lan.scene(SERVER).multiplayer_mut().pause_peer(client);
    let player = lan.scene(SERVER).find("P").unwrap();
    lan.scene(SERVER).rpc_id(SERVER, player, "trade", ()).unwrap();
    let late = lan.join(game(config)).unwrap();
    lan.settle();
    lan.scene(SERVER).multiplayer_mut().resume_peer(client);
    lan.settle();
    for peer in [client, late] {
        assert_eq!((hp(&mut lan, peer, "P"), hp(&mut lan, peer, "Q")), (2, 1), "{peer}");
    }
    *object::<Player>(&mut lan, SERVER, "P").hp = 3;
    *object::<Player>(&mut lan, SERVER, "Q").hp = 4;
    lan.settle();
    assert_eq!((hp(&mut lan, client, "P"), hp(&mut lan, client, "Q")), (3, 4));
}
