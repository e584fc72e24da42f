//! [`Owner`]: what the owner of the game does with its nodes.

use mp_core::{PeerId, Rng};
use mp_scene::prelude::*;
use mp_scene::{Scene, TreeError};

use super::ledger::{Ledger, SECRET, is_secret};
use super::nodes::{Flag, Unit, part, seat, unit};
use crate::rng_ext::RngExt;

/// The owner of the game, with its scene.
pub(crate) struct Owner<'a> {
    pub(crate) scene: &'a mut Scene,
    pub(crate) rng: &'a mut Rng,
    pub(crate) ledger: &'a mut Ledger,
}

impl Owner<'_> {
    /// Does something with a node, or nothing.
    pub(crate) fn act(&mut self, players: &[PeerId]) {
        match self.rng.below(60) {
            0 => self.add_unit(),
            1 => self.remove("Units"),
            2 | 3 => self.change_unit(),
            4 | 5 => self.show_or_hide(players),
            6 => self.add_part(),
            7 => self.remove_part(),
            8 => self.add_item(),
            9 => self.remove("Items"),
            10 => self.change_flag(),
            _ => {}
        }
    }

    /// Adds the seat of a player, unless there is one.
    pub(crate) fn add_seat(&mut self, player: PeerId) {
        // A seat of this name may exist.
        if let Ok(seat) = self.scene.add_instance("Seats", seat(player)) {
            own(self.scene, seat);
        }
    }

    /// Removes the seat of a player.
    pub(crate) fn remove_seat(&mut self, player: PeerId) {
        if let Ok(seat) = self.scene.find(&format!("Seats/{player}")) {
            let _ = self.scene.remove(seat);
        }
    }

    fn add_unit(&mut self) {
        if children(self.scene, "Units").len() >= UNITS_MAX {
            return;
        }
        let secret = self.rng.chance(400);
        let name = format!("{}{}", if secret { SECRET } else { 'u' }, self.ledger.next());
        if let Ok(node) = self.scene.add_instance("Units", unit(&name)) {
            own(self.scene, node);
            hide(self.scene, &name);
        }
    }

    fn remove(&mut self, parent: &str) {
        let nodes = children(self.scene, parent);
        if let Some((_, node)) = self.rng.pick(&nodes) {
            let _ = self.scene.remove(*node);
        }
    }

    fn any_unit(&mut self) -> Option<String> {
        let units = children(self.scene, "Units");
        self.rng.pick(&units).map(|(name, _)| name.clone())
    }

    fn change_unit(&mut self) {
        let Some(name) = self.any_unit() else { return };
        let mut paths = vec![format!("Units/{name}")];
        let parts = format!("Units/{name}/Parts");
        paths
            .extend(children(self.scene, &parts).iter().map(|(part, _)| format!("{parts}/{part}")));
        if let Some(path) = self.rng.pick(&paths)
            && let Ok(unit) = self.scene.node::<Unit>(path)
            && let Ok(unit) = self.scene.get_mut(unit)
        {
            match self.rng.below(3) {
                0 => unit.hp += 1,
                1 => unit.steps += 1,
                _ => (unit.hp, unit.steps) = (unit.hp + 1, unit.steps + 1),
            }
        }
    }

    fn change_flag(&mut self) {
        if let Ok(flag) = self.scene.node::<Flag>("Flag")
            && let Ok(flag) = self.scene.get_mut(flag)
        {
            (flag.hp, flag.steps) = (flag.hp + 1, flag.steps + 1);
        }
    }

    fn show_or_hide(&mut self, players: &[PeerId]) {
        let mut units = children(self.scene, "Units");
        units.retain(|(name, _)| is_secret(name));
        if let (Some((name, _)), Some(&player)) = (self.rng.pick(&units), self.rng.pick(players))
            && let Some(sync) = sync(self.scene, name)
        {
            let shows = !sync.visibility_for(player);
            if shows {
                self.ledger.show(name, player);
            }
            sync.set_visibility_for(player, shows);
        }
    }

    fn add_part(&mut self) {
        let Some(name) = self.any_unit() else { return };
        let parts = format!("Units/{name}/Parts");
        if children(self.scene, &parts).len() >= PARTS_MAX {
            return;
        }
        let part = part(&format!("{name}p{}", self.ledger.next()));
        if let Ok(part) = self.scene.add_instance(&parts[..], part) {
            own(self.scene, part);
        }
    }

    fn remove_part(&mut self) {
        if let Some(name) = self.any_unit() {
            self.remove(&format!("Units/{name}/Parts"));
        }
    }

    fn add_item(&mut self) {
        let number = self.ledger.next();
        if children(self.scene, "Items").len() < UNITS_MAX
            && let Ok(spawner) = self.scene.find("ItemSpawner")
        {
            let _ = self.scene.spawn(spawner, number);
        }
    }
}

