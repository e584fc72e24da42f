//! Game logic of the example `game_loop`, for both sides.

use std::time::Duration;

use mp::prelude::*;

/// Node `Car`.
#[derive(Default)]
pub(crate) struct Car {
    pub(crate) position: Vector2,
    direction: Vector2,
}

impl Node for Car {
    fn rpc_table() -> RpcTable<Self> {
        let steering = RpcConfig::any_peer().unreliable_ordered().channel(1);
        let moving = RpcConfig::authority().unreliable_ordered().channel(1);
        RpcTable::new().method("steer", steering, Self::steer).method("moved", moving, Self::moved)
    }
}

impl Car {
    /// Server: input of the driver.
    fn steer(&mut self, _cx: &mut RpcContext<'_>, (direction,): (Vector2,)) {
        self.direction = direction.limit_length(1.0);
    }

    /// Client: position from the server.
    fn moved(&mut self, _cx: &mut RpcContext<'_>, (position,): (Vector2,)) {
        self.position = position;
    }

    fn step(&mut self, delta: Duration) -> Vector2 {
        self.position += self.direction * SPEED * delta.as_secs_f32();
        self.position
    }
}

/// Builds the nodes of both sides.
pub(crate) fn road() -> BranchBuilder {
    Branch::builder("/root/Game").setup(|scene| scene.add("Car", Car::default()))
}

/// Builds the server's side, which moves the car.
pub(crate) fn garage() -> BranchBuilder {
    road().tick_rate(30).on_process(|scene, delta| {
        let Ok(car) = scene.find("Car").map(NodeRef::<Car>::new) else { return };
        let Ok(position) = scene.get_mut(car).map(|car| car.step(delta)) else { return };
        // Fails without a driver.
        scene.rpc(car, "moved", (position,)).ok();
    })
}

/// Pixels per second.
const SPEED: f32 = 120.0;
