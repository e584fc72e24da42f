//! The nodes of rooms and clients. Every call and packet names its room.

use std::cell::RefCell;
use std::rc::Rc;

use mp_scene::prelude::*;
use mp_scene::{Branch, BranchBuilder, Scene, Tree};

use crate::game::seat_scene;

/// Observations of one program, which its nodes record.
pub(super) type SharedLog = Rc<RefCell<Log>>;

/// The observations of a room or a client.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Violations.
    pub(super) wrong: Vec<String>,
    /// Room whose marker the program has. On a client, the room in which it is.
    pub(super) room: Option<i64>,
    /// Number of the client's last move of which it has a report, with the room.
    visit: (i64, i64),
    /// Reliable packets on channel 0.
    pub(super) received: u64,
    /// Packets of an earlier room that are unreliable or were sent on another channel.
    pub(super) late: u64,
}

impl Log {
    /// Handles a reliable packet on channel 0 that the server has sent to a client in `room`, after
    /// as many moves as `visit`.
    pub(super) fn reported(&mut self, room: i64, visit: i64) {
        self.received += 1;
        let is_of_earlier_room = visit < self.visit.0 || self.room.is_some_and(|it| it != room);
        if is_of_earlier_room || (visit == self.visit.0 && room != self.visit.1) {
            let (own, last) = (self.room, self.visit);
            self.wrong
                .push(format!("report of {room} in visit {visit}; in {own:?} after {last:?}"));
        }
        self.visit = (visit, room);
    }

    /// Handles a packet that may arrive late.
    fn reported_beside(&mut self, visit: i64) {
        self.late += u64::from(visit < self.visit.0);
    }

    /// Handles a reliable packet on channel 0 of a player who was in `room`.
    pub(super) fn asked(&mut self, room: i64) {
        self.received += 1;
        if self.room != Some(room) {
            self.wrong.push(format!("asked for {room} in {:?}", self.room));
        }
    }

    /// Handles a packet of a player who was in `room`, which may be late.
    fn asked_beside(&mut self, room: i64) {
        self.late += u64::from(self.room != Some(room));
    }
}

/// Root of the nodes of a room. It exists in all rooms and clients.
pub(super) struct Hall {
    /// Room of the last value that was received, on clients.
    pub(super) room: i64,
    log: SharedLog,
}

/// A node that the server spawns.
#[derive(Default)]
pub(super) struct Unit {
    pub(super) hp: i64,
}

/// A node that the server spawns from data, the room and a number. The first one of a room is its
/// marker.
struct Item {
    room: i64,
    number: i64,
    log: SharedLog,
}

impl Node for Hall {
    fn rpc_table() -> RpcTable<Self> {
        type Report = (i64, i64);
        RpcTable::new()
            .method(
                "report",
                RpcConfig::authority(),
                |hall: &mut Self, _, (room, visit): Report| {
                    hall.log.borrow_mut().reported(room, visit);
                },
            )
            .method(
                "report_fast",
                RpcConfig::authority().unreliable(),
                |hall: &mut Self, _, (_, visit): Report| {
                    hall.log.borrow_mut().reported_beside(visit)
                },
            )
            .method("ask", RpcConfig::any_peer(), |hall: &mut Self, _, (room,): (i64,)| {
                hall.log.borrow_mut().asked(room);
            })
            .method(
                "ask_fast",
                RpcConfig::any_peer().unreliable(),
                |hall: &mut Self, _, (room,): (i64,)| hall.log.borrow_mut().asked_beside(room),
            )
            .method(
                "ask_beside",
                RpcConfig::any_peer().channel(1),
                |hall: &mut Self, _, (room,): (i64,)| hall.log.borrow_mut().asked_beside(room),
            )
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("room", |hall: &mut Self| &mut hall.room)
    }
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("hit", RpcConfig::any_peer(), |_: &mut Self, _, _: (i64,)| {})
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("hp", |unit: &mut Self| &mut unit.hp)
    }
}

impl Node for Item {
    fn enter_tree(&mut self, _: &mut Tree, _: NodeId) {
        let log = &mut *self.log.borrow_mut();
        if self.number > 0 {
            return;
        }
        if let Some(other) = log.room.replace(self.room) {
            log.wrong.push(format!("the nodes of {} appear beside those of {other}", self.room));
        }
    }

    fn exit_tree(&mut self, _: &mut Tree, _: NodeId) {
        if self.number == 0 {
            self.log.borrow_mut().room = None;
        }
    }
}

fn part() -> PackedScene {
    PackedScene::new("res://part.tscn", || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp"));
        Instance::new("Part", Unit::default()).child(Instance::new("Sync", sync))
    })
}

/// Returns the scene of a unit, which has a spawner of parts.
pub(super) fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp"));
        Instance::new("Unit", Unit::default())
            .child(Instance::new("Sync", sync))
            .child(Instance::new("Parts", Group))
            .child(Instance::new(
                "Spawner",
                MultiplayerSpawner::new("../Parts").with_scene(&part()),
            ))
    })
}

/// Returns a part of a unit.
pub(super) fn part_named(name: &str) -> Instance {
    part().instantiate().named(name)
}

/// Returns the branch of a room, or of a client (room 0).
pub(super) fn branch(room: i64, log: &SharedLog) -> BranchBuilder {
    let (hall, of_items) = (SharedLog::clone(log), SharedLog::clone(log));
    Branch::builder("/root/Game").setup(move |scene: &mut Scene| {
        scene.add("Hall", Hall { room, log: hall })?;
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:room"));
        scene.add("Hall/Sync", sync)?;
        scene.add("Units", Group)?;
        let spawner = MultiplayerSpawner::new("../Units").with_scene(&unit());
        scene.add("UnitSpawner", spawner)?;
        scene.add("Items", Group)?;
        let spawner = MultiplayerSpawner::new("../Items").with_spawn_function(move |data| {
            let data: i64 = data.clone().to().ok()?;
            let (room, number) = (data / ITEMS, data % ITEMS);
            let log = SharedLog::clone(&of_items);
            Some(Instance::new(&format!("r{room}i{number}"), Item { room, number, log }))
        });
        scene.add("ItemSpawner", spawner)?;
        scene.add("Seats", Group)?;
        scene.add("SeatSpawner", MultiplayerSpawner::new("../Seats").with_scene(&seat_scene()))?;
        if room > 0 {
            spawn_item(scene, room, 0);
        }
        Ok(())
    })
}

/// Spawns an item of a room from data.
pub(super) fn spawn_item(scene: &mut Scene, room: i64, number: i64) {
    if let Ok(spawner) = scene.find("ItemSpawner") {
        let _ = scene.spawn(spawner, room * ITEMS + number % ITEMS);
    }
}

/// Returns the names and values of the nodes at `path`.
pub(super) fn nodes(scene: &mut Scene, path: &str) -> Vec<(String, i64)> {
    let Ok(parent) = scene.find(path) else { return Vec::new() };
    let children: Vec<_> = scene.tree().children(parent).collect();
    let mut nodes: Vec<_> = children
        .into_iter()
        .map(|node| {
            let name = scene.tree().name(node).unwrap_or_default().to_owned();
            let hp = scene.get(NodeRef::<Unit>::new(node)).map_or(0, |unit| unit.hp);
            (name, hp)
        })
        .collect();
    nodes.sort();
    nodes
}

/// Maximum number of items of a room, with the marker.
const ITEMS: i64 = 1_000_000;
