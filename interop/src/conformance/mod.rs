//! Scenarios of the conformance project: a larger suite with a Godot project of its own.

mod auth;
mod bad_calls;
mod big;
mod branches;
mod burst;
mod bytes;
mod compression;
mod connect;
mod ctl;
mod drop;
mod kick;
mod reconnect;
mod refuse;
mod relay;
mod relay_off;
mod rpc_basic;
mod rpc_modes;
mod scenes;
mod server_quit;
mod spawner;
mod sync_always;
mod sync_authority;
mod sync_delta;
mod sync_visibility;
mod unreliable;
mod values;

use crate::scenario::Scenario;

/// All scenarios of the suite.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new("connect", 3, connect::serve, connect::play),
    Scenario::new("rpc_basic", 1, rpc_basic::serve, rpc_basic::play).with_fault(),
    Scenario::new("rpc_modes", 3, rpc_modes::serve, rpc_modes::play),
    Scenario::new("bad_calls", 1, bad_calls::serve, bad_calls::play),
    Scenario::new("relay", 3, relay::serve, relay::play),
    Scenario::new("relay_off", 2, relay_off::serve, relay_off::play),
    Scenario::new("auth", 4, auth::serve, auth::play),
    Scenario::new("bytes", 3, bytes::serve, bytes::play),
    Scenario::new("spawner", 1, spawner::serve, spawner::play),
    Scenario::new("sync_always", 2, sync_always::serve, sync_always::play),
    Scenario::new("sync_delta", 2, sync_delta::serve, sync_delta::play),
    Scenario::new("sync_authority", 2, sync_authority::serve, sync_authority::play),
    Scenario::new("sync_visibility", 2, sync_visibility::serve, sync_visibility::play),
    Scenario::new("big", 1, big::serve, big::play),
    Scenario::new("burst", 1, burst::serve, burst::play),
    Scenario::new("unreliable", 1, unreliable::serve, unreliable::play),
    Scenario::new("branches", 1, branches::serve, branches::play),
    Scenario::new("reconnect", 1, reconnect::serve, reconnect::play),
    Scenario::new("drop", 1, drop::serve, drop::play),
    Scenario::new("refuse", 2, refuse::serve, refuse::play),
    Scenario::new("kick", 2, kick::serve, kick::play),
    Scenario::new("server_quit", 2, server_quit::serve, server_quit::play),
    Scenario::new("compression", 1, compression::serve, compression::play),
];

#[cfg(test)]
mod tests {
    use mp_scene::Branch;
    use mp_scene::prelude::*;
    use mp_scene::tree::NodeTree;

    use super::*;

    fn checksum<N: Node>(node: N) -> String {
        let mut branch = Branch::builder("/root").build().unwrap();
        let node = branch.scene().add("Node", node).unwrap();
        let ids = branch.scene().tree().rpc_ids(node.id()).unwrap();
        String::from_utf8(ids.checksum().to_vec()).unwrap()
    }

    #[test]
    fn method_ids_equal_those_of_godot() {
        for (checksum, godot) in [
            (checksum(ctl::CtlNode::default()), "01685298aa266eb8ea736b807074912b"),
            (checksum(bad_calls::Strict::default()), "1a9f21615f5b2ad00b670ce7839f60ef"),
            (checksum(bad_calls::Ghost), "ae3e83e2fab3a7d8683d8eefabd1e74d"),
            (checksum(big::Pipe::default()), "e8357e58b0966a893a79d99c07e92bbb"),
            (checksum(branches::Chat::default()), "9432f91f9d0bcef6f6394bb4497ac6d5"),
            (checksum(burst::Pipe::default()), "7ecdf7cbe34768de4d0038db0552f928"),
            (checksum(compression::Pipe::default()), "6969f7e834a51cc74693e9d78632e86b"),
            (checksum(reconnect::Echo::default()), "1c5422e1144434b095911b5480ba77d2"),
            (checksum(relay::Talk::default()), "b329dacad71e27c6edfa78a9c688a938"),
            (checksum(relay_off::Talk::default()), "a53ff64efd169c1b4d085d6e7075c8d7"),
            (checksum(rpc_basic::Echo::default()), "6976d3acf9458874309ddfc2f469d71a"),
            (checksum(rpc_modes::Modes::default()), "63a155110c5fd2d2f22ab0a90899c28f"),
            (checksum(rpc_modes::Owned::default()), "b515e18aa3fbe7d264d7ca5a95ef73e1"),
            (checksum(scenes::Unit::default()), "eedb72cf263463f7ec5bc4b15ce09141"),
            (checksum(unreliable::Pipe::default()), "583eb722b77d6c7791d1811f6a42450c"),
        ] {
            assert_eq!(checksum, godot);
        }
    }
}
