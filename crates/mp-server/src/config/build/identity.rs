//! Authentication of players: the method and what it needs.

use mp_rooms::SamePlayer;

use super::{Builder, seconds};
use crate::config::types::{IdentityConfig, IdentityMethod, Secret};

impl Builder<'_> {
    pub(super) fn identity(&mut self) -> IdentityConfig {
        let table = self.values.single("identity");
        let method = match table.text("method").as_deref() {
            Some("secret") => IdentityMethod::Secret,
            Some("token") => IdentityMethod::Token,
            Some("call-out") => IdentityMethod::CallOut,
            _ => IdentityMethod::Open,
        };
        let needs: &[&str] = match method {
            IdentityMethod::Open => &[],
            IdentityMethod::Secret => &["secret"],
            IdentityMethod::Token => &["secret", "public_key", "jwks"],
            IdentityMethod::CallOut => &["url"],
        };
        let given: Vec<_> = needs.iter().filter(|key| table.entry(key).is_some()).collect();
        match given[..] {
            [] if !needs.is_empty() => {
                let message = format!("needs identity.{}", needs.join(", or identity."));
                self.report(table, "method", message, None);
            }
            [_, second, ..] => {
                let message = format!("is one key too many: identity.{} is given", given[0]);
                self.report(table, second, message, Some("remove one of them".to_owned()));
            }
            _ => {}
        }
        IdentityConfig {
            method,
            secret: table.text("secret").map(Secret::new),
            public_key: table.text("public_key").map(Into::into),
            jwks: table.text("jwks"),
            audience: table.text("audience").unwrap_or_default(),
            issuer: table.text("issuer"),
            leeway: seconds(table, "leeway"),
            single_use: table.switch("single_use").unwrap_or_default(),
            url: table.text("url"),
            timeout: seconds(table, "timeout"),
            max_requests: table.number("max_requests").unwrap_or_default(),
            max_queued: table.number("max_queued").unwrap_or_default(),
            failures_per_minute: table.number("failures_per_minute").unwrap_or_default(),
            same_player: match table.text("same_player").as_deref() {
                Some("reject") => SamePlayer::Reject,
                Some("allow") => SamePlayer::Allow,
                _ => SamePlayer::Replace,
            },
        }
    }
}
