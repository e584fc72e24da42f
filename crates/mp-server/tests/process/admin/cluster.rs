//! A server as a node of a cluster.

use std::process::{Command, ExitCode};

use mp_core::host::SystemClock;
use mp_server::mp_cluster::bus::MemoryCluster;
use mp_server::mp_cluster::{ClusterId, ClusterNodeId};
use mp_server::{ClusterNode, ServerBuilder};

use super::ctl::{error, ok};
use super::{ALL, AdminServer, peers, tokens};
use crate::server::{FREE_PORTS, PATIENCE, without_settings};

/// Environment variable that makes this test run the server.
const NODE: &str = "MP_TEST_NODE";

/// The server's process: the only node of its cluster.
fn serve() -> ! {
    let (cluster, id) = (MemoryCluster::new(), ClusterNodeId::new(7));
    let (bus, directory) = (cluster.bus(id), cluster.directory(id));
    let node = ClusterNode::new(ClusterId::named("test"), id, bus, directory);
    let args = ["mp-server"].into_iter().chain(FREE_PORTS);
    let code = ServerBuilder::new().cluster(node).run(args);
    // `ExitCode` can only be returned from `main`.
    std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 100 });
}

#[test]
fn node_of_a_cluster_shows_its_nodes_and_ends_when_it_is_drained() {
    if std::env::var_os(NODE).is_some() {
        serve();
    }
    let mut command = without_settings(Command::new(std::env::current_exe().unwrap()));
    let name = "admin::cluster::node_of_a_cluster_shows_its_nodes_and_ends_when_it_is_drained";
    command.args(["--exact", name, "--nocapture"]).env(NODE, "1");
    command.env("MP_ADMIN__ADDRESS", "127.0.0.1:0").env("MP_ADMIN__TOKENS", tokens());
    command.env("MP_CLUSTER__NODE", "game-1");
    command
        .env("MP_CLUSTER__ADVERTISE", "websocket=wss://game.example/,enet=dtls://game.example:1");
    let mut server = AdminServer::of(command);
    let _player = peers::join(&server);
    let shows = |shown: &str| {
        let node = shown.lines().find(|line| line.starts_with("node 0000000000000007"));
        node.is_some_and(|line| line.ends_with(" players, this node, game-1"))
            && shown.contains("  websocket          wss://game.example/\n")
            && shown.contains("  enet               dtls://game.example:1\n")
            && shown.contains("lease                held")
            && shown.contains("rooms here           1")
    };
    // It is known once a lease is granted, and published twice a second.
    let clock = SystemClock::new();
    let limit = clock.now() + PATIENCE;
    let mut shown = String::new();
    while !shows(&shown) {
        assert!(clock.now() < limit, "{shown}");
        shown = ok(&server, &["cluster"]);
    }
    let metrics = server.ask(ALL, "GET", "/metrics").body;
    assert!(metrics.contains("\nmp_cluster_rooms 1"), "{metrics}");
    assert_eq!(server.server.terminate(), Some(0));
}

#[test]
fn server_without_a_cluster_says_so() {
    let server = AdminServer::start();
    let message = error(&server, ALL, &["cluster"]);
    assert!(message.contains("the server is not a node of a cluster"), "{message}");
}
