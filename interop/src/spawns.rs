//! Log of spawned and despawned nodes.

use std::cell::RefCell;
use std::rc::Rc;

use mp_scene::prelude::*;
use serde_json::json;

use crate::report::Report;

/// Names of nodes in the order in which remote peers spawned and despawned them. Clones share the
/// log.
#[derive(Clone, Default)]
pub(crate) struct Spawns(Rc<RefCell<Vec<String>>>);

impl Spawns {
    /// Records a signal of a spawner as `+name` or `-name`.
    pub(crate) fn note(&self, report: &Report, scene: &Scene, signal: &Signal) {
        let (event, sign, name) = match signal {
            Signal::Spawned { node, .. } => ("spawned", '+', scene.tree().name(*node)),
            Signal::Despawned { name, .. } => ("despawned", '-', Some(name.as_str())),
            _ => return,
        };
        let name = name.unwrap_or_default();
        report.say(&json!({ "event": event, "name": name }));
        self.0.borrow_mut().push(format!("{sign}{name}"));
    }

    /// Returns all entries.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Returns the number of entries.
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Returns the entries from index `first` on.
    pub(crate) fn since(&self, first: usize) -> Vec<String> {
        self.0.borrow().iter().skip(first).cloned().collect()
    }
}
