//! Simulated links of players.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mp_actor::prelude::*;
use mp_core::host::SystemClock;
use serde_json::{Value, json};

use super::http::{Request, Response};
use super::peers::join;
use super::{ALL, AdminServer, PEERS};
use crate::players::{self, RawPlayer, until};

const LATENCY: Duration = Duration::from_millis(100);

fn path(id: PeerId) -> String {
    format!("/v1/rooms/default/peers/{id}/link")
}

fn put(server: &AdminServer, id: PeerId, link: &Value) -> Response {
    Request::new("PUT", &path(id)).token(PEERS).json(link).send(server.address)
}

fn get(server: &AdminServer, id: PeerId) -> Value {
    server.ask(PEERS, "GET", &path(id)).json()
}

/// Returns the conditions of both directions.
fn both(conditions: Value) -> Value {
    json!({"to_player": conditions, "from_player": conditions})
}

/// Returns the time of a round trip.
fn round_trip(player: &mut RawPlayer) -> Duration {
    let clock = SystemClock::new();
    let start = clock.now();
    player.ping();
    clock.now() - start
}

#[test]
fn latency_of_a_web_socket_player_delays_each_direction_until_it_is_removed() {
    let mut server = AdminServer::in_development();
    let (mut player, mut other) = (join(&server), join(&server));
    let link = both(json!({"latency_seconds": LATENCY.as_secs_f64()}));
    assert_eq!(put(&server, player.id, &link).status, 204);
    assert!(round_trip(&mut player) >= 2 * LATENCY);
    let shown = get(&server, player.id);
    assert_eq!(shown["to_player"]["latency_seconds"], LATENCY.as_secs_f64());
    assert_eq!(get(&server, other.id)["to_player"]["latency_seconds"], 0.0);
    other.ping();

    assert_eq!(server.ask(PEERS, "DELETE", &path(player.id)).status, 204);
    assert_eq!(get(&server, player.id)["to_player"]["latency_seconds"], 0.0);
    // One of them is fast on a loaded machine, too.
    assert!((0..20).any(|_| round_trip(&mut player) < LATENCY));

    server.line_with("an operator simulates a bad link");
    server.line_with("an operator has ended the simulation of a bad link");
}

#[test]
fn one_direction_may_be_slow() {
    let server = AdminServer::in_development();
    let mut player = join(&server);
    let link = json!({"from_player": {"latency_seconds": 0.2}});
    assert_eq!(put(&server, player.id, &link).status, 204);
    assert!(round_trip(&mut player) >= 2 * LATENCY);
    assert_eq!(get(&server, player.id)["to_player"]["latency_seconds"], 0.0);
}

#[test]
fn datagrams_of_an_enet_player_are_lost() {
    let server = AdminServer::in_development();
    actix::System::new().block_on(async {
        let player = players::join(server.server.enet, || Branch::builder("/root").build()).await;
        let id = player.with(|scene| scene.unique_id()).await.unwrap();
        assert_eq!(put(&server, id, &json!({"from_player": {"loss": 0.5}})).status, 204);
        until(|| get(&server, id)["lost"].as_u64() > Some(0)).await;
        assert_eq!(get(&server, id)["from_player"]["loss"], 0.5);
    });
}

/// Joins over ENet. The flag is set when the server makes the player the host.
async fn join_as_guest(server: &AdminServer) -> (BranchRef, PeerId, Arc<AtomicBool>) {
    let is_host = Arc::new(AtomicBool::new(false));
    let of_game = Arc::clone(&is_host);
    let build = move || {
        let receive = move |_: &mut Scene, from: PeerId, data: &[u8]| {
            of_game.fetch_or(from.is_server() && data == b"become_host", Ordering::Relaxed);
        };
        Branch::builder("/root").on_peer_packet(receive).build()
    };
    let guest = players::join(server.enet(), build).await;
    let id = guest.with(|scene| scene.unique_id()).await.unwrap();
    (guest, id, is_host)
}

/// Returns the round-trip time of a player in seconds, if the server has measured it.
fn measured(server: &AdminServer, id: PeerId) -> Option<f64> {
    let page = server.ask(ALL, "GET", "/v1/rooms/default/peers").json();
    let peer = page["peers"].as_array()?.iter().find(|peer| peer["id"] == id.get())?;
    peer["connection"]["round_trip_seconds"].as_f64()
}

