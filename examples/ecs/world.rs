//! The entities: components in columns, and mp's trait `NodeTree` on them.

use std::any::Any;
use std::rc::Rc;

use mp::prelude::*;
use mp::scene::property::Accessor;
use mp::scene::rpc::RpcIds;
use mp::scene::tree::{InstanceParts, NodeTree, TreeChange};
use mp::scene::{PropertyError, TreeError};

/// The entities. Row `i` of each column belongs to the entity with index `i`.
pub(crate) struct World {
    /// Number of removals from each row. It distinguishes an entity from earlier ones of its row.
    generations: Vec<u32>,
    /// The place of each entity in the hierarchy; `None`: the row is free.
    places: Vec<Option<Place>>,
    /// Synchronizers and spawners.
    replicators: Vec<Option<Box<dyn Node>>>,
    pub(crate) ships: Ships,
    changes: Vec<TreeChange>,
    vacated: Vec<String>,
    /// The methods of ships, and of all other entities.
    ship_methods: Rc<RpcIds>,
    no_methods: Rc<RpcIds>,
}

/// The component that makes an entity a node.
struct Place {
    name: String,
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    authority: PeerId,
    scene_file_path: Option<Rc<str>>,
}

/// The columns of ships. mp borrows them as the object of an entity, and reads and writes a row of
/// one column by a [`Column`].
#[derive(Default)]
pub(crate) struct Ships {
    pub(crate) pilots: Vec<Option<PeerId>>,
    pub(crate) positions: Vec<Vector2>,
    pub(crate) velocities: Vec<Vector2>,
    pub(crate) lives: Vec<i64>,
}

impl Node for Ships {}

/// The initial components of a ship, as the object of an [`Instance`].
pub(crate) struct ShipBundle {
    pub(crate) pilot: PeerId,
    pub(crate) position: Vector2,
    pub(crate) lives: i64,
}

impl Node for ShipBundle {}

/// A property: a row of a column.
struct Column {
    row: usize,
    property: Property,
}

#[derive(Clone, Copy)]
enum Property {
    Position,
    Lives,
}

impl World {
    /// Creates a world with the entity `/root`.
    pub(crate) fn new() -> Self {
        let any = RpcConfig::any_peer();
        let methods = [("steer", any), ("hit", RpcConfig::authority())];
        let mut world = Self {
            generations: Vec::new(),
            places: Vec::new(),
            replicators: Vec::new(),
            ships: Ships::default(),
            changes: Vec::new(),
            vacated: Vec::new(),
            ship_methods: Rc::new(RpcIds::of_methods(methods)),
            no_methods: Rc::new(RpcIds::default()),
        };
        world.insert(None, Instance::new("root", Group).into_parts());
        world
    }

    /// Returns the topmost entity.
    pub(crate) fn root(&self) -> NodeId {
        NodeId::from_parts(0, 0)
    }

    /// Adds an entity with its children. Siblings have different names.
    pub(crate) fn add(&mut self, parent: NodeId, instance: Instance) -> Result<NodeId, TreeError> {
        let parts = instance.into_parts();
        let siblings = &self.place(parent).ok_or(TreeError::NotInTree)?.children;
        if siblings.iter().any(|&sibling| self.name_of(sibling) == Some(&parts.name)) {
            return Err(TreeError::NameTaken(parts.name));
        }
        Ok(self.insert(Some(parent), parts))
    }

    /// Removes an entity with its children, which leave first.
    pub(crate) fn remove(&mut self, entity: NodeId) {
        let Some(place) = self.place(entity) else { return };
        let parent = place.parent;
        for child in place.children.clone() {
            self.remove(child);
        }
        if let Some(parent) = parent.and_then(|parent| self.place_mut(parent)) {
            parent.children.retain(|&child| child != entity);
        }
        self.vacated.extend(self.path_of(entity));
        self.changes.push(TreeChange::Removed(entity));
        let row = row(entity);
        self.places[row] = None;
        self.replicators[row] = None;
        self.ships.pilots[row] = None;
        self.generations[row] += 1;
    }

