//! The fuzz targets of this crate, on their seed inputs and mutations of them.
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

#[test]
fn requests_for_matchmaking_are_read_within_bounds() {
    let seeds = [
        "join_or_create/arena\nafter=1&limit=2&metadata.map=hill\n{\"filter\":{\"mode\":\"duel\"}}",
        "create/arena\n\n{\"code\":\"1\"}",
        "join_by_id/arena\n\n{\"room\":\"arena-1\"}",
        "reconnect/arena\n\n{\"token\":\"mpt_AAAAAAAAAAAAAAAAAAAAAA\"}",
        "join/arena\n\n{\"rank\":-5,\"party_size\":2}",
        "join/arena\n\n{\"party\":\"mpt_AAAAAAAAAAAAAAAAAAAAAA\"}",
    ];
    check("match_request", Seeds::texts(&seeds), 20_000, fuzz::match_request);
}
