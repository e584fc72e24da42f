//! [`HostPlayer`]: a Godot client that is the host of its room.

use std::error::Error;
use std::net::SocketAddr;

use mp_core::PeerId;
use mp_core::variant::Vector3;
use mp_scene::prelude::*;
use mp_scene::{BuildError, SetupError};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};
use mp_udp::UdpSocket;

use super::dialect::peer_id;
use crate::clock::{MILLISECOND, instant};

/// The host, with spawned nodes that it synchronizes.
pub(super) struct HostPlayer {
    peer: EnetMultiplayerPeer<UdpSocket>,
    branch: Branch,
    own: PeerId,
    /// Number of nodes.
    nodes: usize,
    is_connected: bool,
    next_turn: u64,
}

impl HostPlayer {
    /// Connects a client with `nodes`.
    pub(super) fn connect(server: SocketAddr, nodes: usize) -> Result<Self, Box<dyn Error>> {
        let own = PeerId::new(peer_id(u16::MAX)).ok_or("no id")?;
        let options = ClientOptions::default().unique_id(own);
        let peer = EnetMultiplayerPeer::create_client(server, options)?;
        let branch = game(own)?;
        Ok(Self { peer, branch, own, nodes, is_connected: false, next_turn: 0 })
    }

    pub(super) const fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Receives, runs what is due, and sends.
    pub(super) fn turn(&mut self, now: u64) {
        if now < self.next_turn {
            return;
        }
        self.next_turn = now + MILLISECOND;
        self.branch.poll(&mut self.peer, instant(now));
        while let Some(signal) = self.branch.next_signal() {
            match signal {
                Signal::ConnectedToServer => {
                    let scene = self.branch.scene();
                    spawn(scene, self.own, self.nodes).expect("the names are valid and different");
                    self.is_connected = true;
                }
                Signal::ServerDisconnected => panic!("the host is disconnected"),
                _ => {}
            }
        }
    }
}

#[derive(Default)]
struct Unit {
    position: Replicated<Vector3>,
}

impl Node for Unit {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("position", |unit: &mut Self| &mut unit.position)
    }
}

fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        let config = ReplicationConfig::new().on_change(".:position");
        Instance::new("Unit", Unit::default())
            .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
    })
}

/// Adds the nodes of the host, whose id is `own`.
fn spawn(scene: &mut Scene, own: PeerId, nodes: usize) -> Result<(), SetupError> {
    for number in 0..nodes {
        let instance = unit().instantiate().named(&format!("U{number}"));
        let node = scene.add_instance("Units", instance)?;
        scene.tree_mut().set_multiplayer_authority(node, own, true)?;
        set(scene, NodeRef::new(node), number, 0.0);
    }
    Ok(())
}

/// Sets the position of the unit with a number.
fn set(scene: &mut Scene, unit: NodeRef<Unit>, number: usize, tick: f32) {
    let unit = scene.get_mut(unit).expect("nodes are not removed");
    *unit.position = Vector3 { x: number as f32, y: tick, z: 7.0 };
}

/// Returns the game of the host, without its nodes.
fn game(own: PeerId) -> Result<Branch, BuildError> {
    let mut units = Vec::new();
    let (mut tick, mut next) = (0.0, 0);
    Branch::builder("/root/Game")
        .tick_rate(TICK_RATE)
        .setup(move |scene| {
            scene.add("Units", Group)?;
            scene.add("Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit()))?;
            for path in ["Units", "Spawner"] {
                let node = scene.find(path)?;
                scene.tree_mut().set_multiplayer_authority(node, own, true)?;
            }
            Ok::<_, SetupError>(())
        })
        .on_process(move |scene, _| {
            if units.is_empty() {
                let parent = scene.find("Units").expect("it was added");
                units.extend(scene.tree().children(parent).map(NodeRef::<Unit>::new));
            }
            tick += 1.0;
            for _ in 0..CHANGES.min(units.len()) {
                set(scene, units[next], next, tick);
                next = (next + 1) % units.len();
            }
        })
        .build()
}

/// Ticks per second.
const TICK_RATE: u32 = 10;
/// Nodes that change in a tick.
const CHANGES: usize = 20;