/// Makes the local peer the owner of the game, as the code of a game does that has become the host:
/// it takes authority over the nodes of the server, and adds its nodes again. Secret units are
/// hidden.
pub(crate) fn take_over(scene: &mut Scene) -> Result<(), TreeError> {
    let limbo = scene.find("Limbo")?;
    for path in ["UnitSpawner", "SeatSpawner", "ItemSpawner", "Flag"] {
        let node = scene.find(path)?;
        own(scene, node);
    }
    for parent in ["Units", "Seats"] {
        for (name, node) in children(scene, parent) {
            own(scene, node);
            hide(scene, &name);
            let parts = children(scene, &format!("{parent}/{name}/Parts"));
            let home = scene.find(parent)?;
            scene.tree_mut().reparent(node, limbo)?;
            scene.tree_mut().reparent(node, home)?;
            scene.flush_changes();
            for (_, part) in parts {
                let Some(home) = scene.tree().parent(part) else { continue };
                scene.tree_mut().reparent(part, limbo)?;
                scene.tree_mut().reparent(part, home)?;
            }
        }
    }
    let spawner = scene.find("ItemSpawner")?;
    for (name, node) in children(scene, "Items") {
        scene.remove(node)?;
        if let Some(number) = name.strip_prefix('i').and_then(|number| number.parse::<i64>().ok()) {
            let _ = scene.spawn(spawner, number);
        }
    }
    Ok(())
}

/// Takes authority over a node and what is below it, except the inputs of players.
fn own(scene: &mut Scene, node: NodeId) {
    let own_id = scene.unique_id();
    let player = scene.tree().name(node).and_then(|name| PeerId::new(name.parse().ok()?));
    // The node exists.
    let _ = scene.tree_mut().set_multiplayer_authority(node, own_id, player.is_none());
}

/// Hides a secret unit from all peers.
fn hide(scene: &mut Scene, unit: &str) {
    if is_secret(unit)
        && let Some(sync) = sync(scene, unit)
    {
        sync.set_public_visibility(false);
    }
}

/// Returns the synchronizer of a unit.
pub(crate) fn sync<'s>(
    scene: &'s mut Scene,
    unit: &str,
) -> Option<&'s mut MultiplayerSynchronizer> {
    let node = scene.node::<MultiplayerSynchronizer>(&format!("Units/{unit}/Sync")).ok()?;
    scene.get_mut(node).ok()
}

/// Returns the children of a node by name; none if there is no such node.
pub(super) fn children(scene: &Scene, path: &str) -> Vec<(String, NodeId)> {
    let Ok(parent) = scene.find(path) else { return Vec::new() };
    let name = |node| (scene.tree().name(node).unwrap_or_default().to_owned(), node);
    let mut children: Vec<_> = scene.tree().children(parent).map(name).collect();
    children.sort();
    children
}

/// Maximum number of units, and of items.
const UNITS_MAX: usize = 6;
/// Maximum number of parts of a unit.
const PARTS_MAX: usize = 3;
