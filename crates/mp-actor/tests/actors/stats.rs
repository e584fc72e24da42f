//! Statistics that branches and endpoints publish.

use std::time::Duration;

use actix::Arbiter;
use mp_actor::BranchStatsCollector;
use mp_actor::prelude::*;
use mp_core::{BranchId, ConnectionRouter, DisconnectReason, MemoryMultiplayerPeer};
use mp_core::{NewConnection, OutgoingPacket, Route};
use mp_scene::PacketKind;

use crate::common::*;

/// Assigns all connections to one branch.
struct Only(BranchId);

impl ConnectionRouter for Only {
    fn route(&mut self, _: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        Route::Branch(self.0)
    }
}

fn received(collector: &BranchStatsCollector, kind: PacketKind) -> u64 {
    collector.totals().packets.received.packets(kind)
}

#[test]
fn totals_contain_branches_that_have_ended() {
    run(async {
        let (collector, notes) = (BranchStatsCollector::default(), Notes::new());
        for round in 1..=2 {
            let starter = log_branch("/root", &notes).collect_stats(&collector);
            let (server, address) = serve(starter).await;
            let client = join(log_branch("/root", &notes), &address, 2).await;
            for number in 0..5 {
                note(&client, PeerId::SERVER, number).await;
            }
            until(|| notes.read().len() as i64 == 5 * round).await;
            client.close().await;
            server.close().await;
            assert_eq!(received(&collector, PacketKind::Rpc), 5 * round as u64);
        }
        let totals = collector.totals();
        assert_eq!(totals.packets.received.packets(PacketKind::Raw), 0);
        assert!(totals.packets.received.bytes(PacketKind::Rpc) > 10 * 5);
        assert!(totals.turns.count() > 0);
        assert_eq!(totals.scene.refused_calls, 0);
    });
}

#[test]
fn a_branch_that_panics_reports_what_it_counted_before() {
    run(async {
        let (collector, notes) = (BranchStatsCollector::default(), Notes::new());
        let (server, address) = serve(log_branch("/root", &notes).collect_stats(&collector)).await;
        let client = join(log_branch("/root", &notes), &address, 2).await;
        note(&client, PeerId::SERVER, 1).await;
        until(|| !notes.read().is_empty()).await;
        let _ = server.with(|_| panic!("boom")).await;
        server.closed().await;
        assert_eq!(received(&collector, PacketKind::Rpc), 1);
    });
}

#[test]
fn the_last_packets_before_a_silence_are_published_within_a_second() {
    run(async {
        let (collector, notes) = (BranchStatsCollector::default(), Notes::new());
        let room = log_branch("/root", &notes).collect_stats(&collector).start().await.unwrap();
        let (transport, router) = (MemoryMultiplayerPeer::server(), Only(room.id()));
        let address = transport.address();
        let make = move || made((transport, router));
        let endpoint =
            mp_actor::shared_endpoint(make).on(Arbiter::current()).start().await.unwrap();
        endpoint.serve(&room).await.unwrap();
        let client = join(log_branch("/root", &notes), &address, 2).await;
        for number in 0..3 {
            note(&client, PeerId::SERVER, number).await;
        }
        until(|| notes.read().len() == 3).await;
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        assert_eq!(received(&collector, PacketKind::Rpc), 3);
        let snapshot = endpoint.snapshot();
        assert_eq!(snapshot.endpoint, endpoint.stats().await.unwrap());
        assert_eq!(snapshot.endpoint.assigned_connections, 1);

        // Nothing happens, so there are no turns.
        let turns = (collector.totals().turns.count(), endpoint.snapshot().turns.count());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let later = (collector.totals().turns.count(), endpoint.snapshot().turns.count());
        assert_eq!(turns, later);

        client.close().await;
        endpoint.close().await;
        let last = endpoint.snapshot().endpoint;
        assert_eq!((last.connections, last.assigned_connections), (0, 1));
        assert_eq!(last.ended_connections.get(DisconnectReason::Remote(0)), 1);
    });
}
