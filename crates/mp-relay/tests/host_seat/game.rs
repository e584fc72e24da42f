//! A small game, in a room whose host is a client.

use std::time::Duration;

use mp_relay::{HostSeat, Migration, SeatStats};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::{SetupError, TreeError};

pub const SERVER: PeerId = PeerId::SERVER;

/// The first client of a [`Lan`].
pub const HOST: PeerId = peer(2);

pub const fn peer(id: i32) -> PeerId {
    PeerId::new(id).expect("a peer id")
}

#[derive(Default)]
pub struct Unit {
    pub hp: i64,
    pub steps: i64,
    /// Senders and numbers of the calls.
    pub calls: Vec<(i32, i64)>,
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        fn record(unit: &mut Unit, cx: &mut RpcContext<'_>, (number,): (i64,)) {
            unit.calls.push((cx.remote_sender().get(), number));
        }
        RpcTable::new().method("ask", RpcConfig::any_peer(), record).method(
            "order",
            RpcConfig::authority(),
            record,
        )
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("hp", |unit: &mut Self| &mut unit.hp)
            .property("steps", |unit: &mut Self| &mut unit.steps)
    }
}

fn synchronizer() -> MultiplayerSynchronizer {
    MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp").always(".:steps"))
}

pub fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        Instance::new("Unit", Unit::default()).child(Instance::new("Sync", synchronizer()))
    })
}

/// Returns the game of a client for which `authority` has authority over the nodes of the server.
/// `Pad3` and `Pad4` are nodes of the peers 3 and 4.
pub fn game(authority: PeerId) -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(move |scene| {
        scene.add("Units", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit()))?;
        scene.add_instance(".", unit().instantiate().named("Flag"))?;
        for path in ["Units", "Spawner", "Flag"] {
            give(scene, path, authority)?;
        }
        for owner in [3, 4] {
            let name = format!("Pad{owner}");
            scene.add_instance(".", unit().instantiate().named(&name))?;
            give(scene, &name, peer(owner))?;
        }
        Ok::<_, SetupError>(())
    })
}

fn give(scene: &mut Scene, path: &str, authority: PeerId) -> Result<(), TreeError> {
    let node = scene.find(path)?;
    scene.tree_mut().set_multiplayer_authority(node, authority, true)
}

pub fn room(seat: HostSeat) -> Lan {
    Lan::new(Branch::builder("/root").relay_policy(seat)).unwrap()
}

/// Returns a room with a host, [`HOST`], and guests. Ids of guests count up from 3.
pub fn hosted_room(guests: usize) -> Lan {
    let mut lan = room(HostSeat::first());
    assert_eq!(lan.join(game(HOST)).unwrap(), HOST);
    lan.settle();
    for _ in 0..guests {
        join(&mut lan);
    }
    lan
}

/// Adds a guest.
pub fn join(lan: &mut Lan) -> PeerId {
    let id = lan.join(game(SERVER)).unwrap();
    lan.settle();
    id
}

/// Closes the transport of a client.
pub fn leave(lan: &mut Lan, id: PeerId) {
    use mp_core::MultiplayerPeer;
    lan.peer(id).close();
    lan.settle();
}

pub fn seat(lan: &mut Lan) -> &HostSeat {
    lan.scene(SERVER).multiplayer().relay_policy().expect("a host seat")
}

pub fn stats(lan: &mut Lan) -> SeatStats {
    seat(lan).stats()
}

/// Adds a unit at the host.
pub fn spawn(lan: &mut Lan, host: PeerId, name: &str, hp: i64) {
    let scene = lan.scene(host);
    let node = scene.add_instance("Units", unit().instantiate().named(name)).unwrap();
    scene.tree_mut().set_multiplayer_authority(node, host, true).unwrap();
    scene.get_mut(NodeRef::<Unit>::new(node)).unwrap().hp = hp;
}

pub fn despawn(lan: &mut Lan, host: PeerId, name: &str) {
    let scene = lan.scene(host);
    let node = scene.find(&format!("Units/{name}")).unwrap();
    scene.remove(node).unwrap();
}

