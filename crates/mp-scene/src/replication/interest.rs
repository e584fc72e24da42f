//! Interest by distance and layers: who sees what is near, at the cost of what has moved.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};
use mp_core::PeerId;
use mp_core::variant::{Vector2, Vector3};

use super::MultiplayerSynchronizer;
use crate::Scene;
use crate::tree::{NodeId, NodeRef};

/// Lets peers see the synchronizers that are near them. It works for unmodified Godot clients, as it only decides who is sent what.
///
/// Synchronizers are [placed](Self::place), peers get a [view](Self::set_view), and [`update`](Self::update) then lists peers with
/// synchronizers ([`set_visibility_for`](MultiplayerSynchronizer::set_visibility_for)) or takes them off, for what has moved since the
/// last time only. Synchronizers should not be public, or everyone sees them anyway.
///
/// Space is cut into square cells; in space of three dimensions by x and z, while distances are true. A cell should be about as large
/// as views reach.
///
/// ```
/// use mp_scene::prelude::*;
/// use mp_scene::InterestGrid;
/// use mp_core::variant::Vector2;
///
/// let mut branch = Branch::builder("/root/Main").build()?;
/// let scene = branch.scene();
/// let sync = MultiplayerSynchronizer::default().public_visibility(false);
/// let sync = scene.add("Sync", sync)?;
///
/// let mut grid = InterestGrid::new(500.0);
/// grid.place(sync.id(), Vector2::new(100.0, 0.0), InterestGrid::EVERY_LAYER);
/// let peer = PeerId::new(7).unwrap();
/// grid.set_view(peer, Vector2::ZERO, 300.0, InterestGrid::EVERY_LAYER);
/// grid.update(scene);
/// assert!(scene.get(sync)?.visibility_for(peer));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct InterestGrid<V: Place = Vector2> {
    cell_size: f32,
    margin: f32,
    placed: IndexMap<NodeId, Placed<V>>,
    views: IndexMap<PeerId, View<V>>,
    cells: HashMap<Cell, Content>,
    moved: IndexSet<NodeId>,
    looking: IndexSet<PeerId>,
    gone: Vec<(NodeId, PeerId)>,
}

/// A position that an [`InterestGrid`] knows how to cut into cells.
pub trait Place: Copy {
    /// What is the same for all in a column of cells.
    fn ground(self) -> (f32, f32);

    /// The square of the distance to `other`.
    fn distance_squared(self, other: Self) -> f32;
}

type Cell = (i32, i32);

#[derive(Debug)]
struct Placed<V> {
    position: V,
    layers: u32,
    cell: Cell,
    seen_by: IndexSet<PeerId>,
}

#[derive(Debug)]
struct View<V> {
    position: V,
    radius: f32,
    layers: u32,
    /// The corners of the cells that it reaches.
    reach: (Cell, Cell),
    sees: IndexSet<NodeId>,
}

/// What is in a cell, and who looks into it.
#[derive(Debug, Default)]
struct Content {
    placed: IndexSet<NodeId>,
    views: IndexSet<PeerId>,
}

impl InterestGrid<Vector2> {
    /// All layers: a synchronizer and a view that have one in common can meet.
    pub const EVERY_LAYER: u32 = u32::MAX;
}

impl<V: Place> InterestGrid<V> {
    /// A grid with cells of this size.
    ///
    /// # Panics
    ///
    /// When it is not a positive number.
    pub fn new(cell_size: f32) -> Self {
        assert!(
            cell_size > 0.0 && cell_size.is_finite(),
            "cells of size {cell_size} cannot be cut"
        );
        Self {
            cell_size,
            margin: 0.0,
            placed: IndexMap::new(),
            views: IndexMap::new(),
            cells: HashMap::new(),
            moved: IndexSet::new(),
            looking: IndexSet::new(),
            gone: Vec::new(),
        }
    }

    /// Keeps what is seen until it is this much farther away than the radius, so that what moves along the edge is not announced
    /// again and again (default: 0).
    #[must_use]
    pub fn margin(mut self, margin: f32) -> Self {
        self.margin = margin.max(0.0);
        self
    }

    /// Puts a synchronizer somewhere, or moves it there.
    pub fn place(&mut self, synchronizer: NodeId, position: V, layers: u32) {
        let cell = self.cell_of(position);
        let placed = self.placed.entry(synchronizer).or_insert_with(|| {
            let seen_by = IndexSet::new();
            self.cells.entry(cell).or_default().placed.insert(synchronizer);
            Placed { position, layers, cell, seen_by }
        });
        if placed.cell != cell {
            let old = std::mem::replace(&mut placed.cell, cell);
            if let Some(content) = self.cells.get_mut(&old) {
                content.placed.swap_remove(&synchronizer);
            }
            self.cells.entry(cell).or_default().placed.insert(synchronizer);
            self.tidy(old);
        }
        if let Some(placed) = self.placed.get_mut(&synchronizer) {
            (placed.position, placed.layers) = (position, layers);
        }
        self.moved.insert(synchronizer);
    }

    /// Forgets a synchronizer. Peers that see it go on to, unless it has left the tree.
    pub fn remove(&mut self, synchronizer: NodeId) {
        let Some(placed) = self.placed.swap_remove(&synchronizer) else { return };
        self.moved.swap_remove(&synchronizer);
        for peer in placed.seen_by {
            if let Some(view) = self.views.get_mut(&peer) {
                view.sees.swap_remove(&synchronizer);
            }
        }
        if let Some(content) = self.cells.get_mut(&placed.cell) {
            content.placed.swap_remove(&synchronizer);
        }
        self.tidy(placed.cell);
    }

