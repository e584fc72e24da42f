//! [`Inspection`]: a copy of a branch's nodes as text, for operators.

use std::fmt::{self, Write};

use mp_core::{PeerId, Variant};

use crate::replication::ReplicationMode;
use crate::tree::{NodeId, NodeTree};
use crate::{MultiplayerSpawner, Scene};

/// The nodes of a branch at a time; see [`Scene::inspect`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The first nodes, parents before their children.
    pub nodes: Vec<InspectedNode>,
    /// Number of further nodes.
    pub omitted: usize,
}

/// A node in an [`Inspection`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedNode {
    /// Path relative to the multiplayer root, as in a [`TrafficReport`](crate::TrafficReport).
    pub path: String,
    /// Name. A peer may have chosen it.
    pub name: String,
    /// Number of nodes above it.
    pub depth: usize,
    /// Peer that has authority over it.
    pub authority: PeerId,
    /// Peer that has announced it, if it was spawned; `None` if it is part of the scene on every
    /// peer.
    pub spawned_by: Option<PeerId>,
    /// True for a [`MultiplayerSpawner`].
    pub is_spawner: bool,
    /// True for a [`MultiplayerSynchronizer`](crate::MultiplayerSynchronizer).
    pub is_synchronizer: bool,
    /// Properties of a synchronizer, in the order in which they are encoded: first those of
    /// announcements, then those that are sent always, then those that are sent after a change.
    pub properties: Vec<InspectedProperty>,
}

/// A property of a synchronizer in an [`Inspection`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedProperty {
    /// Path, such as `.:position`.
    pub path: String,
    /// True if announcements contain it.
    pub spawn: bool,
    /// Time at which it is sent besides.
    pub mode: ReplicationMode,
    /// Current value as Godot prints it, at most [`Inspection::VALUE_MAX`] bytes; `None` if it
    /// cannot be read.
    pub value: Option<String>,
}

impl Inspection {
    /// Maximum bytes of the text of a value.
    pub const VALUE_MAX: usize = 128;
}

impl Scene {
    /// Returns a copy of the first `nodes_max` nodes, with the values of synchronized properties.
    /// The work is proportional to the nodes and values: for an operator, not for each turn.
    pub fn inspect(&mut self, nodes_max: usize) -> Inspection {
        self.flush_changes();
        let (tree, api) = self.parts();
        let multiplayer = api.scene_multiplayer();
        let mut inspection = Inspection::default();
        let mut next = vec![(tree.top(), 0)];
        while let Some((node, depth)) = next.pop() {
            if inspection.nodes.len() == nodes_max {
                inspection.omitted = tree.len() - nodes_max;
                break;
            }
            let children: Vec<_> = tree.children(node).map(|child| (child, depth + 1)).collect();
            next.extend(children.into_iter().rev());
            let properties = multiplayer.inspect_synchronizer(tree, node);
            inspection.nodes.push(InspectedNode {
                path: tree.path_of(node).unwrap_or_default(),
                name: tree.name(node).unwrap_or_default().to_owned(),
                depth,
                authority: tree.multiplayer_authority(node).unwrap_or(PeerId::SERVER),
                spawned_by: multiplayer.spawner_of(node),
                is_spawner: is_spawner(tree, node),
                is_synchronizer: properties.is_some(),
                properties: properties.unwrap_or_default(),
            });
        }
        inspection
    }
}

fn is_spawner(tree: &dyn NodeTree, node: NodeId) -> bool {
    let object: Option<&dyn std::any::Any> = tree.object(node).map(|object| object as _);
    object.is_some_and(|object| object.is::<MultiplayerSpawner>())
}

/// Returns a value as text with at most [`Inspection::VALUE_MAX`] bytes.
pub(crate) fn value_text(value: &Variant) -> String {
    let mut text = BoundedText::default();
    if write!(text, "{value}").is_err() {
        text.0.push(ELLIPSIS);
    }
    text.0
}

/// A text that refuses what exceeds [`Inspection::VALUE_MAX`], so that a large value is not printed
/// completely.
#[derive(Default)]
struct BoundedText(String);

impl Write for BoundedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() + c.len_utf8() + ELLIPSIS.len_utf8() > Inspection::VALUE_MAX {
                return Err(fmt::Error);
            }
            self.0.push(if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
        }
        Ok(())
    }
}

const ELLIPSIS: char = '…';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_values_are_bounded_and_have_no_control_characters() {
        assert_eq!(value_text(&Variant::Int(-7)), "-7");
        assert_eq!(value_text(&Variant::from("a\nb")), "a\u{fffd}b");
        let long = value_text(&Variant::PackedByteArray(vec![200; 1_000]));
        assert!(long.len() <= Inspection::VALUE_MAX && long.ends_with('…'), "{long}");
        assert!(long.starts_with("[200, 200"), "{long}");
    }
}
