//! The nodes of the game.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use mp_core::PeerId;
use mp_scene::prelude::*;
use mp_scene::{Branch, BranchBuilder, Scene, SetupError, Signal, Tree};

/// Queue of the messages that a program has received.
pub(crate) type Inbox = Rc<RefCell<VecDeque<Received>>>;

/// Something that a program has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A peer has joined.
    Connected(PeerId),
    /// A peer has left.
    Disconnected(PeerId),
    /// A peer has resumed the session of another one, or its own.
    Resumed(PeerId, PeerId),
    /// Replication has failed, for this reason.
    Failed(String),
    /// Bytes of a peer.
    Bytes(PeerId, String),
    /// A call of the owner to this program, with the owner's era and a number.
    Order(i64, i64),
    /// A call of the owner to all, with the owner's era and a number.
    Cheer(i64, i64),
    /// A call of a player to the owner, with a number.
    Ask(PeerId, i64),
}

/// A node that is part of the level. Calls go through it.
pub(crate) struct Flag {
    pub(crate) hp: i64,
    pub(crate) steps: i64,
    inbox: Inbox,
}

/// A node that the owner spawns.
#[derive(Default)]
pub(crate) struct Unit {
    pub(crate) hp: i64,
    pub(crate) steps: i64,
}

/// A node that the owner spawns from its number.
struct Item;

/// The node of a player, with a synchronizer of which the player is the authority.
#[derive(Default)]
pub(crate) struct Seat {
    pub(crate) input: i64,
}

impl Node for Flag {
    fn rpc_table() -> RpcTable<Self> {
        type Numbers = (i64, i64);
        let table = RpcTable::new();
        let table =
            table.method("ask", RpcConfig::any_peer(), |flag: &mut Self, cx, (number,): (i64,)| {
                flag.record(Received::Ask(cx.remote_sender(), number));
            });
        let table = table.method(
            "cheer",
            RpcConfig::authority(),
            |flag: &mut Self, _, (era, number): Numbers| flag.record(Received::Cheer(era, number)),
        );
        table.method(
            "order",
            RpcConfig::authority(),
            |flag: &mut Self, _, (era, number): Numbers| flag.record(Received::Order(era, number)),
        )
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("hp", |flag: &mut Self| &mut flag.hp)
            .property("steps", |flag: &mut Self| &mut flag.steps)
    }
}

impl Flag {
    fn record(&self, message: Received) {
        self.inbox.borrow_mut().push_back(message);
    }
}

impl Node for Unit {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("hp", |unit: &mut Self| &mut unit.hp)
            .property("steps", |unit: &mut Self| &mut unit.steps)
    }
}

impl Node for Item {}

impl Node for Seat {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("input", |seat: &mut Self| &mut seat.input)
    }

    fn enter_tree(&mut self, tree: &mut Tree, node: NodeId) {
        let player = tree.name(node).and_then(|name| PeerId::new(name.parse().ok()?));
        let children: Vec<_> = tree.children(node).collect();
        if let (Some(player), [input]) = (player, &children[..]) {
            let _ = tree.set_multiplayer_authority(*input, player, false);
        }
    }
}

fn part_scene() -> PackedScene {
    PackedScene::new("res://part.tscn", || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp"));
        Instance::new("Part", Unit::default()).child(Instance::new("Sync", sync))
    })
}

fn unit_scene() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        let config = ReplicationConfig::new().on_change(".:hp").always(".:steps");
        let spawner = MultiplayerSpawner::new("../Parts").with_scene(&part_scene());
        Instance::new("Unit", Unit::default())
            .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
            .child(Instance::new("Parts", Group))
            .child(Instance::new("Spawner", spawner))
    })
}

/// Returns the scene of a seat.
pub(crate) fn seat_scene() -> PackedScene {
    PackedScene::new("res://seat.tscn", || {
        let config = ReplicationConfig::new().always_without_spawn(".:input");
        let input = MultiplayerSynchronizer::new(config);
        Instance::new("Seat", Seat::default()).child(Instance::new("Input", input))
    })
}

pub(super) fn unit(name: &str) -> Instance {
    unit_scene().instantiate().named(name)
}

pub(super) fn part(name: &str) -> Instance {
    part_scene().instantiate().named(name)
}

/// Returns the seat of a player.
pub(crate) fn seat(player: PeerId) -> Instance {
    seat_scene().instantiate().named(&player.to_string())
}

/// Returns the branch of a program, whose owner is peer 1 at first. It records in `inbox`.
pub(crate) fn builder(inbox: &Inbox) -> BranchBuilder {
    let (of_flag, of_signals) = (Inbox::clone(inbox), Inbox::clone(inbox));
    let setup = move |scene: &mut Scene| {
        for (group, spawner, of) in [
            ("Units", "UnitSpawner", MultiplayerSpawner::new("../Units").with_scene(&unit_scene())),
            ("Seats", "SeatSpawner", MultiplayerSpawner::new("../Seats").with_scene(&seat_scene())),
            ("Items", "ItemSpawner", MultiplayerSpawner::new("../Items").with_spawn_function(item)),
        ] {
            scene.add(group, Group)?;
            scene.add(spawner, of)?;
        }
        // Nodes that the next host removes and adds again are here meanwhile.
        scene.add("Limbo", Group)?;
        scene.add("Flag", Flag { hp: 0, steps: 0, inbox: of_flag })?;
        let config = ReplicationConfig::new().on_change(".:hp").always(".:steps");
        scene.add("Flag/Sync", MultiplayerSynchronizer::new(config))?;
        Ok::<(), SetupError>(())
    };
    Branch::builder("/root/Game").setup(setup).on_signal(move |_, signal| {
        let message = match signal {
            Signal::PeerConnected(peer) => Received::Connected(*peer),
            Signal::PeerDisconnected(peer) => Received::Disconnected(*peer),
            Signal::PeerPacket { from, data } => {
                Received::Bytes(*from, String::from_utf8_lossy(data).into_owned())
            }
            Signal::ReplicationFailed(error) => Received::Failed(error.to_string()),
            _ => return,
        };
        of_signals.borrow_mut().push_back(message);
    })
}

fn item(number: &Variant) -> Option<Instance> {
    let number: i64 = number.clone().to().ok()?;
    Some(Instance::new(&format!("i{number}"), Item))
}

/// Returns the seat of a player.
pub(crate) fn seat_of(scene: &mut Scene, player: PeerId) -> Option<&mut Seat> {
    let seat: NodeRef<Seat> = scene.node(&format!("Seats/{player}")).ok()?;
    scene.get_mut(seat).ok()
}