    /// Returns the entities that exist, in the order of their rows.
    pub(crate) fn entities(&self) -> Vec<NodeId> {
        let indices = (0..).zip(&self.generations).zip(&self.places);
        let existing = indices.filter(|(_, place)| place.is_some());
        existing.map(|((index, &generation), _)| NodeId::from_parts(index, generation)).collect()
    }

    /// Returns the ship of `pilot`.
    pub(crate) fn ship_of(&self, pilot: PeerId) -> Option<NodeId> {
        let mut ships = self.entities().into_iter();
        ships.find(|&entity| self.ships.pilots[row(entity)] == Some(pilot))
    }

    /// Writes a new entity into a free row, or into a new one.
    fn insert(&mut self, parent: Option<NodeId>, parts: InstanceParts) -> NodeId {
        let free = self.places.iter().position(Option::is_none);
        let row = free.unwrap_or_else(|| self.add_row());
        let index = u32::try_from(row).expect("there is memory for fewer than 2³² rows");
        let entity = NodeId::from_parts(index, self.generations[row]);
        let InstanceParts { name, object, authority, scene_file_path, children, .. } = parts;
        let above = parent.and_then(|parent| self.place(parent)).map(|place| place.authority);
        let authority = authority.or(above).unwrap_or(PeerId::SERVER);
        let place = Place { name, parent, children: Vec::new(), authority, scene_file_path };
        self.places[row] = Some(place);
        if let Some(parent) = parent.and_then(|parent| self.place_mut(parent)) {
            parent.children.push(entity);
        }
        self.write_components(row, object);
        self.changes.push(TreeChange::Added(entity));
        for child in children {
            self.insert(Some(entity), child.into_parts());
        }
        entity
    }

    fn add_row(&mut self) -> usize {
        self.generations.push(0);
        self.places.push(None);
        self.replicators.push(None);
        self.ships.pilots.push(None);
        self.ships.positions.push(Vector2::ZERO);
        self.ships.velocities.push(Vector2::ZERO);
        self.ships.lives.push(0);
        self.places.len() - 1
    }

    /// Moves the object of an instance into the columns.
    fn write_components(&mut self, row: usize, mut object: Box<dyn Node>) {
        if object.as_synchronizer().is_some() || object.as_spawner().is_some() {
            self.replicators[row] = Some(object);
            return;
        }
        let object: Box<dyn Any> = object;
        if let Ok(ship) = object.downcast::<ShipBundle>() {
            self.ships.pilots[row] = Some(ship.pilot);
            self.ships.positions[row] = ship.position;
            self.ships.velocities[row] = Vector2::ZERO;
            self.ships.lives[row] = ship.lives;
        }
    }

    /// Returns the place of an entity; `None` if it has left, also if its row is used again.
    fn place(&self, entity: NodeId) -> Option<&Place> {
        let is_current = self.generations.get(row(entity)) == Some(&entity.generation());
        self.places.get(row(entity)).filter(|_| is_current)?.as_ref()
    }

    fn place_mut(&mut self, entity: NodeId) -> Option<&mut Place> {
        self.place(entity)?;
        self.places[row(entity)].as_mut()
    }
}

/// Returns the row of an entity.
pub(crate) fn row(entity: NodeId) -> usize {
    entity.index() as usize
}

impl NodeTree for World {
    fn find(&self, path: &str) -> Option<NodeId> {
        self.find_from(self.root(), path)
    }

    fn root_path(&self) -> String {
        "/root".to_owned()
    }

    fn set_root_path(&mut self, path: &str) -> Result<(), TreeError> {
        if path == "/root" { Ok(()) } else { Err(TreeError::NotFound(path.to_owned())) }
    }

