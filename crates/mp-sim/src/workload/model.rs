//! Reference model of the server's replicated nodes, for [`mirror`](crate::checker::mirror).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::PeerId;

use super::bud::BUD;

/// Model of the current or last server.
pub type SharedModel = Rc<RefCell<Model>>;

/// Nodes that each client should have.
#[derive(Debug, Default)]
pub struct Model {
    /// Plants by name.
    pub plants: BTreeMap<String, Plant>,
    /// Peers with a seat. A client that the server disconnected keeps its seat.
    pub seats: BTreeSet<PeerId>,
    /// Number on the board.
    pub board: i64,
    /// Number of plants created so far.
    pub last: u32,
}

/// Expected state of a plant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plant {
    /// Index of the bed.
    pub bed: usize,
    /// Height.
    pub height: i64,
    /// Label.
    pub label: String,
    /// Size of the bud.
    pub bud: i64,
    /// True if every client sees the plant.
    pub is_public: bool,
    /// Clients that see it when it is not public.
    pub listed: BTreeSet<PeerId>,
    /// Heights of the sprouts; `None` for a plant without a spawner.
    pub sprouts: Option<BTreeMap<String, i64>>,
}

impl Model {
    /// Returns the plants that `peer` sees, by path, with height and label. Sprouts and buds have
    /// an empty label. `None` is the server, which has all of them.
    pub fn seen_by(&self, peer: Option<PeerId>) -> BTreeMap<String, (i64, String)> {
        let mut seen = BTreeMap::new();
        for (name, plant) in &self.plants {
            if !plant.is_public && peer.is_some_and(|peer| !plant.listed.contains(&peer)) {
                continue;
            }
            let path = format!("{}/{name}", super::replicas::BEDS[plant.bed]);
            for (sprout, height) in plant.sprouts.iter().flatten() {
                let path = format!("{path}/Sprouts/{sprout}");
                seen.insert(format!("{path}/{BUD}"), (0, String::new()));
                seen.insert(path, (*height, String::new()));
            }
            seen.insert(format!("{path}/{BUD}"), (plant.bud, String::new()));
            seen.insert(path, (plant.height, plant.label.clone()));
        }
        seen
    }
}
