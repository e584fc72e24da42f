//! Interest management: visibility by distance and layers, updated only for objects that moved.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};
use mp_core::PeerId;
use mp_core::variant::{Vector2, Vector3};

use super::MultiplayerSynchronizer;
use crate::Scene;
use crate::tree::{NodeId, NodeRef};

/// Makes synchronizers visible to the peers near them. It works with unmodified Godot clients,
/// since only the server decides which data it sends.
///
/// Synchronizers get a [position](Self::place), peers get a [view](Self::set_view).
/// [`update`](Self::update) then calls
/// [`set_visibility_for`](MultiplayerSynchronizer::set_visibility_for) for what moved since the
/// last update. Synchronizers must not be public, else they are visible to all peers anyway.
///
/// Space is divided into square cells, in three dimensions by x and z; distances use all
/// coordinates. A cell should be about as large as the radius of a view.
///
/// ```
/// use mp_scene::prelude::*;
/// use mp_scene::InterestGrid;
/// use mp_core::variant::Vector2;
///
/// let mut branch = Branch::builder("/root/Main").build()?;
/// let scene = branch.scene();
/// let sync = MultiplayerSynchronizer::default().with_public_visibility(false);
/// let sync = scene.add("Sync", sync)?;
///
/// let mut grid = InterestGrid::new(500.0);
/// grid.place(sync.id(), Vector2::new(100.0, 0.0), InterestGrid::ALL_LAYERS);
/// let peer = PeerId::new(7).unwrap();
/// grid.set_view(peer, Vector2::ZERO, 300.0, InterestGrid::ALL_LAYERS);
/// grid.update(scene);
/// assert!(scene.get(sync)?.visibility_for(peer));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct InterestGrid<V: GridPosition = Vector2> {
    cell_size: f32,
    margin: f32,
    placed: IndexMap<NodeId, Placed<V>>,
    views: IndexMap<PeerId, View<V>>,
    cells: HashMap<Cell, CellContent>,
    moved: IndexSet<NodeId>,
    changed_views: IndexSet<PeerId>,
    hidden: Vec<(NodeId, PeerId)>,
}

/// A position in the space of an [`InterestGrid`].
pub trait GridPosition: Copy {
    /// Returns the coordinates that select the cell: x and y in two dimensions, x and z in three.
    fn ground(self) -> (f32, f32);

    /// Returns the square of the distance to `other`.
    fn distance_squared(self, other: Self) -> f32;
}

type Cell = (i32, i32);

#[derive(Debug)]
struct Placed<V> {
    position: V,
    layers: u32,
    cell: Cell,
    viewers: IndexSet<PeerId>,
}

#[derive(Debug)]
struct View<V> {
    position: V,
    radius: f32,
    layers: u32,
    /// The lowest and the highest cell in range.
    reach: (Cell, Cell),
    visible: IndexSet<NodeId>,
}

/// The synchronizers in a cell, and the peers whose views reach the cell.
#[derive(Debug, Default)]
struct CellContent {
    placed: IndexSet<NodeId>,
    views: IndexSet<PeerId>,
}

impl InterestGrid<Vector2> {
    /// All layers. A view shows only synchronizers with which it has a layer in common.
    pub const ALL_LAYERS: u32 = u32::MAX;
}

impl<V: GridPosition> InterestGrid<V> {
    /// Creates a grid with cells of this size.
    ///
    /// # Panics
    ///
    /// If the size is not a positive finite number.
    pub fn new(cell_size: f32) -> Self {
        assert!(
            cell_size > 0.0 && cell_size.is_finite(),
            "the cell size {cell_size} is not a positive finite number"
        );
        Self {
            cell_size,
            margin: 0.0,
            placed: IndexMap::new(),
            views: IndexMap::new(),
            cells: HashMap::new(),
            moved: IndexSet::new(),
            changed_views: IndexSet::new(),
            hidden: Vec::new(),
        }
    }

    /// Sets the distance beyond a view's radius up to which visible synchronizers stay visible
    /// (default: 0), so that an object that moves along the edge is not announced repeatedly.
    #[must_use]
    pub fn margin(mut self, margin: f32) -> Self {
        self.margin = margin.max(0.0);
        self
    }

    /// Adds a synchronizer at a position, or moves it there.
    pub fn place(&mut self, synchronizer: NodeId, position: V, layers: u32) {
        let cell = self.cell_of(position);
        let placed = self.placed.entry(synchronizer).or_insert_with(|| {
            let viewers = IndexSet::new();
            self.cells.entry(cell).or_default().placed.insert(synchronizer);
            Placed { position, layers, cell, viewers }
        });
        if placed.cell != cell {
            let old = std::mem::replace(&mut placed.cell, cell);
            if let Some(content) = self.cells.get_mut(&old) {
                content.placed.swap_remove(&synchronizer);
            }
            self.cells.entry(cell).or_default().placed.insert(synchronizer);
            self.remove_if_empty(old);
        }
        if let Some(placed) = self.placed.get_mut(&synchronizer) {
            (placed.position, placed.layers) = (position, layers);
        }
        self.moved.insert(synchronizer);
    }

    /// Removes a synchronizer. Its visibility to peers does not change.
    pub fn remove(&mut self, synchronizer: NodeId) {
        let Some(placed) = self.placed.swap_remove(&synchronizer) else { return };
        self.moved.swap_remove(&synchronizer);
        for peer in placed.viewers {
            if let Some(view) = self.views.get_mut(&peer) {
                view.visible.swap_remove(&synchronizer);
            }
        }
        if let Some(content) = self.cells.get_mut(&placed.cell) {
            content.placed.swap_remove(&synchronizer);
        }
        self.remove_if_empty(placed.cell);
    }

