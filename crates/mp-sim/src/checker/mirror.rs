//! Checks that in a settled world each peer has exactly the replicated nodes that are visible to
//! it, with the values of their authorities. Then changes nodes below these, and checks that only
//! peers that see the parent receive anything.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::PeerId;
use mp_scene::limits::{DEFERRED_TIME, LEVEL_TIME};
use mp_scene::{Scene, SceneStats};

use super::Checker;
use crate::workload::{BEDS, BUD, Board, Bud, PlantNode, SEATS, Seat, SharedModel, tend_all};
use crate::world::World;

/// Checker of replicated nodes.
#[derive(Debug)]
pub struct MirrorChecker {
    model: SharedModel,
}

impl MirrorChecker {
    /// Creates a checker that compares with `model`.
    pub fn new(model: SharedModel) -> Self {
        Self { model }
    }
}

impl Checker for MirrorChecker {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn check_settled(&mut self, world: &mut World) -> Result<(), String> {
        self.compare(world)?;
        if world.plan().has_respawns {
            // Wait until deferred announcements for removed paths have expired, and are counted as
            // refused.
            let end = world.now() + LEVEL_TIME + DEFERRED_TIME;
            world.run_until(end).map_err(|violation| violation.what)?;
        }
        let before = stats(world)?;
        world.each_program(|program| {
            if program.id.is_server() {
                tend_all(program.branch.scene(), &mut self.model.borrow_mut());
            }
            Ok(())
        })?;
        let end = world.now() + TENDED_TIME;
        world.run_until(end).map_err(|violation| violation.what)?;
        self.compare(world)?;
        self.check_received(world, &before)
    }
}

impl MirrorChecker {
    /// Compares the nodes of each program with the model.
    fn compare(&self, world: &mut World) -> Result<(), String> {
        // Value that each client has written to its own seat.
        let mut written = BTreeMap::new();
        world.each_program(|program| {
            if let Some(value) = seats(program.branch.scene()).remove(&program.id) {
                written.insert(program.id, value);
            }
            Ok(())
        })?;
        let model = self.model.borrow();
        let relays = world.plan().relays;
        world.each_program(|program| {
            let run = program.run;
            let (id, scene) = (program.id, program.branch.scene());
            let peer = (!id.is_server()).then_some(id);
            let (has, expected) = (plants(scene), model.seen_by(peer));
            if has != expected {
                return Err(format!("{run} (peer {id}) has {}", difference(&has, &expected)));
            }
            let number = board(scene);
            if number != Some(model.board) {
                return Err(format!("{run} has {number:?} on the board, not {}", model.board));
            }
            let seats = seats(scene);
            if !seats.keys().eq(&model.seats) {
                return Err(format!("{run} has seats {seats:?}, not {:?}", model.seats));
            }
            for (owner, value) in &written {
                let reaches = relays || id.is_server() || owner == &id;
                if reaches && seats.get(owner).is_some_and(|seat| seat != value) {
                    return Err(format!(
                        "{run} has {:?} for the seat of {owner}, which wrote {value}",
                        seats[owner]
                    ));
                }
            }
            Ok(())
        })
    }
    /// Checks that since `before` no peer received data for nodes that it does not see.
    fn check_received(
        &self,
        world: &mut World,
        before: &BTreeMap<PeerId, SceneStats>,
    ) -> Result<(), String> {
        let model = self.model.borrow();
        world.each_program(|program| {
            let (run, id, now) = (program.run, program.id, program.branch.scene().stats());
            let Some(before) = before.get(&id) else { return Ok(()) };
            let refused = |stats: &SceneStats| {
                stats.refused_calls + stats.refused_announcements + stats.refused_elements
            };
            let refused = refused(&now) - refused(before);
            let received = now.packets_received - before.packets_received;
            if refused > 0 {
                return Err(format!(
                    "{run} (peer {id}) received {refused} items for invisible nodes"
                ));
            }
            let sees_nothing = !id.is_server() && model.seen_by(Some(id)).is_empty();
            if sees_nothing && received > 0 {
                return Err(format!(
                    "{run} (peer {id}) sees no plant but received {received} packets"
                ));
            }
            Ok(())
        })
    }
}

/// Returns the plants, sprouts and buds of a program by path.
fn plants(scene: &mut Scene) -> BTreeMap<String, (i64, String)> {
    let mut found = BTreeMap::new();
    for bed in BEDS {
        for plant in children(scene, bed) {
            let path = format!("{bed}/{plant}");
            found.extend(growing(scene, &path));
            let sprouts = format!("{path}/Sprouts");
            for sprout in children(scene, &sprouts) {
                let path = format!("{sprouts}/{sprout}");
                found.extend(growing(scene, &path));
            }
        }
    }
    found
}

/// Returns the plant or sprout at `path` and its bud, each with its path.
fn growing(scene: &mut Scene, path: &str) -> Vec<(String, (i64, String))> {
    let mut found = Vec::new();
    if let Ok(node) = scene.node::<PlantNode>(path)
        && let Ok(growing) = scene.get(node)
    {
        found.push((path.to_owned(), (*growing.height, growing.label.clone())));
    }
    let path = format!("{path}/{BUD}");
    if let Ok(node) = scene.node::<Bud>(&path)
        && let Ok(bud) = scene.get(node)
    {
        found.push((path, (bud.size, String::new())));
    }
    found
}

fn stats(world: &mut World) -> Result<BTreeMap<PeerId, SceneStats>, String> {
    let mut stats = BTreeMap::new();
    world.each_program(|program| {
        stats.insert(program.id, program.branch.scene().stats());
        Ok(())
    })?;
    Ok(stats)
}

fn seats(scene: &mut Scene) -> BTreeMap<PeerId, i64> {
    let names = children(scene, SEATS);
    let owned = names.iter().filter_map(|name| {
        let owner = PeerId::new(name.parse().ok()?)?;
        let seat = scene.get(scene.node::<Seat>(&format!("{SEATS}/{name}")).ok()?).ok()?;
        Some((owner, seat.value))
    });
    owned.collect()
}

fn board(scene: &mut Scene) -> Option<i64> {
    Some(scene.get(scene.node::<Board>("Board").ok()?).ok()?.number)
}

fn children(scene: &Scene, path: &str) -> Vec<String> {
    let Ok(node) = scene.find(path) else { return Vec::new() };
    let tree = scene.tree();
    tree.children(node).filter_map(|child| Some(tree.name(child)?.to_owned())).collect()
}

fn difference(
    has: &BTreeMap<String, (i64, String)>,
    expected: &BTreeMap<String, (i64, String)>,
) -> String {
    let surplus: Vec<_> = has.keys().filter(|path| !expected.contains_key(*path)).collect();
    let missing: Vec<_> = expected.keys().filter(|path| !has.contains_key(*path)).collect();
    let other: Vec<_> = has
        .iter()
        .filter(|(path, value)| expected.get(*path).is_some_and(|expected| expected != *value))
        .map(|(path, value)| format!("{path} {value:?} instead of {:?}", expected[path]))
        .collect();
    format!("unexpected nodes {surplus:?}, missing nodes {missing:?}, wrong values {other:?}")
}

/// Time of changes in the settled world; deferred data for missing nodes expires within it.
const TENDED_TIME: Duration = Duration::from_secs(6);
