//! A server whose nodes are entities of an ECS: components in columns, and no `Tree` and `Branch`
//! of mp. Its client, in the same process, is an ordinary branch.
//!
//!     cargo run -p mp-examples --bin ecs
//!
//! prints
//!
//!     server: /root, /root/Ships, /root/ShipSpawner are entities
//!     server: /root/Ships/Ship7 is an entity with components
//!     client: Ship7 is spawned at (100.0, 0.0) with 3 lives
//!     server: peer 7 steers Ship7
//!     client: Ship7 is past 150
//!     client: Ship7 is hit, 2 lives are left
//!     client: Ship7 has left
//!
//! Read next: world.rs (the columns, and the trait `NodeTree` on them), game.rs (the systems and
//! the turn of a server without a branch).

use std::error::Error;
use std::time::Duration;

use mp::core::memory::pair;
use mp::core::{Instant, MemoryMultiplayerPeer};
use mp::prelude::*;

mod game;
#[cfg(test)]
mod tests;
mod world;

use game::Game;

/// The client's ship: `ship.tscn` of a Godot game.
#[derive(Default, Node)]
struct Ship {
    #[replicate(spawn, always)]
    position: Vector2,
    #[replicate(spawn, on_change)]
    lives: i64,
}

#[rpc_methods]
impl Ship {
    /// Asks the server to accelerate.
    #[rpc(any_peer)]
    fn steer(direction: Vector2);

    /// Reports a hit, from the server.
    #[rpc]
    fn hit(&mut self, cx: &mut RpcContext<'_>, lives: i64) {
        let name = cx.tree().name(cx.node_id()).unwrap_or_default();
        println!("client: {name} is hit, {lives} lives are left");
    }
}

fn ship() -> PackedScene {
    PackedScene::new("res://ship.tscn", || {
        let sync = MultiplayerSynchronizer::new(Ship::replication_config());
        Instance::new("Ship", Ship::default()).child(Instance::new("Sync", sync))
    })
}

/// Builds the client, with the same nodes as the server.
fn client() -> BranchBuilder {
    Branch::builder("/root").setup(|scene| {
        scene.add("Ships", Group)?;
        scene.add("ShipSpawner", MultiplayerSpawner::new("../Ships").with_scene(&ship()))
    })
}

/// A server and its client, under virtual time.
struct Session {
    now: Instant,
    server: Game,
    client: Branch,
    peer: MemoryMultiplayerPeer,
}

impl Session {
    fn new(id: PeerId) -> Result<Self, Box<dyn Error>> {
        let (at_server, peer) = pair(id);
        let now = Instant::from_millis(1_000);
        Ok(Self { now, server: Game::new(at_server), client: client().build()?, peer })
    }

    /// Runs turns of both until `condition` holds.
    ///
    /// # Errors
    ///
    /// `what`, if that takes more than ten seconds of virtual time.
    fn until(
        &mut self,
        what: &str,
        condition: impl Fn(&mut Self) -> bool,
    ) -> Result<(), Box<dyn Error>> {
        for _ in 0..600 {
            if condition(self) {
                return Ok(());
            }
            self.now += FRAME;
            self.server.turn(self.now, FRAME);
            self.client.poll(&mut self.peer, self.now);
        }
        Err(format!("did not happen: {what}").into())
    }

    /// Returns the client's ship.
    fn ship(&mut self) -> Option<NodeRef<Ship>> {
        self.client.scene().node(&format!("Ships/{SHIP}")).ok()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pilot = PeerId::new(7).ok_or("7 is a valid id")?;
    let mut session = Session::new(pilot)?;
    println!("server: {} are entities", session.server.paths().join(", "));

    session.until("the client is connected", |session| session.server.has_peer(pilot))?;
    session.server.add_ship(pilot)?;
    let added = session.server.paths();
    let added = added.iter().find(|path| path.ends_with(SHIP)).ok_or("there is no ship")?;
    println!("server: {added} is an entity with components");

    session.until("the ship is spawned", |session| session.ship().is_some())?;
    let ship = session.ship().ok_or("the client has no ship")?;
    let scene = session.client.scene();
    let Ship { position, lives } = scene.get(ship)?;
    println!("client: {SHIP} is spawned at {position} with {lives} lives");

    ship.rpcs().steer(Vector2::new(5.0, 0.0)).call_id(scene, PeerId::SERVER)?;
    session.until("the ship flies", |session| {
        let scene = session.client.scene();
        scene.get(ship).is_ok_and(|ship| ship.position.x > 150.0)
    })?;
    println!("client: {SHIP} is past 150");

    session.server.hit(pilot)?;
    session.until("the lives are synchronized", |session| {
        session.client.scene().get(ship).is_ok_and(|ship| ship.lives == 2)
    })?;

    session.server.remove_ship(pilot);
    session.until("the ship has left", |session| session.ship().is_none())?;
    println!("client: {SHIP} has left");
    Ok(())
}

const SHIP: &str = "Ship7";
const FRAME: Duration = Duration::from_millis(16);
