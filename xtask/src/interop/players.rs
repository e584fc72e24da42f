//! The programs that play mp's sides of scenarios.

use std::path::PathBuf;

use super::{Role, Table};
use crate::scenario_run::{Player, ROOM, Sides};
use crate::suite::{Played, Scenario, played_by};
use crate::workspace;

/// Programs that play mp's sides.
pub(super) struct Players {
    interop: Option<(PathBuf, Played)>,
    relay: Option<PathBuf>,
}

impl Players {
    /// Builds the programs for the selected scenarios.
    pub(super) fn new(table: &Table<'_>, selected: &[&Scenario]) -> Result<Self, String> {
        let mut players = Self { interop: None, relay: None };
        if table.args.self_check {
            return Ok(players);
        }
        let by_relay = |scenario: &Scenario| {
            table.suite.own && scenario.name == ROOM && table.args.role == Role::Server
        };
        if selected.iter().any(|scenario| by_relay(scenario)) {
            players.relay = Some(workspace::program("mp-server", "MP_SERVER_BIN")?);
        }
        if selected.iter().any(|scenario| !by_relay(scenario)) {
            let program = workspace::program("mp-interop", "MP_INTEROP_BIN")?;
            let played = played_by(&program, &table.suite)?;
            players.interop = Some((program, played));
        }
        Ok(players)
    }

    pub(super) fn sides(
        &self,
        table: &Table<'_>,
        scenario: &Scenario,
        compression: Option<&str>,
    ) -> Option<Sides> {
        if table.args.self_check {
            return Some(Sides::GODOT);
        }
        if let (Some(relay), ROOM) = (&self.relay, scenario.name.as_str()) {
            return Some(table.sides(Player::Relay(relay.clone())));
        }
        let (program, played) = self.interop.as_ref()?;
        let modes = played.get(&scenario.name)?;
        let plays = |mode: &str| modes.is_empty() || modes.iter().any(|m| m == mode);
        compression.is_none_or(plays).then(|| table.sides(Player::Interop(program.clone())))
    }
}
