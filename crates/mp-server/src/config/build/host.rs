//! The settings of a template about its host.

use std::time::Duration;

use mp_identity::Role;
use mp_rooms::limits::HOST_GRACE;
use mp_rooms::{HostMigration, NextHost, RecordSettings, RoomHost};

use super::{Builder, seconds, some_seconds};
use crate::config::rules::OFF;
use crate::config::types::Secret;
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

    /// Returns whether players can move between the rooms, and checks that they can.
    pub(super) fn moves(&mut self, table: &Table, host: RoomHost) -> bool {
        let moves = table.switch("moves").unwrap_or_default();
        if moves && host != RoomHost::None {
            let message = "has no effect: a player is the host of the rooms".to_owned();
            self.report(table, "moves", message, Some("omit it, or host".to_owned()));
        }
        moves
    }

    /// Returns the place of the recordings, and checks that the rooms can be replayed.
    pub(super) fn record(&mut self, table: &Table, host: RoomHost) -> Option<RecordSettings> {
        let directory = table.text("record")?;
        let room_type = table.text("type").unwrap_or_else(|| RELAY.to_owned());
        let problem = if room_type != RELAY {
            Some((format!("cannot record rooms of the type {room_type:?}"), "the type"))
        } else if host == RoomHost::Tunnel {
            let message = "cannot record games behind a tunnel, which authenticate players";
            Some((message.to_owned(), "host"))
        } else if table.switch("moves") == Some(true) {
            Some(("cannot record rooms between which players move".to_owned(), "moves"))
        } else if some_seconds(table, "resume").is_some() {
            let message = "cannot record rooms that send tickets to players";
            Some((message.to_owned(), "resume"))
        } else if table.switch("keep") == Some(true) {
            let message = "cannot record rooms that go on from a kept state";
            Some((message.to_owned(), "keep"))
        } else {
            None
        };
        if let Some((message, other)) = problem {
            self.report(table, "record", message, Some(format!("omit it, or {other}")));
        }
        let mut settings = RecordSettings::new(directory.into());
        settings.max_bytes = table.number("record_bytes").unwrap_or(settings.max_bytes);
        settings.retention = some_seconds(table, "record_retention");
        let minutes: u64 = table.number("record_minutes").unwrap_or(0);
        settings.ring = (minutes > 0).then(|| Duration::from_secs(60 * minutes));
        settings.on_demand = table.switch("record_on_demand") == Some(true);
        Some(settings)
    }

    /// Returns the player that is the server of the others, and checks that there can be one.
    pub(super) fn host(&mut self, table: &Table) -> RoomHost {
        let host = match table.text("host").as_deref() {
            Some("first") => RoomHost::First,
            Some("role:host") => RoomHost::Role(Role::Host),
            Some("tunnel") => RoomHost::Tunnel,
            _ => return RoomHost::None,
        };
        let room_type = table.text("type").unwrap_or_else(|| RELAY.to_owned());
        let problem = if room_type != RELAY {
            let message = format!("has no effect on rooms of the type {room_type:?}");
            Some((message, "omit it, or the type".to_owned()))
        } else if table.switch("relay") == Some(false) {
            let message = "has no effect: the rooms do not relay packets".to_owned();
            Some((message, "omit it, or set relay = true".to_owned()))
        } else if matches!(host, RoomHost::Role(_)) && !self.has_roles() {
            Some((NO_ROLES.to_owned(), format!("{SET_METHOD}, or host = \"first\"")))
        } else if host == RoomHost::Tunnel
            && table.text("host_key").is_none()
            && !self.has_roles()
            && self.values.single("admin").text("address").as_deref() == Some(OFF)
        {
            let message = "finds no host: there are no keys and no roles".to_owned();
            let help = "add a host_key, set identity.method to \"token\", or enable [admin]";
            Some((message, help.to_owned()))
        } else {
            None
        };
        if let Some((message, help)) = problem {
            self.report(table, "host", message, Some(help));
        }
        host
    }

    /// Returns the key of the hosts of tunnels.
    pub(super) fn host_key(&mut self, table: &Table, host: RoomHost) -> Option<Secret> {
        let key = table.text("host_key").map(Secret::new)?;
        if host != RoomHost::Tunnel {
            let message = "has no effect: the rooms are not hosted through a tunnel";
            self.report(table, "host_key", message, Some("set host = \"tunnel\"".to_owned()));
        }
        Some(key)
    }

    /// Returns how rooms go on when their host has left, and checks that they can.
    pub(super) fn migration(&mut self, table: &Table, host: RoomHost) -> Option<HostMigration> {
        let next = match table.text("next_host").as_deref() {
            Some("oldest") => NextHost::Oldest,
            Some("lowest_rtt") => NextHost::LowestRtt,
            Some("role:host") => NextHost::Role(Role::Host),
            _ => {
                self.report_unused_migration(table, host);
                return None;
            }
        };
        let problem = if host == RoomHost::None {
            let message = "has no effect: the rooms have no host".to_owned();
            Some((message, "omit it, or set host = \"first\"".to_owned()))
        } else if host == RoomHost::Tunnel {
            let message = "has no effect: only the game behind the tunnel is the host".to_owned();
            Some((message, "omit it, or set host = \"first\"".to_owned()))
        } else if matches!(next, NextHost::Role(_)) && !self.has_roles() {
            Some((NO_ROLES.to_owned(), format!("{SET_METHOD}, or next_host = \"oldest\"")))
        } else if next == NextHost::LowestRtt && seconds(table, "host_grace").is_zero() {
            let message = "has no time to measure: host_grace is 0".to_owned();
            Some((message, "set host_grace to 1 or more, or next_host = \"oldest\"".to_owned()))
        } else {
            None
        };
        if let Some((message, help)) = problem {
            self.report(table, "next_host", message, Some(help));
        }
        let mut migration = HostMigration::new(next);
        if let Some(message) = table.text("host_message") {
            migration.message = message;
        }
        Some(migration)
    }

    /// Returns whether the state of a game without a host is kept, and checks that it can be.
    pub(super) fn keep(&mut self, table: &Table, migration: Option<&HostMigration>) -> bool {
        if table.switch("keep") != Some(true) {
            return false;
        }
        let (message, help) = if migration.is_none() {
            ("has no effect: the rooms have no next host", "add next_host = \"oldest\"")
        } else if self.values.single("snapshots").text("folder").is_none() {
            ("needs a folder for the states", "add [snapshots] with a folder, or omit it")
        } else {
            return true;
        };
        self.report(table, "keep", message, Some(help.to_owned()));
        true
    }

    /// Reports settings that differ from their defaults although there is no next host.
    fn report_unused_migration(&mut self, table: &Table, host: RoomHost) {
        let default = HostMigration::new(NextHost::Oldest);
        let is_message = |message: &String| *message != default.message;
        let is_grace = host != RoomHost::Tunnel && seconds(table, "host_grace") != HOST_GRACE;
        for (key, is_set) in [
            ("host_grace", is_grace),
            ("host_message", table.text("host_message").as_ref().is_some_and(is_message)),
        ] {
            if is_set && table.entry(key).is_some() {
                let message = "has no effect: the rooms have no next host".to_owned();
                let help = "omit it, or set next_host = \"oldest\"".to_owned();
                self.report(table, key, message, Some(help));
            }
        }
    }

    /// Returns whether players have roles.
    fn has_roles(&self) -> bool {
        let method = self.values.single("identity").text("method").unwrap_or_default();
        ["token", "call-out"].contains(&&*method)
    }
}

const NO_ROLES: &str = "finds no host: players have no roles";
const SET_METHOD: &str = "set identity.method to \"token\" or \"call-out\"";