    /// Says where a peer looks from, how far, and at which layers. It reaches 64 cells in each direction at most.
    pub fn set_view(&mut self, peer: PeerId, position: V, radius: f32, layers: u32) {
        let reach = self.reach_of(position, radius + self.margin);
        let old = self.views.get(&peer).map(|view| view.reach);
        if old != Some(reach) {
            if let Some(old) = old {
                self.look_away(peer, old);
            }
            for cell in cells(reach) {
                self.cells.entry(cell).or_default().views.insert(peer);
            }
        }
        let sees = self.views.get_mut(&peer).map(|view| std::mem::take(&mut view.sees));
        let sees = sees.unwrap_or_default();
        self.views.insert(peer, View { position, radius, layers, reach, sees });
        self.looking.insert(peer);
    }

    /// Forgets a peer; it sees nothing of what is placed any more.
    pub fn remove_view(&mut self, peer: PeerId) {
        let Some(view) = self.views.swap_remove(&peer) else { return };
        self.looking.swap_remove(&peer);
        self.look_away(peer, view.reach);
        for synchronizer in view.sees {
            if let Some(placed) = self.placed.get_mut(&synchronizer) {
                placed.seen_by.swap_remove(&peer);
            }
            self.gone.push((synchronizer, peer));
        }
    }

    /// Settles who sees what has moved, and what those see who have. Synchronizers that have left the tree are forgotten.
    pub fn update(&mut self, scene: &mut Scene) {
        let mut changes = Vec::new();
        for (synchronizer, peer) in std::mem::take(&mut self.gone) {
            changes.push((synchronizer, peer, false));
        }
        for synchronizer in std::mem::take(&mut self.moved) {
            let Some(placed) = self.placed.get(&synchronizer) else { continue };
            let near = self.cells.get(&placed.cell).into_iter().flat_map(|content| &content.views);
            let candidates: IndexSet<_> = near.chain(&placed.seen_by).copied().collect();
            for peer in candidates {
                self.settle(synchronizer, peer, &mut changes);
            }
        }
        for peer in std::mem::take(&mut self.looking) {
            let Some(view) = self.views.get(&peer) else { continue };
            let near = cells(view.reach).filter_map(|cell| self.cells.get(&cell));
            let near = near.flat_map(|content| &content.placed);
            let candidates: IndexSet<_> = near.chain(&view.sees).copied().collect();
            for synchronizer in candidates {
                self.settle(synchronizer, peer, &mut changes);
            }
        }
        for (synchronizer, peer, sees) in changes {
            let node: NodeRef<MultiplayerSynchronizer> = NodeRef::new(synchronizer);
            match scene.get_mut(node) {
                Ok(node) => node.set_visibility_for(peer, sees),
                Err(_) => self.remove(synchronizer),
            }
        }
    }

    fn settle(
        &mut self,
        synchronizer: NodeId,
        peer: PeerId,
        changes: &mut Vec<(NodeId, PeerId, bool)>,
    ) {
        let Some(placed) = self.placed.get_mut(&synchronizer) else { return };
        let Some(view) = self.views.get_mut(&peer) else { return };
        let saw = view.sees.contains(&synchronizer);
        let radius = if saw { view.radius + self.margin } else { view.radius };
        let is_near = placed.position.distance_squared(view.position) <= radius * radius;
        let sees = is_near && placed.layers & view.layers != 0;
        if sees == saw {
            return;
        }
        if sees {
            view.sees.insert(synchronizer);
            placed.seen_by.insert(peer);
        } else {
            view.sees.swap_remove(&synchronizer);
            placed.seen_by.swap_remove(&peer);
        }
        changes.push((synchronizer, peer, sees));
    }

    fn look_away(&mut self, peer: PeerId, reach: (Cell, Cell)) {
        for cell in cells(reach) {
            if let Some(content) = self.cells.get_mut(&cell) {
                content.views.swap_remove(&peer);
            }
            self.tidy(cell);
        }
    }

    /// Forgets a cell that is empty.
    fn tidy(&mut self, cell: Cell) {
        let empty = |content: &Content| content.placed.is_empty() && content.views.is_empty();
        if self.cells.get(&cell).is_some_and(empty) {
            self.cells.remove(&cell);
        }
    }

    fn cell_of(&self, position: V) -> Cell {
        let (x, y) = position.ground();
        self.cell_at(x, y)
    }

    fn reach_of(&self, position: V, radius: f32) -> (Cell, Cell) {
        let (x, y) = position.ground();
        // A view of a whole world must not take memory without end.
        let radius = radius.clamp(0.0, self.cell_size * REACH_MAX);
        (self.cell_at(x - radius, y - radius), self.cell_at(x + radius, y + radius))
    }

    fn cell_at(&self, x: f32, y: f32) -> Cell {
        ((x / self.cell_size).floor() as i32, (y / self.cell_size).floor() as i32)
    }
}

/// Cells that a view reaches in each direction at most.
const REACH_MAX: f32 = 64.0;

fn cells((low, high): (Cell, Cell)) -> impl Iterator<Item = Cell> {
    (low.0..=high.0).flat_map(move |x| (low.1..=high.1).map(move |y| (x, y)))
}

impl Place for Vector2 {
    fn ground(self) -> (f32, f32) {
        (self.x, self.y)
    }

    fn distance_squared(self, other: Self) -> f32 {
        (self.x - other.x).powi(2) + (self.y - other.y).powi(2)
    }
}

impl Place for Vector3 {
    fn ground(self) -> (f32, f32) {
        (self.x, self.z)
    }

    fn distance_squared(self, other: Self) -> f32 {
        (self.x - other.x).powi(2) + (self.y - other.y).powi(2) + (self.z - other.z).powi(2)
    }
}
