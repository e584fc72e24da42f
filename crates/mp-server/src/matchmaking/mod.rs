//! Matchmaking over HTTP: players request seats in rooms, lists of rooms, and places in queues.
//!
//! ```text
//!  POST   /v1/match/VERB/TEMPLATE      a seat: join_or_create, create, join, join_by_id, reconnect
//!  GET    /v1/lobby/TEMPLATE           public rooms
//!  POST   /v1/queue/TEMPLATE           a place in the queue; /confirm: confirms a group
//!  GET    /v1/queue/TEMPLATE           its state
//!  DELETE /v1/queue/TEMPLATE           leaves it
//! ```
//!
//! A seat has a ticket, the token with which the player joins. Requests for a ticket have the
//! credentials of the player, unless everyone may play; the others have the ticket. The port has
//! limits per address, and is behind a [`BrowserGuard`].

mod addresses;
mod refusals;
mod requests;
mod responses;
mod routes;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use mp_core::Rng;
use mp_core::host::SystemClock;
use mp_identity::Credentials;
use mp_rooms::{RoomName, Ticket};

pub(crate) use self::addresses::{EnetAddress, PublicAddresses, ServerAddresses};
#[cfg(feature = "fuzzing")]
pub(crate) use self::requests::check_request;
use crate::Failure;
use crate::cluster::SharedStats;
use crate::config::{IdentityConfig, IdentityMethod, MatchConfig};
use crate::http::{
    AddressLimiter, AllowedHosts, BrowserGuard, ClientAddress, HttpLimits, HttpListener,
    HttpServer, Problem, TrustedProxies,
};
use crate::rooms::RoomsHandle;

/// The HTTP port for matchmaking.
#[derive(Debug)]
pub(crate) struct Matchmaking {
    http: HttpServer,
}

/// The state of the routes.
#[derive(Clone)]
struct MatchContext {
    rooms: RoomsHandle,
    addresses: Arc<PublicAddresses>,
    rng: Arc<Mutex<Rng>>,
    limiter: Option<Arc<AddressLimiter>>,
    clock: SystemClock,
    /// True if everyone may play, without credentials.
    is_open: bool,
    /// `None` if the server is no node of a cluster.
    cluster: Option<SharedStats>,
}

impl Matchmaking {
    /// Opens the port of the settings; `None` if it is off.
    pub(crate) fn open(
        config: &MatchConfig,
        identity: &IdentityConfig,
        rooms: &RoomsHandle,
        addresses: PublicAddresses,
        cluster: Option<SharedStats>,
    ) -> Result<Option<Self>, Failure> {
        let Some(address) = config.address.map(|address| address.socket_addr()) else {
            return Ok(None);
        };
        let listener = HttpListener::bind(address).map_err(|error| cannot_bind(address, &error))?;
        let address = listener.local_addr();
        let seed = mp_core::host::os_seed().map_err(|error| cannot_start(&error))?;
        if !addresses.has_any() {
            tracing::warn!(
                "no player can take a seat: tickets need WebSocket, WebRTC or ENet listeners by which players select rooms; ENet needs select = \"auth\""
            );
        }
        let per_second = config.requests_per_second;
        let context = MatchContext {
            rooms: rooms.clone(),
            addresses: Arc::new(addresses),
            rng: Arc::new(Mutex::new(Rng::from_seed(seed))),
            limiter: per_second.map(|rate| Arc::new(AddressLimiter::per_second(rate.into()))),
            clock: SystemClock::new(),
            is_open: identity.method == IdentityMethod::Open,
            cluster,
        };
        let routes = routes::routes().with_state(context.clone());
        let limited = routes.layer(middleware::from_fn_with_state(context, limit));
        let guard = BrowserGuard::new(AllowedHosts::Any, config.allowed_origins.clone());
        let http = HttpServer::start().map_err(|error| cannot_start(&error))?;
        let limits = HttpLimits { body_size: BODY_BYTES_MAX, ..HttpLimits::default() };
        let router = TrustedProxies::new(&config.proxies).apply(guard.protect(limited));
        http.serve(listener, router, limits).map_err(|e| cannot_start(&e))?;
        tracing::info!(%address, "matchmaking");
        Ok(Some(Self { http }))
    }

    /// Closes the port. Responses that are under way are completed, for at most a second.
    pub(crate) async fn close(self) {
        self.http.stop().await;
    }
}

impl MatchContext {
    /// Returns the credentials of a request for a ticket. They are not read if everyone may play:
    /// the header may be meant for a reverse proxy.
    fn credentials(
        &self,
        headers: &HeaderMap,
        ClientAddress(client): ClientAddress,
        room: Option<&RoomName>,
    ) -> Result<Credentials, Problem> {
        match self.is_open {
            true => Ok(Credentials::default()),
            false => requests::credentials(headers, client.ip(), room),
        }
    }

    /// Returns a new ticket, which the rooms tag by the node that has its seat.
    fn new_ticket(&self) -> Ticket {
        Ticket::random(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Refuses the requests of an address above its rate.
async fn limit(
    State(context): State<MatchContext>,
    ClientAddress(address): ClientAddress,
    request: Request,
    next: Next,
) -> Response {
    let limiter = context.limiter.as_ref();
    match limiter.map_or(Ok(()), |limiter| limiter.take(context.clock.now(), address.ip())) {
        Ok(()) => next.run(request).await,
        Err(after) => Problem::too_many_requests(after).into_response(),
    }
}

fn cannot_bind(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::Refused(format!(
        "cannot bind TCP {address} for matchmaking: {error}; set match.address to another address, or to off"
    ))
}

fn cannot_start(error: &io::Error) -> Failure {
    Failure::Refused(format!("cannot start matchmaking: {error}"))
}

/// Maximum size of a request's body: a filter has at most 8 KiB.
const BODY_BYTES_MAX: usize = 16 << 10;
