//! The setting `host` of a template.

use std::time::Duration;

use mp_identity::Role;
use mp_rooms::RoomHost;

use super::{Builder, some_seconds};
use crate::config::values::Table;
use crate::plan::RELAY;

impl Builder<'_> {
    /// Returns the time for which players without a connection are kept.
    pub(super) fn resume(&mut self, table: &Table) -> Option<Duration> {
        let time = some_seconds(table, "resume")?;
        if !matches!(table.text("host").as_deref(), None | Some("none")) {
            let message = "has no effect: a player is the host of the rooms".to_owned();
            self.report(table, "resume", message, Some("omit it, or host".to_owned()));
        }
        Some(time)
    }

    /// Returns the player that is the server of the others, and checks that there can be one.
    pub(super) fn host(&mut self, table: &Table) -> RoomHost {
        let host = match table.text("host").as_deref() {
            Some("first") => RoomHost::First,
            Some("role:host") => RoomHost::Role(Role::Host),
            _ => return RoomHost::None,
        };
        let room_type = table.text("type").unwrap_or_else(|| RELAY.to_owned());
        let method = self.values.single("identity").text("method").unwrap_or_default();
        let problem = if room_type != RELAY {
            let message = format!("has no effect on rooms of the type {room_type:?}");
            Some((message, "omit it, or the type".to_owned()))
        } else if table.switch("relay") == Some(false) {
            let message = "has no effect: the rooms do not relay packets".to_owned();
            Some((message, "omit it, or set relay = true".to_owned()))
        } else if matches!(host, RoomHost::Role(_)) && !["token", "call-out"].contains(&&*method) {
            let message = "finds no host: players have no roles".to_owned();
            let help = "set identity.method to \"token\" or \"call-out\", or host = \"first\"";
            Some((message, help.to_owned()))
        } else {
            None
        };
        if let Some((message, help)) = problem {
            self.report(table, "host", message, Some(help));
        }
        host
    }
}
