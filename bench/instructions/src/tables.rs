//! A server and a client in one process that call RPCs and replicate properties, by tables that the
//! macros write or by tables written by hand.

use mp::prelude::*;
use mp::scene::BuildError;
use mp::scene::testing::Lan;

use crate::{Counts, counted};

/// A node of the benchmark.
trait Mover: Node + Default {
    fn config() -> ReplicationConfig;

    /// Calls `steer` on the server.
    fn call(node: NodeRef<Self>, scene: &mut Scene, x: f64);

    fn set(&mut self, x: f64);

    /// Returns the sum of the arguments of received calls, and the replicated position.
    fn state(&self) -> (f64, f32);
}

#[derive(Default, Node)]
struct Generated {
    #[replicate(on_change)]
    health: Replicated<i64>,
    #[replicate(always)]
    position: Vector2,
    steered: f64,
}

#[rpc_methods]
impl Generated {
    #[rpc(any_peer, unreliable_ordered)]
    fn steer(&mut self, x: f64, y: f64, tag: String) {
        self.steered += x + y + tag.len() as f64;
    }
}

impl Mover for Generated {
    fn config() -> ReplicationConfig {
        Self::replication_config()
    }

    fn call(node: NodeRef<Self>, scene: &mut Scene, x: f64) {
        let call = node.rpcs().steer(x, 1.0, "run".to_owned());
        call.call_id(scene, PeerId::SERVER).expect("the server is connected");
    }

    fn set(&mut self, x: f64) {
        *self.health = x as i64;
        self.position.x = x as f32;
    }

    fn state(&self) -> (f64, f32) {
        (self.steered, self.position.x)
    }
}

#[derive(Default)]
struct ByHand {
    health: Replicated<i64>,
    position: Vector2,
    steered: f64,
}

impl Node for ByHand {
    fn rpc_table() -> RpcTable<Self> {
        let config = RpcConfig::any_peer().unreliable_ordered();
        RpcTable::new().method("steer", config, |node: &mut Self, _, args: (f64, f64, String)| {
            let (x, y, tag) = args;
            node.steered += x + y + tag.len() as f64;
        })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("health", |node: &mut Self| &mut node.health)
            .property("position", |node: &mut Self| &mut node.position)
    }
}

impl Mover for ByHand {
    fn config() -> ReplicationConfig {
        ReplicationConfig::new().on_change(".:health").always(".:position")
    }

    fn call(node: NodeRef<Self>, scene: &mut Scene, x: f64) {
        let args = (x, 1.0, "run".to_owned());
        scene.rpc_id(PeerId::SERVER, node, "steer", args).expect("the server is connected");
    }

    fn set(&mut self, x: f64) {
        *self.health = x as i64;
        self.position.x = x as f32;
    }

    fn state(&self) -> (f64, f32) {
        (self.steered, self.position.x)
    }
}

/// Runs `steps` steps with tables that the macros write.
pub(crate) fn run_generated(steps: u32) -> Result<Counts, BuildError> {
    run::<Generated>(steps)
}

/// Runs `steps` steps with tables written by hand.
pub(crate) fn run_by_hand(steps: u32) -> Result<Counts, BuildError> {
    run::<ByHand>(steps)
}

fn game<N: Mover>() -> BranchBuilder {
    Branch::builder("/root").tick_rate(1_000).setup(|scene| {
        let sync = MultiplayerSynchronizer::new(N::config());
        let mover = Instance::new("Mover", N::default()).child(Instance::new("Sync", sync));
        scene.add_instance(".", mover)
    })
}

/// In each step the client makes a call, and the server changes each property.
fn run<N: Mover>(steps: u32) -> Result<Counts, BuildError> {
    let mut lan = Lan::new(game::<N>())?;
    let client = lan.join(game::<N>())?;
    lan.settle();
    let node =
        |lan: &mut Lan, peer| lan.scene(peer).node::<N>("Mover").expect("the game has this node");
    let (ours, theirs) = (node(&mut lan, PeerId::SERVER), node(&mut lan, client));
    let counts = counted(steps, |step| {
        N::call(theirs, lan.scene(client), step.into());
        let mover = lan.scene(PeerId::SERVER).get_mut(ours);
        mover.expect("the node stays").set(step.into());
        lan.step();
        0
    });
    lan.settle();
    let (steered, _) = lan.scene(PeerId::SERVER).get(ours).expect("the node stays").state();
    let (_, x) = lan.scene(client).get(theirs).expect("the node stays").state();
    let last = steps.saturating_sub(1);
    let sum = f64::from(steps) * f64::from(last) / 2.0 + f64::from(steps) * 4.0;
    assert_eq!((steered, f64::from(x)), (sum, f64::from(last)), "everything was received");
    Ok(counts)
}
