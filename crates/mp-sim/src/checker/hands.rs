//! At rest the node at a replicated path has the values of the server's node at this path, and a node that is there no more keeps
//! the values with which it left.

use mp_scene::Scene;

use super::Checker;
use crate::workload::{TOOLS, Tool, WORKER, Worker};
use crate::world::World;

/// See [the module](self).
#[derive(Debug, Default)]
pub struct Hands;

impl Checker for Hands {
    fn name(&self) -> &'static str {
        "hands"
    }

    fn at_rest(&mut self, world: &mut World) -> Result<(), String> {
        let mut meant = None;
        world.each_program(|program| {
            let (run, scene) = (program.run, program.branch.scene());
            let hand = tool(scene, TOOLS[0]).map(Tool::values);
            // What is sent all the time is unreliable: the last may be lost.
            let has = (hand.map(|[sharpness, wear, _]| [sharpness, wear]), stance(scene));
            if program.id.is_server() {
                meant = Some(has);
                return Ok(());
            }
            if meant.is_some_and(|meant| meant != has) {
                return Err(format!("{run} has {has:?} in its hand, not {meant:?}"));
            }
            for path in &TOOLS[1..] {
                let Some(tool) = tool(scene, path) else { continue };
                let (values, left) = (tool.values(), tool.laid_aside);
                if left != Some(values) {
                    return Err(format!(
                        "{run} has {values:?} at {path}, which left with {left:?}"
                    ));
                }
            }
            Ok(())
        })
    }
}

fn tool<'s>(scene: &'s Scene, path: &str) -> Option<&'s Tool> {
    scene.get(scene.node::<Tool>(path).ok()?).ok()
}

fn stance(scene: &Scene) -> Option<i64> {
    Some(scene.get(scene.node::<Worker>(WORKER).ok()?).ok()?.stance)
}
