//! The server: systems over the world, and the turn that mp's `Branch` runs for other programs.

use std::error::Error;
use std::time::Duration;

use mp::core::{
    BranchId, Endpoint, EndpointId, Instant, MemoryMultiplayerPeer, StateMachine, ToBranch,
};
use mp::prelude::*;
use mp::scene::SceneMultiplayer;
use mp::scene::api::{ApiEvent, Call, MultiplayerApi};
use mp::scene::tree::NodeTree;

use crate::world::{ShipBundle, World, row};

pub(crate) struct Game {
    pub(crate) world: World,
    multiplayer: SceneMultiplayer,
    endpoint: Endpoint<MemoryMultiplayerPeer>,
    next_tick: Instant,
}

impl Game {
    /// Creates the world and its session on a transport.
    pub(crate) fn new(peer: MemoryMultiplayerPeer) -> Self {
        let mut world = World::new();
        let root = world.root();
        let spawner = MultiplayerSpawner::new("../Ships").with_scene(&ship_scene());
        for instance in [Instance::new("Ships", Group), Instance::new("ShipSpawner", spawner)] {
            world.add(root, instance).expect("the names differ");
        }
        let mut endpoint = Endpoint::new(EndpointId(0), peer, BRANCH);
        endpoint.serve(BRANCH);
        let multiplayer = SceneMultiplayer::new(Codec::default());
        Self { world, multiplayer, endpoint, next_tick: Instant::ZERO }
    }

    /// Runs one turn: receives, runs the calls and systems, synchronizes and sends.
    pub(crate) fn turn(&mut self, now: Instant, delta: Duration) {
        let mut has_more = true;
        while has_more {
            has_more = self.endpoint.receive(now);
            self.take_messages(now);
        }
        move_ships(&mut self.world, delta);
        self.multiplayer.process(now, &mut self.world);
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.run_events(now);
            self.multiplayer.tick(now, &mut self.world);
        }
        self.run_events(now);
        let mut sent = Vec::new();
        self.multiplayer.deliver(&mut |_, message| {
            sent.push(message);
            Ok(())
        });
        for message in sent {
            self.endpoint.handle_input(now, (BRANCH, message));
        }
        self.endpoint.finish_turn(now);
        self.take_messages(now);
    }

    /// Passes messages of the transport to the protocol.
    fn take_messages(&mut self, now: Instant) {
        let mut received = Vec::new();
        self.endpoint.deliver(&mut |_, message| {
            received.push(message);
            Ok(())
        });
        for message in received {
            match message {
                ToBranch::Opened(endpoint, info) => {
                    self.multiplayer.handle_opened(endpoint, info);
                }
                ToBranch::Events(endpoint, events) => {
                    for event in events {
                        let world = &mut self.world;
                        self.multiplayer.handle_event(now, world, endpoint, event);
                        // Each event runs its calls before the next is handled, as in Godot.
                        self.run_events(now);
                    }
                }
                ToBranch::Closed(endpoint, reason) => {
                    self.multiplayer.handle_closed(endpoint, reason);
                }
                _ => {}
            }
        }
    }

    /// Handles the events of the protocol, and passes it the changes that they make.
    fn run_events(&mut self, now: Instant) {
        loop {
            self.multiplayer.handle_changes(now, &mut self.world);
            match self.multiplayer.next_event() {
                Some(ApiEvent::Call(call)) => run_call(&mut self.world, &call),
                Some(ApiEvent::Signal(Signal::PeerDisconnected(peer))) => self.remove_ship(peer),
                Some(_) => {}
                None => return,
            }
        }
    }

    pub(crate) fn has_peer(&self, peer: PeerId) -> bool {
        self.multiplayer.has_peer(peer)
    }

    /// Returns the absolute paths of all entities.
    pub(crate) fn paths(&self) -> Vec<String> {
        let absolute = |entity| match self.world.path_of(entity)?.as_str() {
            "." => Some("/root".to_owned()),
            path => Some(format!("/root/{path}")),
        };
        self.world.entities().into_iter().filter_map(absolute).collect()
    }

    /// Adds a ship. The spawner announces it, because it is a scene below its `spawn_path`.
    pub(crate) fn add_ship(&mut self, pilot: PeerId) -> Result<NodeId, Box<dyn Error>> {
        let ships = self.world.find("Ships").ok_or("there is no entity Ships")?;
        let ship = ship_scene().instantiate_with(|ship: &mut ShipBundle| ship.pilot = pilot);
        Ok(self.world.add(ships, ship.named(&format!("Ship{pilot}")))?)
    }

    /// Takes a life from a ship, and calls its method `hit` on its pilot's peer.
    pub(crate) fn hit(&mut self, pilot: PeerId) -> Result<(), Box<dyn Error>> {
        let ship = self.world.ship_of(pilot).ok_or("the pilot has no ship")?;
        let lives = &mut self.world.ships.lives[row(ship)];
        *lives -= 1;
        let args = vec![(*lives).into()];
        self.multiplayer.rpc(&mut self.world, pilot.into(), ship, "hit", args)?.sent?;
        Ok(())
    }

    /// Removes the ship of a pilot, here and on all peers.
    pub(crate) fn remove_ship(&mut self, pilot: PeerId) {
        if let Some(ship) = self.world.ship_of(pilot) {
            self.world.remove(ship);
        }
    }
}

/// The scene of a ship. Its properties are columns of the world, in the order of the client's.
fn ship_scene() -> PackedScene {
    PackedScene::new("res://ship.tscn", || {
        let config = ReplicationConfig::new().always(".:position").on_change(".:lives");
        let bundle =
            ShipBundle { pilot: PeerId::SERVER, position: Vector2::new(100.0, 0.0), lives: 3 };
        Instance::new("Ship", bundle)
            .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
    })
}

/// A system: moves all ships, along their columns.
fn move_ships(world: &mut World, delta: Duration) {
    let ships = &mut world.ships;
    for (position, velocity) in ships.positions.iter_mut().zip(&ships.velocities) {
        *position += *velocity * delta.as_secs_f32();
    }
}

/// A system: runs a call of a peer. Only the pilot of a ship steers it, with limited speed.
fn run_call(world: &mut World, call: &Call) {
    if let ("steer", [Variant::Vector2(direction)]) = (&*call.method, &*call.args)
        && world.ships.pilots[row(call.node)] == Some(call.sender)
    {
        let name = world.name_of(call.node).unwrap_or_default();
        println!("server: peer {} steers {name}", call.sender);
        world.ships.velocities[row(call.node)] = direction.limit_length(1.0) * SPEED_MAX;
    }
}

/// The id of the only branch of the endpoint.
const BRANCH: BranchId = BranchId(0);
const TICK: Duration = Duration::from_millis(16);
/// Pixels per second.
const SPEED_MAX: f32 = 100.0;
