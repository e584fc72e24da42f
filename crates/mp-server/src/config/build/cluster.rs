//! The section `cluster`.

use mp_cluster::ClusterName;

use super::{Builder, named};
use crate::config::types::{ClusterConfig, Secret};
use crate::config::values::Table;

impl Builder<'_> {
    pub(super) fn cluster(&mut self) -> ClusterConfig {
        let table = self.values.single("cluster");
        let name = table.text("name").unwrap_or_default();
        let user = self.nats_user(table);
        ClusterConfig {
            servers: table.list("servers"),
            // A rule has checked the name.
            name: name.parse().unwrap_or_else(|_| ClusterName::default()),
            user,
            credentials_file: table.text("credentials_file").map(Into::into),
            ca_file: table.text("ca_file").map(Into::into),
            replicas: table.number("replicas").unwrap_or(1),
        }
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
