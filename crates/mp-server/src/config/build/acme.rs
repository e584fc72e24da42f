//! Certificates from an authority, which exclude those of files.

use std::sync::Arc;

use super::{Builder, named};
use crate::config::address::BindAddress;
use crate::config::types::AcmeConfig;

impl Builder<'_> {
    pub(super) fn acme(&mut self) -> Option<Arc<AcmeConfig>> {
        let (table, tls) = (self.values.single("acme"), self.values.single("tls"));
        let domains = table.list("domains");
        if domains.is_empty() {
            return None;
        }
        if tls.entry("cert").is_some() {
            let cert = named(tls, "cert", table.origin_of("domains"));
            let help = "remove one of them".to_owned();
            self.report(table, "domains", format!("excludes {cert}"), Some(help));
        }
        let address = table.text("address").and_then(|text| text.parse().ok());
        Some(Arc::new(AcmeConfig {
            domains,
            directory: table.text("directory").unwrap_or_default(),
            address: address.unwrap_or(BindAddress { ip: None, port: HTTP_PORT }),
            contact: table.list("contact"),
            folder: table.text("folder").unwrap_or_default().into(),
            ca: table.text("ca").map(Into::into),
        }))
    }
}

const HTTP_PORT: u16 = 80;
