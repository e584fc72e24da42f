//! At rest every client has the level with all units that the server has in it, whenever the client made it.

use super::Checker;
use crate::workload::level;
use crate::world::World;

/// See [the module](self).
#[derive(Debug, Default)]
pub struct Levels;

impl Checker for Levels {
    fn name(&self) -> &'static str {
        "levels"
    }

    fn at_rest(&mut self, world: &mut World) -> Result<(), String> {
        let mut meant = None;
        world.each_program(|program| {
            let (run, id, level) = (program.run, program.id, level(program.branch.scene()));
            if id.is_server() {
                meant = level;
                return Ok(());
            }
            let (Some((value, units)), Some((meant, all))) = (&level, &meant) else {
                return Err(format!("{run} (peer {id}) or the server has no level"));
            };
            if value != meant {
                return Err(format!("{run} (peer {id}) has {value} for the level, not {meant}"));
            }
            let missing: Vec<_> = all.iter().filter(|unit| !units.contains(unit)).collect();
            if units != all {
                let (has, meant) = (units.len(), all.len());
                return Err(format!(
                    "{run} (peer {id}) has {has} units, not {meant}; it lacks {missing:?}"
                ));
            }
            Ok(())
        })
    }
}
