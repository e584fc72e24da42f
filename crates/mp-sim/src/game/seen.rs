//! [`Seen`]: the nodes and values that a program has.

use std::collections::BTreeMap;

use mp_core::PeerId;
use mp_scene::Scene;
use mp_scene::prelude::*;

use super::nodes::{Flag, Seat, Unit};
use super::owner::{children, sync};

/// The nodes that a program has, or should have, with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// `hp` and `steps` of the flag.
    pub(crate) flag: (i64, i64),
    pub(crate) units: BTreeMap<String, SeenUnit>,
    pub(crate) items: Vec<String>,
    /// Inputs of the players by the name of the seat.
    pub(crate) seats: BTreeMap<String, i64>,
}

/// The values of a unit, and its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeenUnit {
    hp: i64,
    steps: i64,
    /// Names and `hp`.
    parts: Vec<(String, i64)>,
}

impl Seen {
    /// Returns what a program has.
    pub(crate) fn of(scene: &Scene) -> Self {
        let flag = scene.node::<Flag>("Flag").and_then(|flag| scene.get(flag));
        let units = children(scene, "Units").into_iter().map(|(name, node)| {
            let parts = children(scene, &format!("Units/{name}/Parts")).into_iter();
            let parts = parts.map(|(part, node)| (part, values(scene, node).0)).collect();
            let (hp, steps) = values(scene, node);
            (name, SeenUnit { hp, steps, parts })
        });
        let seats = children(scene, "Seats").into_iter().map(|(name, node)| {
            let seat = scene.get(NodeRef::<Seat>::new(node));
            (name, seat.map_or(0, |seat| seat.input))
        });
        Self {
            flag: flag.map_or((0, 0), |flag| (flag.hp, flag.steps)),
            units: units.collect(),
            items: children(scene, "Items").into_iter().map(|(name, _)| name).collect(),
            seats: seats.collect(),
        }
    }

    /// Returns what a player should have of the owner's nodes.
    pub(crate) fn visible_to(player: PeerId, scene: &mut Scene) -> Self {
        let mut seen = Self::of(scene);
        seen.units.retain(|name, _| {
            sync(scene, name)
                .is_none_or(|sync| sync.is_visibility_public() || sync.visibility_for(player))
        });
        seen
    }

    /// Returns the players who have a seat.
    pub(crate) fn players(&self) -> impl Iterator<Item = PeerId> {
        self.seats.keys().filter_map(|seat| PeerId::new(seat.parse().ok()?))
    }

    /// Returns the nodes that both have, with the values of `self`.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.units.retain(|name, _| other.units.contains_key(name));
        self.items.retain(|name| other.items.contains(name));
        self.seats.retain(|name, _| other.seats.contains_key(name));
        self
    }

    /// Returns the names of all spawned nodes.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let parts = self.units.values().flat_map(|unit| unit.parts.iter().map(|(name, _)| name));
        self.units.keys().chain(parts).chain(&self.items).chain(self.seats.keys())
    }
}

fn values(scene: &Scene, node: NodeId) -> (i64, i64) {
    scene.get(NodeRef::<Unit>::new(node)).map_or((0, 0), |unit| (unit.hp, unit.steps))
}
