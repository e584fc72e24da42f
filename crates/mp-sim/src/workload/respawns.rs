//! A node that the server announces, removes and announces anew under the same name, while peers
//! call it. Each call says for which incarnation of the node it is.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::{Channel, PeerId, Rng, Target, TransferMode};
use mp_scene::prelude::*;
use mp_scene::{Branch, BranchBuilder, Scene};

use super::{Act, Workload};
use crate::dice::Dice;
use crate::journal::{Ear, What};

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Respawns {
    /// The newest incarnation of all servers.
    last: Rc<Cell<i64>>,
    /// True when the node stays as it is.
    is_settled: Rc<Cell<bool>>,
}

/// The node that is announced anew again and again.
struct Avatar {
    ear: Ear,
    /// Counts the incarnations from 1.
    life: i64,
    /// The last counted call of each peer that had arrived when this incarnation began.
    arrived_before: BTreeMap<PeerId, i64>,
}

/// The parent of the avatar, which everybody has for good.
#[derive(Default)]
struct Arena {
    /// Peers that have answered a call of an incarnation, which this program calls by number since.
    known: BTreeSet<(PeerId, i64)>,
    /// Counts the reliable calls that this program has sent to the server.
    sent: i64,
    /// The last counted call of each peer that has arrived, whether or not it was made.
    arrived: BTreeMap<PeerId, i64>,
}

/// Contents of a call of the avatar.
type Hit = (
    // The incarnation that it is for.
    i64,
    // Its count, when it is reliable and for the server; else 0.
    i64,
    // Whether it went by number and not by path.
    bool,
    // Whether it is to be answered.
    bool,
);

impl Avatar {
    fn hear_hit(&mut self, cx: &mut RpcContext<'_>, (life, count, by_number, answers): Hit) {
        let by = cx.remote_sender();
        let last = self.arrived_before.get(&by).copied().unwrap_or_default();
        let came_before = count > 0 && count <= last;
        // The path of a late call is that of the next incarnation, too.
        let may_differ = !by_number && !came_before;
        self.ear.note(What::IsHit { by, meant: life, is: self.life, may_differ });
        if answers
            && life == self.life
            && let Ok(arena) = cx.find(ARENA)
        {
            let _ = cx.rpc_id(Target::Peer(by), arena, ANSWER, (life,));
        }
    }
}

impl Arena {
    fn hear_answer(&mut self, cx: &mut RpcContext<'_>, (life,): (i64,)) {
        self.known.insert((cx.remote_sender(), life));
    }

    fn hear_mark(&mut self, cx: &mut RpcContext<'_>, (count,): (i64,)) {
        self.arrived.insert(cx.remote_sender(), count);
    }
}

impl Respawns {
    /// Lets the server's avatar go, or come back as another one.
    fn step(scene: &mut Scene, rng: &mut Rng, last: &Cell<i64>, ear: &Ear) {
        if let Ok(node) = scene.find(AVATAR) {
            if !rng.chance(GOES_PERMILLE) || scene.remove(node).is_err() || rng.chance(700) {
                return;
            }
        } else if !rng.chance(COMES_PERMILLE) {
            return;
        }
        let arrived = arena(scene).map(|arena| arena.arrived.clone()).unwrap_or_default();
        if scene.add_instance(ARENA, scene_of(ear).instantiate()).is_ok()
            && let Some(avatar) = avatar(scene)
        {
            last.set(last.get() + 1);
            (avatar.life, avatar.arrived_before) = (last.get(), arrived);
        }
    }

    /// Calls the avatar of one peer.
    fn hit(scene: &mut Scene, rng: &mut Rng) {
        let Some(life) = avatar(scene).map(|avatar| avatar.life) else { return };
        let peers = scene.peers();
        let Some(&peer) = rng.pick(&peers) else { return };
        let (Ok(node), Some(arena)) = (scene.find(AVATAR), arena(scene)) else { return };
        let by_number = arena.known.contains(&(peer, life));
        let mode = rng.pick(&TransferMode::EVERY).copied().unwrap_or_default();
        let is_counted = mode == TransferMode::Reliable && peer.is_server();
        arena.sent += i64::from(is_counted);
        let count = if is_counted { arena.sent } else { 0 };
        // Others may be answered before the path is confirmed: they can overtake its announcement.
        let answers = mode == TransferMode::Reliable;
        let to = Target::Peer(peer);
        let _ = scene.rpc_id(to, node, &method(mode), (life, count, by_number, answers));
        if is_counted && let Ok(arena) = scene.find(ARENA) {
            let _ = scene.rpc_id(to, arena, MARK, (count,));
        }
    }
}

impl Workload for Respawns {
    fn equip(&mut self, builder: BranchBuilder, ear: &Ear) -> BranchBuilder {
        let scene_of = scene_of(ear);
        let builder = builder.tick_rate(TICKS_PER_SECOND).setup(move |scene| {
            scene.add(ARENA, Arena::default())?;
            let spawner = MultiplayerSpawner::new("../Arena").scene(&scene_of);
            scene.add("AvatarSpawner", spawner).map(drop)
        });
        let (is_server, ear) = (ear.is_server(), ear.clone());
        let (last, is_settled) = (self.last.clone(), self.is_settled.clone());
        let mut rng = Rng::from_number(u64::from(ear.run.0));
        builder.on_process(move |scene, _| {
            if is_settled.get() {
                return;
            }
            if is_server {
                Self::step(scene, &mut rng, &last, &ear);
            }
            if rng.chance(HITS_PERMILLE) {
                Self::hit(scene, &mut rng);
            }
        })
    }

    fn act(&mut self, _act: &mut Act<'_>) {}

    fn settle(&mut self, _server: Option<&mut Branch>) {
        self.is_settled.set(true);
    }
}

impl Node for Avatar {
    fn rpc_table() -> RpcTable<Self> {
        TransferMode::EVERY.into_iter().fold(RpcTable::new(), |table, mode| {
            let config =
                RpcConfig { transfer_mode: mode, channel: Channel(0), ..RpcConfig::any_peer() };
            table.method(&method(mode), config, Self::hear_hit)
        })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("life", |avatar: &mut Self| &mut avatar.life)
    }
}

impl Node for Arena {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(ANSWER, RpcConfig::any_peer(), Self::hear_answer).method(
            MARK,
            RpcConfig::any_peer(),
            Self::hear_mark,
        )
    }
}

fn scene_of(ear: &Ear) -> PackedScene {
    let ear = ear.clone();
    PackedScene::new("res://avatar.tscn", move || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().spawn(".:life"));
        let avatar = Avatar { ear: ear.clone(), life: 0, arrived_before: BTreeMap::new() };
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
/// Ticks that remove the avatar, in thousandths.
const GOES_PERMILLE: u32 = 70;
/// Ticks that bring it back when it is away, in thousandths.
const COMES_PERMILLE: u32 = 150;
/// Ticks of a program with an avatar that call one, in thousandths.
const HITS_PERMILLE: u32 = 200;
