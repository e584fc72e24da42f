//! Snapshots of trees, to compare those of several peers.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::Variant;

use crate::Scene;
use crate::tree::{NodeId, TreeError};

/// The nodes below a node, with the values of the properties that their
/// [`PropertyTable`](crate::PropertyTable)s list.
///
/// ```
/// use mp_scene::prelude::*;
/// use mp_scene::testing::TreeSnapshot;
///
/// let mut server = Branch::builder("/root").setup(|scene| scene.add("Door", Group)).build()?;
/// let mut client = Branch::builder("/root").build()?;
/// let server = TreeSnapshot::of(server.scene(), ".")?;
/// let client = TreeSnapshot::of(client.scene(), ".")?;
/// assert_eq!(server.differences(&client), ["Door: only on the left"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TreeSnapshot {
    /// By path relative to the topmost node.
    nodes: BTreeMap<String, BTreeMap<String, Variant>>,
}

impl TreeSnapshot {
    /// Takes a snapshot of the node at `path` and the nodes below it.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`].
    pub fn of(scene: &mut Scene, path: &str) -> Result<Self, TreeError> {
        let top = scene.find(path)?;
        let mut snapshot = Self::default();
        snapshot.add(scene, top, ".");
        Ok(snapshot)
    }

    /// Returns one line for each node that only one snapshot has, and for each property that both
    /// nodes list with different values. `self` is the left one.
    pub fn differences(&self, right: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for path in self.nodes.keys().chain(right.nodes.keys()).collect::<BTreeSet<_>>() {
            match (self.nodes.get(path), right.nodes.get(path)) {
                (Some(left), Some(right)) => {
                    let both = left.iter().filter_map(|(name, value)| {
                        right.get(name).map(|other| (name, value, other))
                    });
                    let lines =
                        both.filter(|(_, left, right)| left != right).map(|(name, left, right)| {
                            format!("{path}: {name} is {left:?} and {right:?}")
                        });
                    differences.extend(lines);
                }
                (Some(_), None) => differences.push(format!("{path}: only on the left")),
                _ => differences.push(format!("{path}: only on the right")),
            }
        }
        differences
    }

    fn add(&mut self, scene: &mut Scene, node: NodeId, path: &str) {
        self.nodes.insert(path.to_owned(), scene.tree_mut().properties(node));
        for child in scene.tree().children(node).collect::<Vec<_>>() {
            let name = scene.tree().name(child).unwrap_or_default().to_owned();
            let path = if path == "." { name } else { format!("{path}/{name}") };
            self.add(scene, child, &path);
        }
    }
}