    /// Sets the position, radius and layers of a peer's view. A view reaches at most 64 cells in
    /// each direction.
    pub fn set_view(&mut self, peer: PeerId, position: V, radius: f32, layers: u32) {
        let reach = self.reach_of(position, radius + self.margin);
        let old = self.views.get(&peer).map(|view| view.reach);
        if old != Some(reach) {
            if let Some(old) = old {
                self.remove_view_from_cells(peer, old);
            }
            for cell in cells(reach) {
                self.cells.entry(cell).or_default().views.insert(peer);
            }
        }
        let visible = self.views.get_mut(&peer).map(|view| std::mem::take(&mut view.visible));
        let visible = visible.unwrap_or_default();
        self.views.insert(peer, View { position, radius, layers, reach, visible });
        self.changed_views.insert(peer);
    }

    /// Removes a peer's view. The next [`update`](Self::update) hides all placed synchronizers from
    /// the peer.
    pub fn remove_view(&mut self, peer: PeerId) {
        let Some(view) = self.views.swap_remove(&peer) else { return };
        self.changed_views.swap_remove(&peer);
        self.remove_view_from_cells(peer, view.reach);
        for synchronizer in view.visible {
            if let Some(placed) = self.placed.get_mut(&synchronizer) {
                placed.viewers.swap_remove(&peer);
            }
            self.hidden.push((synchronizer, peer));
        }
    }

    /// Updates the visibility of synchronizers that moved and for views that changed. Synchronizers
    /// that are not in the tree any more are removed.
    pub fn update(&mut self, scene: &mut Scene) {
        let mut changes = Vec::new();
        for (synchronizer, peer) in std::mem::take(&mut self.hidden) {
            changes.push((synchronizer, peer, false));
        }
        for synchronizer in std::mem::take(&mut self.moved) {
            let Some(placed) = self.placed.get(&synchronizer) else { continue };
            let near = self.cells.get(&placed.cell).into_iter().flat_map(|content| &content.views);
            let candidates: IndexSet<_> = near.chain(&placed.viewers).copied().collect();
            for peer in candidates {
                self.update_pair(synchronizer, peer, &mut changes);
            }
        }
        for peer in std::mem::take(&mut self.changed_views) {
            let Some(view) = self.views.get(&peer) else { continue };
            let near = cells(view.reach).filter_map(|cell| self.cells.get(&cell));
            let near = near.flat_map(|content| &content.placed);
            let candidates: IndexSet<_> = near.chain(&view.visible).copied().collect();
            for synchronizer in candidates {
                self.update_pair(synchronizer, peer, &mut changes);
            }
        }
        for (synchronizer, peer, visible) in changes {
            let node: NodeRef<MultiplayerSynchronizer> = NodeRef::new(synchronizer);
            match scene.get_mut(node) {
                Ok(node) => node.set_visibility_for(peer, visible),
                Err(_) => self.remove(synchronizer),
            }
        }
    }

    fn update_pair(
        &mut self,
        synchronizer: NodeId,
        peer: PeerId,
        changes: &mut Vec<(NodeId, PeerId, bool)>,
    ) {
        let Some(placed) = self.placed.get_mut(&synchronizer) else { return };
        let Some(view) = self.views.get_mut(&peer) else { return };
        let was_visible = view.visible.contains(&synchronizer);
        let radius = if was_visible { view.radius + self.margin } else { view.radius };
        let is_near = placed.position.distance_squared(view.position) <= radius * radius;
        let visible = is_near && placed.layers & view.layers != 0;
        if visible == was_visible {
            return;
        }
        if visible {
            view.visible.insert(synchronizer);
            placed.viewers.insert(peer);
        } else {
            view.visible.swap_remove(&synchronizer);
            placed.viewers.swap_remove(&peer);
        }
        changes.push((synchronizer, peer, visible));
    }

    fn remove_view_from_cells(&mut self, peer: PeerId, reach: (Cell, Cell)) {
        for cell in cells(reach) {
            if let Some(content) = self.cells.get_mut(&cell) {
                content.views.swap_remove(&peer);
            }
            self.remove_if_empty(cell);
        }
    }

    /// Removes a cell if it is empty.
    fn remove_if_empty(&mut self, cell: Cell) {
        let empty = |content: &CellContent| content.placed.is_empty() && content.views.is_empty();
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
        // Bounds the number of cells, and so the memory, of a view of the whole world.
        let radius = radius.clamp(0.0, self.cell_size * REACH_MAX);
        (self.cell_at(x - radius, y - radius), self.cell_at(x + radius, y + radius))
    }

    fn cell_at(&self, x: f32, y: f32) -> Cell {
        ((x / self.cell_size).floor() as i32, (y / self.cell_size).floor() as i32)
    }
}

/// Maximum number of cells that a view reaches in each direction.
const REACH_MAX: f32 = 64.0;

fn cells((low, high): (Cell, Cell)) -> impl Iterator<Item = Cell> {
    (low.0..=high.0).flat_map(move |x| (low.1..=high.1).map(move |y| (x, y)))
}

impl GridPosition for Vector2 {
    fn ground(self) -> (f32, f32) {
        (self.x, self.y)
    }

    fn distance_squared(self, other: Self) -> f32 {
        (self.x - other.x).powi(2) + (self.y - other.y).powi(2)
    }
}

impl GridPosition for Vector3 {
    fn ground(self) -> (f32, f32) {
        (self.x, self.z)
    }

    fn distance_squared(self, other: Self) -> f32 {
        (self.x - other.x).powi(2) + (self.y - other.y).powi(2) + (self.z - other.z).powi(2)
    }
}
