//! At rest everybody has exactly the replicated nodes that the server means them to see, with the values that their authorities gave
//! them; what then comes of what lies below nodes reaches exactly those who see these.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::PeerId;
use mp_scene::limits::{EARLY_TIME, LEVEL_TIME};
use mp_scene::{Scene, SceneStats};

use super::Checker;
use crate::workload::{BEDS, BUD, Board, Bud, Growing, SEATS, Seat, SharedModel, tend_all};
use crate::world::World;

/// See [the module](self).
#[derive(Debug)]
pub struct Mirror {
    model: SharedModel,
}

impl Mirror {
    /// A checker that compares with `model`.
    pub fn new(model: SharedModel) -> Self {
        Self { model }
    }
}

impl Checker for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn at_rest(&mut self, world: &mut World) -> Result<(), String> {
        self.compare(world)?;
        if world.plan().has_respawns {
            // Announcements of paths that nodes have left may wait for the next ones, and are then
            // refused.
            let end = world.now() + LEVEL_TIME + EARLY_TIME;
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

impl Mirror {
    /// Compares what programs have with the model.
    fn compare(&self, world: &mut World) -> Result<(), String> {
        // What each client has written on its own seat.
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
            let (has, means) = (plants(scene), model.seen_by(peer));
            if has != means {
                return Err(format!("{run} (peer {id}) has {}", difference(&has, &means)));
            }
            let number = board(scene);
            if number != Some(model.board) {
                return Err(format!("{run} reads {number:?} on the board, not {}", model.board));
            }
            let seats = seats(scene);
            if !seats.keys().eq(&model.seats) {
                return Err(format!("{run} has seats {seats:?}, not {:?}", model.seats));
            }
            for (owner, value) in &written {
                let reaches = relays || id.is_server() || owner == &id;
                if reaches && seats.get(owner).is_some_and(|seat| seat != value) {
                    return Err(format!(
                        "{run} has {:?} for the seat of {owner}, who wrote {value}",
                        seats[owner]
                    ));
                }
            }
            Ok(())
        })
    }
    /// Checks that nobody was sent what it does not see since it had the statistics `before`.
    fn check_received(
        &self,
        world: &mut World,
        before: &BTreeMap<PeerId, SceneStats>,
    ) -> Result<(), String> {
        let model = self.model.borrow();
        world.each_program(|program| {
            let (run, id, now) = (program.run, program.id, program.branch.scene().stats());
            let Some(before) = before.get(&id) else { return Ok(()) };
            let refused = |stats: &SceneStats| stats.refused_calls + stats.refused_elements;
            let refused = refused(&now) - refused(before);
            let received = now.packets_received - before.packets_received;
            if refused > 0 {
                return Err(format!("{run} (peer {id}) was sent {refused} things it does not see"));
            }
            let sees_nothing = !id.is_server() && model.seen_by(Some(id)).is_empty();
            if sees_nothing && received > 0 {
                return Err(format!("{run} (peer {id}) sees no plant, and received {received}"));
            }
            Ok(())
        })
    }
}

/// The plants, sprouts and buds of a program, by their paths.
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

/// The plant or sprout at `path` and its bud, each with its path.
fn growing(scene: &mut Scene, path: &str) -> Vec<(String, (i64, String))> {
    let mut found = Vec::new();
    if let Ok(node) = scene.node::<Growing>(path)
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
    means: &BTreeMap<String, (i64, String)>,
) -> String {
    let surplus: Vec<_> = has.keys().filter(|path| !means.contains_key(*path)).collect();
    let missing: Vec<_> = means.keys().filter(|path| !has.contains_key(*path)).collect();
    let other: Vec<_> = has
        .iter()
        .filter(|(path, value)| means.get(*path).is_some_and(|meant| meant != *value))
        .map(|(path, value)| format!("{path} {value:?} instead of {:?}", means[path]))
        .collect();
    format!("{surplus:?} too many, misses {missing:?}, and {other:?}")
}

/// For how long buds are tended at rest: what waits for a node is refused within it.
const TENDED_TIME: Duration = Duration::from_secs(6);
