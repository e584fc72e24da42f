//! The state of the server at one time, for its view.

use std::collections::BTreeMap;
use std::time::Duration;

use mp::Server;
use mp::actor::CallError;
use mp::core::ConnectionStats;
use mp::prelude::*;

use crate::arena::{coins, players};

/// Players and coins, with the statistics of the players' connections.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// In the order of their ids.
    pub(crate) players: Vec<Row>,
    pub(crate) coins: Vec<Vector2>,
}

/// A player.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) position: Vector2,
    pub(crate) score: i64,
    /// `None` if the transport does not measure it.
    pub(crate) round_trip_time: Option<Duration>,
    /// Bytes of packets per second, received and sent.
    pub(crate) received: f64,
    pub(crate) sent: f64,
}

/// Takes snapshots, and remembers the counters of the last one for rates.
pub(crate) struct Observer {
    counters: BTreeMap<PeerId, (u64, u64)>,
    taken: tokio::time::Instant,
}

impl Observer {
    pub(crate) fn new() -> Self {
        Self { counters: BTreeMap::new(), taken: tokio::time::Instant::now() }
    }

    /// Takes a snapshot of a running server.
    ///
    /// # Errors
    ///
    /// If the server has ended, or has too many calls pending.
    pub(crate) async fn take(&mut self, server: &Server) -> Result<Snapshot, CallError> {
        let mut snapshot = server.with(|scene| positions(scene)).await?;
        let now = tokio::time::Instant::now();
        let seconds = (now - self.taken).as_secs_f64().max(0.001);
        self.taken = now;
        let mut counters = BTreeMap::new();
        for row in &mut snapshot.players {
            let id = i32::try_from(row.id).ok().and_then(PeerId::new);
            let Some(peer) = id.and_then(|id| server.peer(id)) else { continue };
            // Fails if the peer has just left.
            let Ok(stats) = peer.stats().await else { continue };
            let connection = stats.connection.unwrap_or_default();
            let ConnectionStats { bytes_received, bytes_sent, .. } = connection;
            row.round_trip_time = connection.round_trip_time;
            let (received, sent) = self.counters.get(&peer.id()).copied().unwrap_or_default();
            row.received = bytes_received.saturating_sub(received) as f64 / seconds;
            row.sent = bytes_sent.saturating_sub(sent) as f64 / seconds;
            counters.insert(peer.id(), (bytes_received, bytes_sent));
        }
        self.counters = counters;
        Ok(snapshot)
    }
}

fn positions(scene: &Scene) -> Snapshot {
    let row = |player: NodeRef<_>| {
        let id = scene.tree().name(player)?.parse().ok()?;
        let player: &crate::player::Player = scene.get(player).ok()?;
        let (name, position) = (player.title.clone(), player.position);
        Some(Row { id, name, position, score: *player.score, ..Row::default() })
    };
    let mut players: Vec<_> = players(scene).into_iter().filter_map(row).collect();
    players.sort_by_key(|row| row.id);
    let coins = coins(scene).into_iter().filter_map(|coin| scene.get(coin).ok());
    Snapshot { players, coins: coins.map(|coin| coin.position).collect() }
}
