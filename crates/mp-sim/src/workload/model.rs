//! What a server means its clients to see, kept plainly beside what it tells them: the reference for
//! [`mirror`](crate::checker::mirror).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::PeerId;

use super::bud::BUD;

/// The model of the server that runs, or ran last.
pub type SharedModel = Rc<RefCell<Model>>;

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Model {
    /// The plants, by name.
    pub plants: BTreeMap<String, Plant>,
    /// The seats of those who have joined; one that was sent away leaves its seat behind.
    pub seats: BTreeSet<PeerId>,
    /// What the board says.
    pub board: i64,
    /// How many plants there ever were.
    pub last: u32,
}

/// A plant that the server has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plant {
    /// In which bed it stands.
    pub bed: usize,
    /// Its height.
    pub height: i64,
    /// Its label.
    pub label: String,
    /// The size of its bud.
    pub bud: i64,
    /// Whether everyone sees it.
    pub is_public: bool,
    /// Who sees it when it is not public.
    pub listed: BTreeSet<PeerId>,
    /// The heights of its sprouts, when it is one that has some.
    pub sprouts: Option<BTreeMap<String, i64>>,
}

impl Model {
    /// The plants that `peer` is to see, by their paths, with height and label; of sprouts and
    /// buds the label is empty.
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
