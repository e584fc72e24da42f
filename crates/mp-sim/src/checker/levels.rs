//! Checks that every client in a settled world has all units of the server's level, no matter when
//! the client created the level.

use super::Checker;
use crate::workload::level;
use crate::world::World;

/// Checker of levels.
#[derive(Debug, Default)]
pub struct LevelsChecker;

impl Checker for LevelsChecker {
    fn name(&self) -> &'static str {
        "levels"
    }

    fn check_settled(&mut self, world: &mut World) -> Result<(), String> {
        let mut expected = None;
        world.each_program(|program| {
            let (run, id, level) = (program.run, program.id, level(program.branch.scene()));
            if id.is_server() {
                expected = level;
                return Ok(());
            }
            let (Some((value, units)), Some((expected, all))) = (&level, &expected) else {
                return Err(format!("{run} (peer {id}) or the server has no level"));
            };
            if value != expected {
                return Err(format!("{run} (peer {id}) has {value} for the level, not {expected}"));
            }
            let missing: Vec<_> = all.iter().filter(|unit| !units.contains(unit)).collect();
            if units != all {
                let (has, expected) = (units.len(), all.len());
                return Err(format!(
                    "{run} (peer {id}) has {has} units, not {expected}; it lacks {missing:?}"
                ));
            }
            Ok(())
        })
    }
}
