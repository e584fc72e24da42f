//! Simulated link conditions.

use mp_core::link_shaper::LinkConditions;

use super::{Builder, not_zero};
use crate::config::key::Key;
use crate::link;

impl Builder<'_> {
    pub(super) fn link(&mut self) -> LinkConditions {
        let table = self.values.single("link");
        let is_dev = self.values.single("").switch("dev").unwrap_or_default();
        let is_set = |key: &&Key| {
            let entry = table.entry(key.name);
            entry.is_some_and(|entry| Some(&entry.value) != key.preset.value().as_ref())
        };
        if let Some(key) = table.section.keys.iter().find(is_set)
            && !is_dev
        {
            let help = "set dev = true, or start the server with --dev".to_owned();
            let message = "has no effect: the server is not in development";
            self.report(table, key.name, message, Some(help));
        }
        let delay = |key| table.text(key).and_then(|text| link::delay(&text)).unwrap_or_default();
        let permille =
            |key| table.text(key).and_then(|text| link::percentage(&text)).unwrap_or_default();
        LinkConditions {
            delay: delay("latency"),
            jitter: delay("jitter"),
            loss_permille: permille("loss"),
            duplication_permille: permille("duplication"),
            reordering_permille: permille("reordering"),
            bytes_per_second: not_zero(table, "bytes_per_second").unwrap_or_default(),
            ..LinkConditions::default()
        }
    }
}