#[test]
fn guest_with_the_lowest_round_trip_time_is_the_next_host() {
    let server = AdminServer::with(|command| {
        command.arg("--dev").env("MP_TEMPLATE__DEFAULT__HOST", "first");
        command.env("MP_TEMPLATE__DEFAULT__NEXT_HOST", "lowest_rtt");
        command.env("MP_TEMPLATE__DEFAULT__HOST_GRACE", "5");
    });
    let host = join(&server);
    actix::System::new().block_on(async {
        let (_far, far_id, far_hosts) = join_as_guest(&server).await;
        let (_near, near_id, near_hosts) = join_as_guest(&server).await;
        let link = both(json!({"latency_seconds": 0.5}));
        assert_eq!(put(&server, far_id, &link).status, 204);
        until(|| match (measured(&server, far_id), measured(&server, near_id)) {
            (Some(far), Some(near)) => far > near + 0.1,
            _ => false,
        })
        .await;
        drop(host);
        until(|| near_hosts.load(Ordering::Relaxed) || far_hosts.load(Ordering::Relaxed)).await;
        assert!(near_hosts.load(Ordering::Relaxed), "the guest with the slow link, who is older");
    });
}

#[test]
fn conditions_of_datagrams_are_refused_for_web_socket() {
    let server = AdminServer::in_development();
    let player = join(&server);
    for name in ["jitter_seconds", "loss", "duplication", "reordering"] {
        let refused = put(&server, player.id, &json!({"to_player": {name: 0.1}}));
        assert!(refused.body.contains("need ENet or WebRTC"), "{refused:?}");
        assert_eq!(refused.outcome(), (409, "unsupported_link".to_owned()), "{name}");
    }
    let rate = both(json!({"bytes_per_second": 100_000, "latency_seconds": 0.01}));
    assert_eq!(put(&server, player.id, &rate).status, 204);
}

#[test]
fn invalid_conditions_and_unknown_players_are_refused() {
    let server = AdminServer::in_development();
    let player = join(&server);
    for link in [
        json!({"to_player": {"latency_seconds": 10.1}}),
        json!({"from_player": {"jitter_seconds": -1}}),
        json!({"from_player": {"loss": 1.5}}),
    ] {
        let outcome = put(&server, player.id, &link).outcome();
        assert_eq!(outcome, (400, "invalid_link".to_owned()), "{link}");
    }
    assert_eq!(put(&server, player.id, &json!({"latency": 1})).status, 422);
    let unknown = PeerId::new(player.id.get() ^ 1).unwrap();
    for method in ["GET", "DELETE"] {
        let outcome = server.ask(PEERS, method, &path(unknown)).outcome();
        assert_eq!(outcome, (404, "unknown_peer".to_owned()), "{method}");
    }
    let outcome = put(&server, unknown, &json!({})).outcome();
    assert_eq!(outcome, (404, "unknown_peer".to_owned()));
}

#[test]
fn links_are_simulated_in_development_only() {
    let server = AdminServer::start();
    let player = join(&server);
    let refused = put(&server, player.id, &json!({"to_player": {"latency_seconds": 0.1}}));
    assert!(refused.body.contains("start the server with --dev"), "{refused:?}");
    assert_eq!(refused.outcome(), (403, "not_in_development".to_owned()));
    for method in ["GET", "DELETE"] {
        let outcome = server.ask(PEERS, method, &path(player.id)).outcome();
        assert_eq!(outcome, (403, "not_in_development".to_owned()), "{method}");
    }
}

#[test]
fn settings_apply_to_all_connections() {
    let server = AdminServer::with(|command| {
        command.args(["--dev"]).env("MP_LINK__LATENCY", "100ms").env("MP_LINK__LOSS", "1%");
    });
    let mut player = join(&server);
    assert!(round_trip(&mut player) >= 2 * LATENCY);
    let link = get(&server, player.id);
    assert_eq!(link["to_player"]["latency_seconds"], 0.1);
    assert_eq!(link["to_player"]["loss"], 0.0, "WebSocket has a latency and a rate only");
}
