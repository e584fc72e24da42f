//! Scenes with units and their guns.

use mp_scene::prelude::*;

/// `unit.gd`.
#[derive(Default)]
pub(super) struct Unit {
    pub(super) health: i64,
    pub(super) armour: Replicated<i64>,
}

impl Unit {
    /// `tank.tscn`: its gun has a synchronizer, which precedes those of the unit.
    pub(super) fn tank() -> PackedScene {
        PackedScene::new("res://scenes/tank.tscn", || {
            let sync = |config| MultiplayerSynchronizer::new(config);
            let aim = sync(ReplicationConfig::new().always(".:aim"));
            let health = sync(ReplicationConfig::new().always(".:health"));
            let armour = sync(ReplicationConfig::new().on_change(".:armour"));
            let gun = Instance::new("Gun", Gun::default()).child(Instance::new("AimSync", aim));
            Instance::new("Tank", Self::default())
                .child(gun)
                .child(Instance::new("HealthSync", health))
                .child(Instance::new("ArmourSync", armour))
        })
    }

    /// `soldier.tscn`: its synchronizer has restricted visibility; its gun has another one.
    pub(super) fn soldier() -> PackedScene {
        PackedScene::new("res://scenes/soldier.tscn", || {
            let health = ReplicationConfig::new().on_change(".:health");
            let health = MultiplayerSynchronizer::new(health).with_public_visibility(false);
            let gun = ReplicationConfig::new()
                .always_without_spawn(".:aim")
                .on_change_without_spawn(".:ammo");
            let gun_sync = Instance::new("GunSync", MultiplayerSynchronizer::new(gun));
            Instance::new("Soldier", Self::default())
                .child(Instance::new("Sync", health))
                .child(Instance::new("Gun", Gun::default()).child(gun_sync))
        })
    }
}

impl Node for Unit {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("health", |unit: &mut Self| &mut unit.health)
            .property("armour", |unit: &mut Self| &mut unit.armour)
    }
}

/// `gun.gd`.
#[derive(Default)]
pub(super) struct Gun {
    pub(super) aim: i64,
    pub(super) ammo: Replicated<i64>,
    /// Arguments of `fire`, in order.
    pub(super) shots: Vec<i64>,
}

impl Gun {
    /// Sets both properties.
    pub(super) fn set(&mut self, aim: i64, ammo: i64) {
        (self.aim, *self.ammo) = (aim, ammo);
    }

    /// Returns aim and ammo.
    pub(super) fn state(&self) -> [i64; 2] {
        [self.aim, *self.ammo]
    }
}

impl Node for Gun {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "fire",
            RpcConfig::any_peer(),
            |gun: &mut Self, _cx, (n,): (i64,)| {
                gun.shots.push(n);
            },
        )
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("aim", |gun: &mut Self| &mut gun.aim)
            .property("ammo", |gun: &mut Self| &mut gun.ammo)
    }
}
