//! Server queries on the ENet port, for server lists: A2S_INFO, A2S_PLAYER and A2S_RULES of
//! Valve's public specification.
//!
//! ```text
//!  UDP socket ── datagrams ──► QuerySocket ── all others ──► ENet (or DTLS)
//!                              │      ▲
//!             FF FF FF FF …    ▼      │ responses
//!                         QueryResponder ◄── QueryInfo, once a second ── ServerQueries::follow
//! ```
//!
//! A query begins with four bytes `FF`. No ENet client sends such a datagram: it would be a CONNECT
//! of a session that does not exist yet. DTLS records begin with other bytes, too.
//!
//! A response that is longer than its query is sent only to an address that has returned a
//! challenge, so that queries with a forged address are not amplified.

mod responder;
mod socket;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::Config;
use crate::reload::LiveConfig;
use crate::rooms::{RoomsHandle, ServerEnded};

pub(crate) use self::socket::QuerySocket;

/// The contents of responses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct QueryInfo {
    name: String,
    map: String,
    game: String,
    players: usize,
    max_players: usize,
    /// True if players need a token or a secret.
    is_private: bool,
    /// Port of ENet; 0 until it is known.
    port: u16,
    rules: BTreeMap<&'static str, String>,
    /// Names of players, if the settings permit them.
    names: Vec<String>,
}

/// The queries of a server: contents of responses, and counters. Clones refer to the same server.
#[derive(Clone, Debug)]
pub(crate) struct ServerQueries(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    info: Mutex<QueryInfo>,
    counts: Counts,
}

/// Numbers of queries by result.
#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    challenged: AtomicU64,
    limited: AtomicU64,
    malformed: AtomicU64,
}

impl ServerQueries {
    /// Returns the queries of a server; `None` if they are off.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        config.query.enabled.then(|| Self(Arc::default()))
    }

    /// Returns the numbers of queries by result.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 4] {
        let Counts { answered, challenged, limited, malformed } = &self.0.counts;
        let all = [
            ("answered", answered),
            ("challenged", challenged),
            ("limited", limited),
            ("malformed", malformed),
        ];
        all.map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// Updates the contents of responses once a second until the server has ended. `port` is that
    /// of ENet.
    pub(crate) async fn follow(self, live: LiveConfig, rooms: RoomsHandle, port: u16) {
        loop {
            let config = Arc::clone(&live.borrow());
            let Ok(info) = info(&config, &rooms, port).await else { return };
            self.set_info(info);
            tokio::time::sleep(UPDATE_INTERVAL).await;
        }
    }

    fn set_info(&self, info: QueryInfo) {
        *self.0.info.lock().unwrap_or_else(PoisonError::into_inner) = info;
    }

    fn with_info<R>(&self, read: impl FnOnce(&QueryInfo) -> R) -> R {
        read(&self.0.info.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn info(config: &Config, rooms: &RoomsHandle, port: u16) -> Result<QueryInfo, ServerEnded> {
    let stats = rooms.stats().await?;
    let is_draining = rooms.is_draining().await?;
    let query = &config.query;
    let names = match query.player_names {
        true => rooms.player_names(wire::PLAYERS_MAX).await?,
        false => Vec::new(),
    };
    let host = config.matchmaking.public_host.clone();
    let rules = [
        ("draining", u8::from(is_draining).to_string()),
        ("rooms", stats.open.to_string()),
        ("rooms_max", config.limits.max_rooms.to_string()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    Ok(QueryInfo {
        name: query.name.clone(),
        map: query.map.clone(),
        game: query.game.clone(),
        players: stats.players,
        max_players: config.limits.max_clients as usize,
        is_private: config.identity.method != crate::config::IdentityMethod::Open,
        port,
        rules: rules.into_iter().chain(host.map(|host| ("address", host))).collect(),
        names,
    })
}

/// Time between two updates of the contents of responses.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);
