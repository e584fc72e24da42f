//! Scenes of `nested`.

use mp_core::variant::{Array, Dictionary, Vector2};
use mp_scene::prelude::*;

/// `ship.gd`.
#[derive(Default)]
pub(super) struct Ship {
    pub(super) title: String,
    pub(super) place: Vector2,
    pub(super) fuel: Replicated<i64>,
    pub(super) secret: i64,
}

/// Title, place, fuel, secret.
pub(super) type ShipState = (String, Vector2, i64, i64);

impl Ship {
    /// `ship.tscn`.
    pub(super) fn scene() -> PackedScene {
        PackedScene::new("res://scenes/ship.tscn", || {
            let hull =
                ReplicationConfig::new().spawn(".:title").always(".:place").on_change(".:fuel");
            let radar = ReplicationConfig::new().always_without_spawn(".:secret");
            let radar = MultiplayerSynchronizer::new(radar).with_public_visibility(false);
            let bays = MultiplayerSpawner::new("../Bays").with_spawn_function(Pod::from_data);
            Instance::new("Ship", Self::default())
                .child(Instance::new("Hull", MultiplayerSynchronizer::new(hull)))
                .child(Instance::new("Radar", radar))
                .child(Instance::new("Helm", Helm::default()))
                .child(Instance::new("Bays", Group))
                .child(Instance::new("BaySpawner", bays))
        })
    }

    pub(super) fn state(&self) -> ShipState {
        (self.title.clone(), self.place, *self.fuel, self.secret)
    }
}

impl Node for Ship {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("title", |ship: &mut Self| &mut ship.title)
            .property("place", |ship: &mut Self| &mut ship.place)
            .property("fuel", |ship: &mut Self| &mut ship.fuel)
            .property("secret", |ship: &mut Self| &mut ship.secret)
    }

    /// Gives the helm to the peer that the ship is named after.
    fn enter_tree(&mut self, tree: &mut Tree, node: NodeId) {
        let owner = tree.name(node).and_then(|name| name.strip_prefix("Ship_"));
        let owner = owner.and_then(|id| PeerId::new(id.parse().ok()?));
        let helm = tree.children(node).find(|&child| tree.name(child) == Some("Helm"));
        if let (Some(owner), Some(helm)) = (owner, helm) {
            // Cannot fail for a node in the tree.
            let _ = tree.set_multiplayer_authority(helm, owner, true);
        }
    }
}

/// `helm.gd`, which extends MultiplayerSynchronizer.
pub(super) struct Helm {
    sync: MultiplayerSynchronizer,
    pub(super) rudder: f64,
    pub(super) orders: Replicated<Array>,
}

impl Default for Helm {
    fn default() -> Self {
        let config = ReplicationConfig::new()
            .always_without_spawn(".:rudder")
            .on_change_without_spawn(".:orders");
        let sync = MultiplayerSynchronizer::new(config).with_root_path(".");
        Self { sync, rudder: 0.0, orders: Replicated::default() }
    }
}

impl Node for Helm {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("rudder", |helm: &mut Self| &mut helm.rudder)
            .property("orders", |helm: &mut Self| &mut helm.orders)
    }

    fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
        Some(&mut self.sync)
    }
}

/// `pod.gd`.
pub(super) struct Pod {
    pub(super) mass: i64,
}

impl Pod {
    /// Creates `pod.tscn` from [`pod_data`].
    fn from_data(data: &Variant) -> Option<Instance> {
        let data = data.clone().to::<Dictionary>().ok()?;
        let name = data.get(&"name".into())?.clone().to::<String>().ok()?;
        let mass = data.get(&"mass".into())?.clone().to::<i64>().ok()?;
        let load = ReplicationConfig::new().on_change(".:mass").on_change("Lamp:lit");
        let pod = Instance::new(&name, Self { mass })
            .child(Instance::new("Lamp", Lamp::default()))
            .child(Instance::new("Load", MultiplayerSynchronizer::new(load)));
        Some(pod)
    }
}

/// Returns the data for a bay's spawner.
pub(super) fn pod_data(name: &str, mass: i64) -> Dictionary {
    Dictionary::from([("name", Variant::from(name)), ("mass", mass.into())])
}

impl Node for Pod {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("mass", |pod: &mut Self| &mut pod.mass)
    }
}

/// `lamp.gd`.
#[derive(Default)]
pub(super) struct Lamp {
    pub(super) lit: Replicated<bool>,
}

impl Node for Lamp {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("lit", |lamp: &mut Self| &mut lamp.lit)
    }
}
