//! [`AdminContext`]: what the handlers of the admin API have in common.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mp_core::Instant;
use mp_core::host::SystemClock;
use mp_rooms::RoomName;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::token::{Scope, Token};
use super::tokens::AdminTokens;
use crate::addresses::Addresses;
use crate::cluster::{ClusterStats, SharedStats};
use crate::config::Config;
use crate::http::AddressLimiter;
use crate::record::Recordings;
use crate::reload::{LiveConfig, Reloader};
use crate::resident_bots::ResidentBots;
use crate::rooms::RoomsHandle;
use crate::shutdown::DrainRequests;

/// The parts of a running server that operators use.
#[derive(Clone, Debug)]
pub(crate) struct Operated {
    pub(crate) live: LiveConfig,
    pub(crate) rooms: RoomsHandle,
    /// Room with which the server ends, if there is one.
    pub(crate) only_room: Option<RoomName>,
    pub(crate) reloader: Reloader,
    pub(crate) drain_requests: DrainRequests,
    pub(crate) recordings: Recordings,
    /// `None` if the server is no node of a cluster.
    pub(crate) cluster: Option<SharedStats>,
}

/// The running server, for handlers. Clones refer to the same server.
#[derive(Clone, Debug)]
pub(crate) struct AdminContext(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    server: Operated,
    tokens: AdminTokens,
    wrong_tokens: AddressLimiter,
    /// Token of requests that have none, if the port is open.
    open_token: Option<Token>,
    /// Places of viewers of events.
    viewers: Arc<Semaphore>,
    bots: ResidentBots,
    stopping: CancellationToken,
    clock: SystemClock,
    started: Instant,
    /// Addresses of the transports, once they listen.
    listening: OnceLock<Addresses>,
}

impl AdminContext {
    /// Returns a context. `is_open` lets requests without a token do everything.
    pub(super) fn new(
        server: Operated,
        tokens: AdminTokens,
        is_open: bool,
        stopping: CancellationToken,
    ) -> Self {
        let open_token = is_open.then(|| Token::generate("dev", &Scope::ALL)).flatten();
        let open_token = open_token.map(|(token, _)| token);
        let clock = SystemClock::new();
        Self(Arc::new(Shared {
            server,
            tokens,
            wrong_tokens: AddressLimiter::new(WRONG_TOKENS_BURST, WRONG_TOKENS_INTERVAL),
            open_token,
            viewers: Arc::new(Semaphore::new(VIEWERS_MAX)),
            bots: ResidentBots::default(),
            stopping,
            clock,
            started: clock.now(),
            listening: OnceLock::new(),
        }))
    }

    /// Returns the statistics of the node; `None` if the server is no node of a cluster.
    pub(super) fn cluster(&self) -> Option<ClusterStats> {
        self.0.server.cluster.as_ref()?.get()
    }

    pub(super) fn rooms(&self) -> &RoomsHandle {
        &self.0.server.rooms
    }

    pub(super) fn recordings(&self) -> &Recordings {
        &self.0.server.recordings
    }

    /// Returns the room with which the server ends, if there is one.
    pub(super) fn only_room(&self) -> Option<&RoomName> {
        self.0.server.only_room.as_ref()
    }

    /// Returns the configuration.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.0.server.live.borrow())
    }

    pub(super) fn reloader(&self) -> &Reloader {
        &self.0.server.reloader
    }

    pub(super) fn drain_requests(&self) -> &DrainRequests {
        &self.0.server.drain_requests
    }

    pub(super) fn tokens(&self) -> &AdminTokens {
        &self.0.tokens
    }

    /// Returns the token of requests that have none, if the port is open.
    pub(super) fn open_token(&self) -> Option<&Token> {
        self.0.open_token.as_ref()
    }

    /// Returns the limiter of wrong tokens and codes.
    pub(super) fn wrong_tokens(&self) -> &AddressLimiter {
        &self.0.wrong_tokens
    }

    /// Returns the places of viewers of events.
    pub(super) fn viewers(&self) -> &Arc<Semaphore> {
        &self.0.viewers
    }

    /// Returns the bots that this process runs in its rooms.
    pub(super) fn bots(&self) -> &ResidentBots {
        &self.0.bots
    }

    /// Returns the token that is cancelled when the port closes.
    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    pub(super) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// Returns the time since the server started.
    pub(super) fn uptime(&self) -> Duration {
        self.now() - self.0.started
    }

    /// Returns the addresses of the transports; `None` before they listen.
    pub(super) fn listening(&self) -> Option<&Addresses> {
        self.0.listening.get()
    }

    pub(super) fn set_listening(&self, addresses: Addresses) {
        let _ = self.0.listening.set(addresses);
    }
}

/// Maximum number of viewers of events.
const VIEWERS_MAX: usize = 16;
/// Number of wrong tokens that a client may send at once.
const WRONG_TOKENS_BURST: u64 = 10;
/// Time after which a client may send another wrong token.
const WRONG_TOKENS_INTERVAL: Duration = Duration::from_secs(6);