pub fn unit_at<'l>(lan: &'l mut Lan, id: PeerId, path: &str) -> &'l mut Unit {
    let scene = lan.scene(id);
    let node = scene.find(path).unwrap();
    scene.get_mut(NodeRef::new(node)).unwrap()
}

/// Returns the names, `hp` and `steps` of a peer's units.
pub fn units(lan: &mut Lan, id: PeerId) -> Vec<(String, i64, i64)> {
    let scene = lan.scene(id);
    let parent = scene.find("Units").unwrap();
    let nodes: Vec<_> = scene.tree().children(parent).collect();
    let mut units = Vec::new();
    for node in nodes {
        let name = scene.tree().name(node).unwrap().to_owned();
        let unit: &mut Unit = scene.get_mut(NodeRef::new(node)).unwrap();
        units.push((name, unit.hp, unit.steps));
    }
    units.sort();
    units
}

pub fn call(lan: &mut Lan, from: PeerId, target: impl Into<Target>, path: &str, number: i64) {
    let scene = lan.scene(from);
    let node = scene.find(path).unwrap();
    scene.rpc_id(target, node, "ask", (number,)).unwrap();
}

/// Returns the calls that a peer's node has received, and forgets them.
pub fn calls(lan: &mut Lan, id: PeerId, path: &str) -> Vec<(i32, i64)> {
    std::mem::take(&mut unit_at(lan, id, path).calls)
}

/// Returns the signals of a peer since the last call.
pub fn signals(lan: &mut Lan, id: PeerId) -> Vec<Signal> {
    std::iter::from_fn(|| lan.branch(id).next_signal()).collect()
}

/// Returns a room whose next host receives the packet `host` after [`GRACE`].
pub fn lasting_seat() -> HostSeat {
    HostSeat::first().migration(Migration::with_packet(&b"host"[..]).grace(GRACE))
}

pub const GRACE: Duration = Duration::from_millis(200);

/// Returns a room as [`hosted_room`] that outlives its host.
pub fn lasting_room(guests: usize) -> Lan {
    let mut lan = room(lasting_seat());
    assert_eq!(lan.join(game(HOST)).unwrap(), HOST);
    lan.settle();
    for _ in 0..guests {
        join(&mut lan);
    }
    lan
}

/// Waits for a time, and until packets of its end are received.
pub fn wait_for(lan: &mut Lan, time: Duration) {
    for _ in 0..time.as_millis() / Lan::STEP.as_millis() + 4 {
        lan.step();
    }
}

/// Runs the code of a game that has become the host: it takes authority over the nodes of the
/// server, and adds its units again.
pub fn take_over(lan: &mut Lan, id: PeerId) {
    let units = units(lan, id);
    let scene = lan.scene(id);
    for (name, ..) in &units {
        let node = scene.find(&format!("Units/{name}")).unwrap();
        scene.remove(node).unwrap();
    }
    for path in ["Units", "Spawner", "Flag"] {
        give(scene, path, id).unwrap();
    }
    for (name, hp, steps) in units {
        spawn(lan, id, &name, hp);
        unit_at(lan, id, &format!("Units/{name}")).steps = steps;
    }
}

/// Runs [`take_over`] if a peer has received the message for the next host. Returns whether it has.
pub fn take_over_when_asked(lan: &mut Lan, id: PeerId) -> bool {
    let is_message = |signal: &Signal| matches!(signal, Signal::PeerPacket { from: SERVER, data } if data == "host");
    let is_asked = signals(lan, id).iter().any(is_message);
    if is_asked {
        take_over(lan, id);
    }
    is_asked
}

/// Closes the host's transport. The next host takes over, and is returned.
pub fn migrate(lan: &mut Lan, host: PeerId, next: PeerId) {
    leave(lan, host);
    wait_for_host(lan, next);
}

/// Waits until a guest is the host and has taken over.
pub fn wait_for_host(lan: &mut Lan, next: PeerId) {
    for _ in 0..100 {
        lan.step();
        if take_over_when_asked(lan, next) {
            return lan.settle();
        }
    }
    panic!("{next} is not asked to host");
}
