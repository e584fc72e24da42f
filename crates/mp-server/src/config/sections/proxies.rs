//! Settings of the reverse proxies in front of an HTTP port.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::NETWORK;

pub(super) const TRUSTED_PROXIES: Key = Key::new(
    "trusted_proxies",
    Kind::Number { min: 0, max: 16 },
    Preset::Number(0),
    "Number of reverse proxies in front of the port, whose X-Forwarded-For is trusted

For example 1 for one nginx. Each proxy must append the address of its client. Limits per address are \
then those of clients. With 0 the header is ignored.",
);

pub(super) const PROXY_NETWORKS: Key = Key::new(
    "proxy_networks",
    Kind::Texts(&NETWORK),
    Preset::EmptyList,
    "Networks from which the reverse proxies connect; this machine and private networks if the list \
is empty

Others can forge the header, which is ignored for them.",
)
.example(r#"["203.0.113.0/24"]"#);
