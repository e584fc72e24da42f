//! Settings of matchmaking.

use super::{Builder, not_zero, proxies, seconds, some_seconds};
use crate::config::types::{MatchConfig, QueueConfig};
use crate::config::values::Table;

impl Builder<'_> {
    pub(super) fn matchmaking(&mut self) -> MatchConfig {
        let table = self.values.single("match");
        MatchConfig {
            // The text "off" is no address.
            address: table.text("address").and_then(|text| text.parse().ok()),
            public_host: table.text("public_host"),
            allowed_origins: table.list("allowed_origins"),
            requests_per_second: not_zero(table, "requests_per_second"),
            proxies: proxies(table),
        }
    }

    /// Returns the queue of a template, if it has one.
    pub(super) fn queue(&mut self, table: &Table) -> Option<QueueConfig> {
        let players: u16 = not_zero(table, "queue_players")?;
        let max_players = table.number("max_players").unwrap_or(256);
        if players > max_players {
            let message = format!("{players} exceeds max_players {max_players} of the rooms");
            let help = "lower it, or raise max_players".to_owned();
            self.report(table, "queue_players", message, Some(help));
        }
        let rank_attribute = table.text("queue_rank_attribute");
        let method = self.values.single("identity").text("method");
        let has_attributes = matches!(method.as_deref(), Some("token" | "call-out"));
        if rank_attribute.is_some() && !has_attributes {
            let message = "has no use: players have no attributes";
            let help = "remove it, or set identity.method to token or call-out".to_owned();
            self.report(table, "queue_rank_attribute", message, Some(help));
        }
        Some(QueueConfig {
            players,
            rank_attribute,
            rank_window: table.number("queue_rank_window"),
            rank_growth: table.number("queue_rank_growth").unwrap_or_default(),
            confirm_timeout: some_seconds(table, "queue_confirm_timeout"),
            timeout: seconds(table, "queue_timeout"),
            max_players: table.number("queue_max_players").unwrap_or(10_000),
        })
    }
}
