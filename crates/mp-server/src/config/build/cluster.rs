//! The section `cluster`.

use std::collections::BTreeMap;

use mp_cluster::ClusterName;
use mp_cluster::directory::{AddressKind, NodeAddress};
use mp_toml::did_you_mean;

use super::{Builder, named, seconds};
use crate::cluster::WithoutSnapshot;
use crate::config::types::{ClusterConfig, Secret};
use crate::config::values::Table;
use crate::matchmaking::EnetAddress;

impl Builder<'_> {
    pub(super) fn cluster(&mut self) -> ClusterConfig {
        let table = self.values.single("cluster");
        let name = table.text("name").unwrap_or_default();
        let (user, advertise) = (self.nats_user(table), self.advertised(table));
        ClusterConfig {
            servers: table.list("servers"),
            // A rule has checked the name.
            name: name.parse().unwrap_or_else(|_| ClusterName::default()),
            node: table.text("node").and_then(|name| name.parse().ok()),
            advertise,
            user,
            credentials_file: table.text("credentials_file").map(Into::into),
            ca_file: table.text("ca_file").map(Into::into),
            replicas: table.number("replicas").unwrap_or(1),
            snapshot_interval: seconds(table, "snapshot_interval"),
            snapshot_max_bytes: table.number("snapshot_max_bytes").unwrap_or(16 << 20),
            without_snapshot: match table.text("without_snapshot").as_deref() {
                Some("end") => WithoutSnapshot::End,
                _ => WithoutSnapshot::Empty,
            },
        }
    }

    /// Returns the addresses at which players reach the server.
    fn advertised(&mut self, table: &Table) -> BTreeMap<AddressKind, NodeAddress> {
        let mut advertised = BTreeMap::new();
        for (name, text) in table.texts("advertise").unwrap_or_default() {
            let Some(kind) = AddressKind::ALL.into_iter().find(|kind| kind.label() == name) else {
                let kinds = AddressKind::ALL.map(AddressKind::label);
                let near = did_you_mean(&name, kinds);
                let help = match near {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("kinds: {}", kinds.join(", ")),
                };
                self.report(table, "advertise", format!("has no kind {name:?}"), Some(help));
                continue;
            };
            match text.parse() {
                Ok(address) if is_address(kind, &text) => drop(advertised.insert(kind, address)),
                _ => {
                    let message = format!("has {text:?} as {name}, which must be {}", takes(kind));
                    self.report(table, "advertise", message, None);
                }
            }
        }
        advertised
    }

    /// Returns the user of NATS and its password.
    fn nats_user(&mut self, table: &Table) -> Option<(String, Secret)> {
        match (table.text("user"), table.text("password")) {
            (Some(_), Some(_)) if table.text("credentials_file").is_some() => {
                let message = "has no effect beside credentials_file, which has a user of its own";
                let help = "omit user and password, or credentials_file".to_owned();
                self.report(table, "user", message, Some(help));
                None
            }
            (Some(user), Some(password)) => Some((user, Secret::new(password))),
            (None, None) => None,
            (user, _) => {
                let (has, lacks) =
                    if user.is_some() { ("user", "password") } else { ("password", "user") };
                let message = format!("needs {}", named(table, lacks, table.origin_of(has)));
                self.report(table, has, message, None);
                None
            }
        }
    }
}

/// Returns whether a text is an address of a kind.
fn is_address(kind: AddressKind, text: &str) -> bool {
    let has_scheme = |schemes: [&str; 2]| {
        let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':']))
    };
    match kind {
        AddressKind::Enet => EnetAddress::parse(text).is_some(),
        AddressKind::WebSocket | AddressKind::WebRtc => has_scheme(["ws://", "wss://"]),
        _ => has_scheme(["http://", "https://"]),
    }
}

/// Returns the description of valid addresses of a kind.
fn takes(kind: AddressKind) -> &'static str {
    match kind {
        AddressKind::Enet => "HOST:PORT or dtls://HOST:PORT",
        AddressKind::WebSocket | AddressKind::WebRtc => "a URL such as wss://HOST/",
        _ => "a URL such as https://HOST/",
    }
}
