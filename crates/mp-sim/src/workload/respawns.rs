//! A node that the server repeatedly spawns and removes under the same name while peers call it.
//! Each call contains the incarnation of the node that it is for.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::{Channel, PeerId, Rng, Target, TransferMode};
use mp_scene::prelude::*;
use mp_scene::{Branch, BranchBuilder, Scene};

use super::{Act, Workload};
use crate::journal::{FactKind, Recorder};
use crate::rng_ext::RngExt;

/// Workload with a respawned node.
#[derive(Debug, Default)]
pub struct Respawns {
    /// Newest incarnation of all servers.
    last: Rc<Cell<i64>>,
    /// True when the node is no longer respawned.
    is_stopped: Rc<Cell<bool>>,
}

/// Node that is repeatedly respawned.
struct Avatar {
    recorder: Recorder,
    /// Incarnation, counted from 1.
    life: i64,
    /// Last counted call of each peer that was received before this incarnation was spawned.
    arrived_before: BTreeMap<PeerId, i64>,
}

/// Parent of the avatar, which all peers always have.
#[derive(Default)]
struct Arena {
    /// Peers that have answered a call for an incarnation: calls to them use path ids from then on.
    known: BTreeSet<(PeerId, i64)>,
    /// Number of reliable calls sent to the server.
    sent: i64,
    /// Last counted call received from each peer, executed or not.
    arrived: BTreeMap<PeerId, i64>,
}

/// Arguments of a call of the avatar.
type Hit = (
    // Incarnation that the call is for.
    i64,
    // Count of reliable calls to the server; else 0.
    i64,
    // True if the call uses a path id instead of the path.
    bool,
    // True to request an answer.
    bool,
);

impl Avatar {
    fn on_hit(&mut self, cx: &mut RpcContext<'_>, (life, count, by_number, answers): Hit) {
        let by = cx.remote_sender();
        let last = self.arrived_before.get(&by).copied().unwrap_or_default();
        let came_before = count > 0 && count <= last;
        // By path, a late call reaches the next incarnation.
        let may_differ = !by_number && !came_before;
        self.recorder.record(FactKind::AvatarCalled {
            by,
            expected: life,
            actual: self.life,
            may_differ,
        });
        if answers
            && life == self.life
            && let Ok(arena) = cx.find(ARENA)
        {
            let _ = cx.rpc_id(Target::Peer(by), arena, ANSWER, (life,));
        }
    }
}

impl Arena {
    fn on_answer(&mut self, cx: &mut RpcContext<'_>, (life,): (i64,)) {
        self.known.insert((cx.remote_sender(), life));
    }

    fn on_mark(&mut self, cx: &mut RpcContext<'_>, (count,): (i64,)) {
        self.arrived.insert(cx.remote_sender(), count);
    }
}

impl Respawns {
    /// Removes the server's avatar, or spawns it again.
    fn step(scene: &mut Scene, rng: &mut Rng, last: &Cell<i64>, recorder: &Recorder) {
        if let Ok(node) = scene.find(AVATAR) {
            if !rng.chance(GOES_PERMILLE) || scene.remove(node).is_err() || rng.chance(700) {
                return;
            }
        } else if !rng.chance(COMES_PERMILLE) {
            return;
        }
        let arrived = arena(scene).map(|arena| arena.arrived.clone()).unwrap_or_default();
        if scene.add_instance(ARENA, scene_of(recorder).instantiate()).is_ok()
            && let Some(avatar) = avatar(scene)
        {
            last.set(last.get() + 1);
            (avatar.life, avatar.arrived_before) = (last.get(), arrived);
        }
    }

