//! Operations over HTTP: the admin API `/v1`, health, and other routes for operators.
//!
//! ```text
//!  GET /livez /healthz /readyz        health        no token
//!  GET /metrics                       metrics       on a public address: scope read
//!  GET /, /setup, /page/…             page          no token; the page asks for one
//!  POST /v1/setup                     setup         the code of the link that the start prints
//!  /v1/…                              api           a token with the scope of the route
//! ```
//!
//! All routes are behind a [`BrowserGuard`]. Handlers have an [`AdminContext`] and send messages to
//! the task that owns the rooms.

mod announce;
mod api;
mod authorize;
#[expect(unused_qualifications, reason = "code that utoipa generates")]
mod bans;
mod bots;
mod cluster;
mod context;
#[expect(unused_qualifications, reason = "code that utoipa generates")]
mod events;
mod health;
mod host_key;
mod join;
mod link;
mod metrics;
mod moves;
mod nodes;
mod own_token;
mod peers;
mod playback;
mod recordings;
mod room_events;
#[expect(unused_qualifications, reason = "code that utoipa generates")]
mod rooms;
mod server;
mod setup;
mod status;
mod token;
mod tokens;
mod viewer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;

use self::context::AdminContext;
use self::tokens::AdminTokens;
use crate::Failure;
use crate::addresses::Addresses;
use crate::config::{AdminConfig, Config};
use crate::http::{
    AllowedHosts, BrowserGuard, HttpLimits, HttpListener, HttpServer, TrustedProxies,
};
use crate::page;
use crate::reload::LiveConfig;

pub(crate) use self::announce::Announcement;
pub(crate) use self::bans::NewBan;
pub(crate) use self::bots::NewBots;
pub(crate) use self::context::Operated;
pub(crate) use self::link::{Direction, Link};
pub(crate) use self::moves::MovePeer;
pub(crate) use self::playback::PlaybackChange;
pub(crate) use self::rooms::{NewRoom, RoomSettings};
pub(crate) use self::token::{Scope, Token};

/// The HTTP port for operators.
pub(crate) struct Admin {
    http: HttpServer,
    context: AdminContext,
    address: SocketAddr,
}

impl Admin {
    /// Opens the port of the settings; `None` if it is off, or if another program uses the default
    /// port. `GET /readyz` responds that the server is not ready until
    /// [`set_listening`](Self::set_listening).
    pub(crate) fn open(server: Operated) -> Result<Option<Self>, Failure> {
        let live = server.live.clone();
        let config = &*Arc::clone(&live.borrow());
        let Some(address) = config.admin.address.map(|it| it.socket_addr()) else {
            return Ok(None);
        };
        let tokens = AdminTokens::new(&config.admin).map_err(Failure::Refused)?;
        check_public(address, &tokens).map_err(Failure::Refused)?;
        let listener = match HttpListener::bind(address) {
            Ok(listener) => listener,
            Err(error) if config.admin.is_default_address && is_in_use(&error) => {
                tracing::info!(%address, "starting without the admin API: another program uses its default port; set admin.address to another one, or to off");
                return Ok(None);
            }
            Err(error) => {
                let out = "set admin.address to another address, or to off";
                let message =
                    format!("cannot bind TCP {address} for the admin API: {error}; {out}");
                return Err(Failure::Refused(message));
            }
        };
        let address = listener.local_addr();
        let start = |error: io::Error| {
            Failure::Refused(format!("cannot start the thread of the admin API: {error}"))
        };
        let http = HttpServer::start().map_err(start)?;
        let is_open = config.dev && !is_public(address);
        let context = AdminContext::new(server, tokens, is_open, http.stopping());
        let router = router(&context, config, is_public(address));
        let router = TrustedProxies::new(&config.admin.proxies).apply(router);
        http.serve(listener, router, HttpLimits::default()).map_err(start)?;
        http.spawn(follow(live, context.clone()));
        tracing::info!(%address, "admin API");
        Ok(Some(Self { http, context, address }))
    }

    /// Declares that the transports listen. Returns a text that describes how to make the first
    /// token, if there is none.
    pub(crate) fn set_listening(&self, addresses: Addresses) -> Option<String> {
        self.context.set_listening(addresses);
        let code = self.context.tokens().start_setup(self.context.now())?;
        let link = format!("http://{}/setup#{code}", self.address);
        Some(format!(
            "\nThe admin API has no token yet. This link makes the first one, once, within ten minutes:\n\n    \
             {link}\n\nwithout a browser: mp-server ctl setup '{link}'\n"
        ))
    }

    /// Closes the port. Responses that are under way are completed, for at most a second.
    pub(crate) async fn close(self) {
        self.http.stop().await;
    }
}

/// Returns all routes. Those that another module adds are merged here: without a token, or to the
/// routes of a scope in [`api::routes`].
fn router(context: &AdminContext, config: &Config, is_public: bool) -> Router {
    let hosts = AllowedHosts::Listed(config.admin.allowed_hosts.clone());
    let guard = BrowserGuard::new(hosts, config.admin.allowed_origins.clone());
    let routes = Router::new()
        .merge(health::routes())
        .merge(metrics::routes(context, is_public))
        .merge(page::routes(config.dev))
        .merge(api::routes(context))
        .with_state(context.clone());
    guard.protect(routes)
}

/// Refuses a port that other machines reach while there is no token. The error is a message.
fn check_public(address: SocketAddr, tokens: &AdminTokens) -> Result<(), String> {
    if !is_public(address) || !tokens.is_empty() {
        return Ok(());
    }
    Err(format!(
        "cannot open the admin API on {address}, which other machines can reach, without a token; \
         make one with `mp-server ctl new-token` and set admin.tokens or admin.token_file, \
         or set admin.address to 127.0.0.1:{}",
        address.port()
    ))
}

/// Returns whether other machines may reach a port at this address.
pub(crate) fn is_public(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// Returns the number of tokens of the settings. The error is a message.
pub(crate) fn count_tokens(config: &AdminConfig) -> Result<usize, String> {
    AdminTokens::new(config).map(|tokens| tokens.len())
}

fn is_in_use(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// Replaces the tokens at each reload.
async fn follow(mut live: LiveConfig, context: AdminContext) {
    while live.changed().await.is_ok() {
        let config = Arc::clone(&live.borrow_and_update());
        context.tokens().reload(&config.admin);
    }
}
