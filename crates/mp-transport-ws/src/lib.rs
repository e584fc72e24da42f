//! WebSocket transport, plain and with TLS, wire-compatible with Godot 4's
//! `WebSocketMultiplayerPeer` (checked against 4.6.3).
//!
//! Read [`WebSocketMultiplayerPeer`] first. The protocol is sans-IO, in `proto`. A
//! [`io::StreamSource`] provides the TCP connections.
//!
//! ```no_run
//! use mp_core::{MultiplayerPeer, host::SystemClock};
//! use mp_transport_ws::{ServerOptions, WebSocketMultiplayerPeer};
//!
//! let address = "0.0.0.0:7778".parse()?;
//! let mut server = WebSocketMultiplayerPeer::create_server(address, ServerOptions::default())?;
//! let clock = SystemClock::new();
//! loop {
//!     server.poll(clock.now());
//!     while let Some(event) = server.next_event() {
//!         println!("{event:?}");
//!     }
//!     server.flush(clock.now());
//!     std::thread::sleep(std::time::Duration::from_millis(5));
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Responses of a server
//!
//! | request | response |
//! |---|---|
//! | WebSocket upgrade, on any path | 101; the URL reaches the [router](mp_core::ConnectionRouter) as [`ConnectionOrigin::url`](mp_core::ConnectionOrigin::url) |
//! | upgrade on the path of [text sessions](WebSocketMultiplayerPeer::serve_text) | 101; the service handles the messages |
//! | upgrade on another path, at a [listener of text sessions](WebSocketMultiplayerPeer::listen_text) | 404 |
//! | upgrade from a web page that [may not connect](ServerOptions::allowed_origins) | 403 |
//! | upgrade while the server refuses new connections or is full | 503 |
//! | upgrade that violates RFC 6455 | 400; 426 for another version |
//! | `GET /healthz` | 200; the port is closed once the server [stops accepting](mp_core::MultiplayerPeer::stop_accepting) |
//! | another path or method | 404, 405 |
//! | more than 4,096 bytes of headers; an incomplete request after 3 s | 431; 408 |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `tokio` | [`io::TokioTcp`], TCP connections that wake their task |
//! | `tls` | `wss://`, with rustls: [`ServerOptions::tls`], [`ClientOptions::tls`] |
//! | `testing` | [`testing::VirtualNetwork`], connections in virtual time |

mod connection_io;
mod connection_table;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod info;
pub mod io;
pub mod limits;
mod options;
mod origins;
mod peer;
mod proto;
mod shaped_stream;
#[cfg(feature = "testing")]
pub mod testing;
mod text;

pub use info::WebSocketPeerInfo;
/// Certificates of servers, and settings of clients for their verification.
#[cfg(feature = "tls")]
pub use mp_tls as tls;
pub use options::{ClientOptions, CreateError, ServerOptions, WebSocketSettings};
pub use origins::AllowedOrigins;
pub use peer::{ServerStats, WebSocketMultiplayerPeer};
pub use proto::refusal::{MessageRefusal, RequestRefusal};
pub use proto::session::LastClose;
pub use proto::url::{Url, UrlError};
pub use text::{TextAction, TextOptions, TextService};
