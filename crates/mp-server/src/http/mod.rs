//! The HTTP server: a thread of its own that serves routers on any number of listeners.
//!
//! ```text
//!  HttpListener ── connections ──► TrustedProxies ──► BrowserGuard ──► router of handlers
//!   (HttpLimits: number,     (X-Forwarded-For)   (Host, Origin, CORS)  │ Problem: errors as JSON
//!    sizes, times)                                                     ▼
//!                                             RoomsHandle: messages to the thread of the endpoints
//! ```
//!
//! A handler never runs on the thread of the endpoints or of a room, and has no locks in common
//! with them: it sends a message and waits, for at most [`HttpLimits::request_time`].

mod address_limiter;
mod bearer;
mod browser_guard;
mod extract;
mod problem;
mod server;
mod trusted_proxies;
mod whole_number;
mod write_timeout;

pub(crate) use address_limiter::AddressLimiter;
pub(crate) use bearer::bearer_token;
pub(crate) use browser_guard::{AllowedHosts, BrowserGuard};
pub(crate) use extract::{ClientAddress, Json, OptionalJson, Path, Query, object};
pub(crate) use problem::{Problem, ProblemBody};
pub(crate) use server::{HttpLimits, HttpListener, HttpServer};
pub(crate) use trusted_proxies::TrustedProxies;
pub(crate) use whole_number::{WHOLE_NUMBER_MAX, optional_whole_number, whole_number};
