//! `/metrics`.

use std::time::Duration;

use mp_actor::prelude::*;
use mp_tls::ClientTlsOptions;

use super::http::Request;
use super::{AdminServer, READ, ROOMS};
use crate::players::{join, join_by_url};

impl AdminServer {
    /// Returns the value of a metric, or 0.
    pub(super) fn metric(&self, sample: &str) -> f64 {
        let response = Request::new("GET", "/metrics").send(self.address);
        assert_eq!(response.status, 200, "{response:?}");
        assert!(response.body.ends_with("\n# EOF\n"), "{response:?}");
        let value = response.body.lines().find_map(|line| line.strip_prefix(sample));
        value.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Waits until a counter has this value, which is published at most a second later. It must not
    /// exceed it.
    pub(super) fn wait_for_metric(&self, sample: &str, value: f64) {
        loop {
            let current = self.metric(sample);
            assert!(current <= value, "{sample} is {current}");
            if current == value {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a counter has this value. It must not exceed it.
    async fn until_metric(&self, sample: &str, value: f64) {
        loop {
            let current = self.metric(sample);
            assert!(current <= value, "{sample} is {current}");
            if current == value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Sends 20 packets of 4 bytes to the server.
async fn send(player: &BranchRef) {
    for _ in 0..20 {
        let sent = player.with(|scene| {
            scene.send_bytes(b"1234", PeerId::SERVER, TransferMode::Reliable, Channel(0))
        });
        sent.await.unwrap().unwrap();
    }
}

#[test]
fn metrics_add_up_with_the_packets_of_players() {
    let server = AdminServer::start();
    actix::System::new().block_on(async {
        let build = || Branch::builder("/root").build();
        let enet = [join(server.server.enet, build).await, join(server.server.enet, build).await];
        let url = format!("ws://{}", server.server.ws);
        let web_socket = join_by_url(&url, ClientTlsOptions::new()).await.unwrap();
        for player in enet.iter().chain([&web_socket]) {
            send(player).await;
        }
        server.until_metric("mp_messages_received_total{kind=\"raw\"}", 60.0).await;
        enet[0].close().await;
        let left = "mp_peers_left_total{transport=\"enet\",reason=\"remote\"}";
        server.until_metric(left, 1.0).await;
        for (sample, value) in [
            ("mp_messages_received_total{kind=\"raw\"}", 60.0),
            ("mp_message_received_bytes_total{kind=\"raw\"}", 60.0 * 5.0),
            ("mp_packets_received_total{transport=\"enet\"}", 40.0),
            ("mp_packets_received_total{transport=\"websocket\"}", 20.0),
            ("mp_peers_joined_total{transport=\"enet\"}", 2.0),
            ("mp_handshakes_total{transport=\"enet\",result=\"completed\"}", 2.0),
            ("mp_handshakes_total{transport=\"websocket\",result=\"completed\"}", 1.0),
            ("mp_peers{transport=\"enet\"}", 1.0),
            ("mp_peers{transport=\"websocket\"}", 1.0),
            ("mp_rooms", 1.0),
        ] {
            assert_eq!(server.metric(sample), value, "{sample}");
        }
        let bytes = server.metric("mp_network_received_bytes_total{transport=\"websocket\"}");
        assert!(bytes > 20.0 * 5.0, "{bytes}");
        assert!(server.metric("mp_datagrams_received_total{transport=\"enet\"}") > 2.0);
        let round_trips = server.metric("mp_round_trip_seconds_count{transport=\"enet\"}");
        assert!(round_trips > 0.0, "{round_trips}");
    });
}

#[test]
fn metrics_need_a_token_if_other_machines_reach_them() {
    let server = AdminServer::with(|command| {
        command.env("MP_ADMIN__ADDRESS", "0.0.0.0:0");
    });
    assert_eq!(Request::new("GET", "/metrics").send(server.address).status, 401);
    assert_eq!(server.ask(ROOMS, "GET", "/metrics").status, 403);
    assert_eq!(server.ask(READ, "GET", "/metrics").status, 200);
}