    /// Calls the avatar of a random peer.
    fn hit(scene: &mut Scene, rng: &mut Rng) {
        let Some(life) = avatar(scene).map(|avatar| avatar.life) else { return };
        let peers = scene.peers();
        let Some(&peer) = rng.pick(&peers) else { return };
        let (Ok(node), Some(arena)) = (scene.find(AVATAR), arena(scene)) else { return };
        let by_number = arena.known.contains(&(peer, life));
        let mode = rng.pick(&TransferMode::ALL).copied().unwrap_or_default();
        let is_counted = mode == TransferMode::Reliable && peer.is_server();
        arena.sent += i64::from(is_counted);
        let count = if is_counted { arena.sent } else { 0 };
        // Unreliable calls may be answered before the path is confirmed: they can be received
        // before its announcement.
        let answers = mode == TransferMode::Reliable;
        let to = Target::Peer(peer);
        let _ = scene.rpc_id(to, node, &method(mode), (life, count, by_number, answers));
        if is_counted && let Ok(arena) = scene.find(ARENA) {
            let _ = scene.rpc_id(to, arena, MARK, (count,));
        }
    }
}

impl Workload for Respawns {
    fn configure(&mut self, builder: BranchBuilder, recorder: &Recorder) -> BranchBuilder {
        let scene_of = scene_of(recorder);
        let builder = builder.tick_rate(TICKS_PER_SECOND).setup(move |scene| {
            scene.add(ARENA, Arena::default())?;
            let spawner = MultiplayerSpawner::new("../Arena").with_scene(&scene_of);
            scene.add("AvatarSpawner", spawner)
        });
        let (is_server, recorder) = (recorder.is_server(), recorder.clone());
        let (last, is_stopped) = (self.last.clone(), self.is_stopped.clone());
        let mut rng = Rng::seed_from_u64(u64::from(recorder.run.0));
        builder.on_process(move |scene, _| {
            if is_stopped.get() {
                return;
            }
            if is_server {
                Self::step(scene, &mut rng, &last, &recorder);
            }
            if rng.chance(HITS_PERMILLE) {
                Self::hit(scene, &mut rng);
            }
        })
    }

    fn act(&mut self, _act: &mut Act<'_>) {}

    fn stop(&mut self, _server: Option<&mut Branch>) {
        self.is_stopped.set(true);
    }
}

impl Node for Avatar {
    fn rpc_table() -> RpcTable<Self> {
        TransferMode::ALL.into_iter().fold(RpcTable::new(), |table, mode| {
            let config =
                RpcConfig { transfer_mode: mode, channel: Channel(0), ..RpcConfig::any_peer() };
            table.method(&method(mode), config, Self::on_hit)
        })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("life", |avatar: &mut Self| &mut avatar.life)
    }
}

impl Node for Arena {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(ANSWER, RpcConfig::any_peer(), Self::on_answer).method(
            MARK,
            RpcConfig::any_peer(),
            Self::on_mark,
        )
    }
}

fn scene_of(recorder: &Recorder) -> PackedScene {
    let recorder = recorder.clone();
    PackedScene::new("res://avatar.tscn", move || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().spawn(".:life"));
        let avatar =
            Avatar { recorder: recorder.clone(), life: 0, arrived_before: BTreeMap::new() };
        Instance::new("Avatar", avatar).child(Instance::new("Sync", sync))
    })
}

fn avatar(scene: &mut Scene) -> Option<&mut Avatar> {
    let node = scene.node(AVATAR).ok()?;
    scene.get_mut(node).ok()
}

fn arena(scene: &mut Scene) -> Option<&mut Arena> {
    let node = scene.node(ARENA).ok()?;
    scene.get_mut(node).ok()
}

fn method(mode: TransferMode) -> String {
    format!("hit_{}", mode.to_raw())
}

const ARENA: &str = "Arena";
const AVATAR: &str = "Arena/Avatar";
const ANSWER: &str = "answer";
const MARK: &str = "mark";
const TICKS_PER_SECOND: u32 = 10;
/// Share of ticks that remove the avatar, in thousandths.
const GOES_PERMILLE: u32 = 70;
/// Share of ticks that respawn a removed avatar, in thousandths.
const COMES_PERMILLE: u32 = 150;
/// Share of ticks in which a program calls an avatar, in thousandths.
const HITS_PERMILLE: u32 = 200;
