//! Checks nodes that replace each other at a replicated path. In a settled world, the node at the
//! path has the values of the server's node, and a removed node keeps the values that it had when
//! it was removed.

use mp_scene::Scene;

use super::Checker;
use crate::workload::{TOOLS, Tool, WORKER, Worker};
use crate::world::World;

/// Checker of node swaps.
#[derive(Debug, Default)]
pub struct SwapsChecker;

impl Checker for SwapsChecker {
    fn name(&self) -> &'static str {
        "swaps"
    }

    fn check_settled(&mut self, world: &mut World) -> Result<(), String> {
        let mut expected = None;
        world.each_program(|program| {
            let (run, scene) = (program.run, program.branch.scene());
            let hand = tool(scene, TOOLS[0]).map(Tool::values);
            // `heat` is sent unreliably, so that its last value may be lost.
            let has = (hand.map(|[sharpness, wear, _]| [sharpness, wear]), stance(scene));
            if program.id.is_server() {
                expected = Some(has);
                return Ok(());
            }
            if expected.is_some_and(|expected| expected != has) {
                return Err(format!("{run} has {has:?} at the path, not {expected:?}"));
            }
            for path in &TOOLS[1..] {
                let Some(tool) = tool(scene, path) else { continue };
                let (values, removed_with) = (tool.values(), tool.laid_aside);
                if removed_with != Some(values) {
                    return Err(format!(
                        "{run} has {values:?} at {path}, but was removed with {removed_with:?}"
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
