//! Builds the list of nodes of a scene.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::{Error, ErrorKind, Position, Result};
use crate::limits::{DEPTH_MAX, NODES_MAX};
use crate::project::Project;
use crate::resource::{Reference, Resource};
use crate::text::Property;
use crate::value::Value;

/// A node, and the places that set its properties.
#[derive(Clone, Debug)]
pub(crate) struct BuiltNode {
    /// Path relative to the root; `.` for the root.
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) type_name: String,
    /// The scene that the node is the root of, if it is not the root of the outermost scene.
    pub(crate) instance: Option<String>,
    /// Sections of the node, from the innermost scene to the outermost, which overrides.
    pub(crate) layers: Vec<Layer>,
}

/// A section of a scene file that sets properties of a node.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) resource: Rc<Resource>,
    pub(crate) index: usize,
}

impl BuiltNode {
    /// Returns a property, and the file in which its references are valid.
    pub(crate) fn property(&self, name: &str) -> Option<(&Resource, &Property)> {
        self.layers.iter().rev().find_map(|layer| {
            let property = layer.resource.node(layer.index).property(name)?;
            Some((&*layer.resource, property))
        })
    }
}

/// Returns the nodes of the scene at a `res://…` path.
pub(crate) fn nodes(project: &Project, path: &str) -> Result<Vec<BuiltNode>> {
    let mut builder = Builder { project, open: Vec::new(), built: BTreeMap::new(), count: 0 };
    let nodes = builder.scene(path)?;
    Ok(Rc::unwrap_or_clone(nodes))
}

struct Builder<'a> {
    project: &'a Project,
    /// Paths of the scenes that are being built.
    open: Vec<String>,
    /// Nodes of scenes that are complete.
    built: BTreeMap<String, Rc<Vec<BuiltNode>>>,
    /// Number of nodes of all scenes that are complete or being built.
    count: usize,
}

/// The nodes of a scene file.
#[derive(Default)]
struct Nodes {
    list: Vec<BuiltNode>,
    indexes: BTreeMap<String, usize>,
}

impl Builder<'_> {
    fn scene(&mut self, path: &str) -> Result<Rc<Vec<BuiltNode>>> {
        if let Some(nodes) = self.built.get(path) {
            return Ok(nodes.clone());
        }
        let resource = self.project.resource(path)?;
        self.open.push(path.to_owned());
        let mut nodes = Nodes::default();
        for index in 0..resource.nodes() {
            self.node(&mut nodes, &resource, index)?;
        }
        if nodes.list.is_empty() {
            return Err(resource.error(Position { line: 1, column: 1 }, "the scene has no node"));
        }
        self.open.pop();
        let nodes = Rc::new(nodes.list);
        self.built.insert(path.to_owned(), nodes.clone());
        Ok(nodes)
    }

    fn node(&mut self, nodes: &mut Nodes, resource: &Rc<Resource>, index: usize) -> Result<()> {
        let section = resource.node(index);
        let position = section.position;
        let Some(name) = section.text("name") else {
            return Err(resource.error(position, "the node has no name"));
        };
        let path = match section.text("parent") {
            None if nodes.list.is_empty() => ".".to_owned(),
            None => return Err(resource.error(position, "a second node without a parent")),
            Some(_) if nodes.list.is_empty() => {
                return Err(resource.error(position, "the root has a parent"));
            }
            Some(".") => name.to_owned(),
            Some(parent) if nodes.indexes.contains_key(parent) => format!("{parent}/{name}"),
            Some(parent) => {
                let message = format!("the parent {parent:?} does not exist");
                return Err(resource.missing(position, message));
            }
        };
        let layer = Layer { resource: resource.clone(), index };
        if let Some(instance) = section.attribute("instance") {
            let scene = self.instance(resource, instance, position)?;
            let is_root = path == ".";
            for inner in self.scene(&scene)?.iter() {
                let mut node = inner.clone();
                if inner.path == "." {
                    node.name = name.to_owned();
                    node.path.clone_from(&path);
                    node.instance = Some(scene.clone());
                    node.layers.push(layer.clone());
                } else if !is_root {
                    node.path = format!("{path}/{}", inner.path);
                }
                self.add(nodes, node, resource, position)?;
            }
            return Ok(());
        }
        let type_name = match section.attribute("instance_placeholder") {
            Some(_) => Some("InstancePlaceholder"),
            None => section.text("type"),
        };
        let Some(type_name) = type_name else {
            // The node is part of an instanced or inherited scene. Godot ignores the properties of
            // one that does not exist any more.
            if let Some(&index) = nodes.indexes.get(&path) {
                nodes.list[index].layers.push(layer);
            }
            return Ok(());
        };
        let node = BuiltNode {
            path,
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            instance: None,
            layers: vec![layer],
        };
        self.add(nodes, node, resource, position)
    }

    fn add(
        &mut self,
        nodes: &mut Nodes,
        node: BuiltNode,
        resource: &Resource,
        position: Position,
    ) -> Result<()> {
        self.count += 1;
        if self.count > NODES_MAX {
            let message = format!("more than {NODES_MAX} nodes with instanced scenes");
            return Err(Error::new(ErrorKind::TooLarge, resource.file(), message).at(position));
        }
        if nodes.indexes.insert(node.path.clone(), nodes.list.len()).is_some() {
            return Err(resource.error(position, format!("a second node {:?}", node.path)));
        }
        nodes.list.push(node);
        Ok(())
    }

    /// Returns the path of an instanced scene.
    fn instance(&self, resource: &Resource, value: &Value, position: Position) -> Result<String> {
        let Some(Reference::File(path)) = resource.reference(self.project, value, position)? else {
            return Err(resource.error(position, "instance is not an ExtResource"));
        };
        if let Some(start) = self.open.iter().position(|it| *it == path) {
            let chain: Vec<&str> =
                self.open[start..].iter().chain([&path]).map(String::as_str).collect();
            let message = format!("scenes instance each other: {}", chain.join(" instances "));
            return Err(Error::new(ErrorKind::Cycle, resource.file(), message).at(position));
        }
        if self.open.len() == DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} nested scenes");
            return Err(Error::new(ErrorKind::TooLarge, resource.file(), message).at(position));
        }
        if !self.project.file(&path).is_file() {
            return Err(resource.missing(position, format!("{path} does not exist")));
        }
        Ok(path)
    }
}
