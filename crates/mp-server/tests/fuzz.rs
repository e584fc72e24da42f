//! The fuzz target of this crate, on its seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{Seeds, check};
use mp_server::{config::Config, fuzz};

const FILES: &[&str] = &[
    include_str!("config/combinations.toml"),
    include_str!("config/contents.toml"),
    include_str!("config/missing.toml"),
    include_str!("config/ranges.toml"),
    include_str!("config/shapes.toml"),
    include_str!("config/syntax.toml"),
    include_str!("config/types.toml"),
    include_str!("config/units.toml"),
    include_str!("config/unknown.toml"),
    include_str!("config/unquoted.toml"),
    "listen.enet = \"off\"\ntemplate = { a = { max_players = 3 }, b = {} }\nroom = [{ name = 'c' }]\n",
    "[template.a]\nmetadata.\"é\\u0001\" = '''\n\\'''\n[[room]]\nname = \"a\"\nlocked = true\n",
    "[log]\n---\nMP_LIMITS__MAX_CLIENTS=3\nMP_TEMPLATE__A__METADATA=a=b,c=d\nMP_DTLS=no\nMP_X__Y=1\n",
];

#[test]
fn configurations_are_valid_again_when_printed_or_have_errors() {
    let default = Config::default_text();
    let seeds = Seeds::texts(FILES).and(Seeds::texts(&[&default]));
    check("server_config", seeds, 5_000, fuzz::server_config);
}