    fn find_from(&self, from: NodeId, path: &str) -> Option<NodeId> {
        let absolute = path.strip_prefix("/root").map(|rest| rest.trim_start_matches('/'));
        let start = if absolute.is_some() { self.root() } else { from };
        let mut steps = absolute.unwrap_or(path).split('/').filter(|step| !step.is_empty());
        steps.try_fold(start, |entity, step| match step {
            "." => Some(entity),
            ".." => self.parent_of(entity),
            name => {
                let children = &self.place(entity)?.children;
                children.iter().copied().find(|&child| self.name_of(child) == Some(name))
            }
        })
    }

    fn name_of(&self, node: NodeId) -> Option<&str> {
        self.place(node).map(|place| &*place.name)
    }

    fn parent_of(&self, node: NodeId) -> Option<NodeId> {
        self.place(node)?.parent
    }

    fn scene_file_path(&self, node: NodeId) -> Option<&str> {
        self.place(node)?.scene_file_path.as_deref()
    }

    fn path_of(&self, node: NodeId) -> Option<String> {
        let place = self.place(node)?;
        match place.parent {
            None => Some(".".to_owned()),
            Some(parent) if parent == self.root() => Some(place.name.clone()),
            Some(parent) => Some(format!("{}/{}", self.path_of(parent)?, place.name)),
        }
    }

    fn is_below_root(&self, node: NodeId) -> bool {
        self.place(node).is_some()
    }

    fn multiplayer_authority(&self, node: NodeId) -> Option<PeerId> {
        self.place(node).map(|place| place.authority)
    }

    fn rpc_ids(&self, node: NodeId) -> Option<Rc<RpcIds>> {
        self.place(node)?;
        let is_ship = self.ships.pilots[row(node)].is_some();
        Some(Rc::clone(if is_ship { &self.ship_methods } else { &self.no_methods }))
    }

    fn object_mut(&mut self, node: NodeId) -> Option<&mut dyn Node> {
        self.place(node)?;
        match &mut self.replicators[row(node)] {
            Some(replicator) => Some(&mut **replicator),
            None => Some(&mut self.ships),
        }
    }

    fn property(&self, node: NodeId, name: &str) -> Option<Rc<dyn Accessor>> {
        self.place(node)?;
        self.ships.pilots[row(node)]?;
        let property = match name {
            "position" => Property::Position,
            "lives" => Property::Lives,
            _ => return None,
        };
        Some(Rc::new(Column { row: row(node), property }))
    }

    fn instantiate(&mut self, parent: NodeId, instance: Instance) -> Result<NodeId, TreeError> {
        self.add(parent, instance)
    }

    fn instantiate_readable(
        &mut self,
        parent: NodeId,
        instance: Instance,
    ) -> Result<NodeId, TreeError> {
        // Names of ships contain the ids of their pilots, so they differ.
        self.add(parent, instance)
    }

    fn free(&mut self, node: NodeId) {
        if node != self.root() {
            self.remove(node);
        }
    }

    fn take_changes(&mut self) -> Vec<TreeChange> {
        std::mem::take(&mut self.changes)
    }

    fn take_vacated(&mut self) -> Vec<String> {
        std::mem::take(&mut self.vacated)
    }
}

impl Accessor for Column {
    fn read(&self, object: &mut dyn Any) -> Result<Variant, PropertyError> {
        let ships = object.downcast_mut::<Ships>().ok_or(PropertyError::NoProperty)?;
        Ok(match self.property {
            Property::Position => ships.positions[self.row].into(),
            Property::Lives => ships.lives[self.row].into(),
        })
    }

    fn write(&self, object: &mut dyn Any, value: Variant) -> Result<(), PropertyError> {
        let ships = object.downcast_mut::<Ships>().ok_or(PropertyError::NoProperty)?;
        match self.property {
            Property::Position => ships.positions[self.row] = Vector2::from_variant(value)?,
            Property::Lives => ships.lives[self.row] = i64::from_variant(value)?,
        }
        Ok(())
    }
}
