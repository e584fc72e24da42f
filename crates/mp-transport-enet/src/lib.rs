//! ENet 1.3 in safe Rust, wire-compatible with Godot 4's `ENetMultiplayerPeer` (checked against
//! 4.6.3) and with other ENet 1.3 hosts.
//!
//! Read [`EnetMultiplayerPeer`] first, then [`proto::Host`]. The former combines the latter with a
//! socket and Godot's channel mapping. [`proto`] has no I/O.
//!
//! | Godot | here |
//! |---|---|
//! | `ENetMultiplayerPeer` | [`EnetMultiplayerPeer`]; for a mesh [`EnetMesh`] |
//! | `ENetConnection` | [`EnetConnection`], also from [`EnetMultiplayerPeer::host`] |
//! | `ENetPacketPeer` | [`EnetPacketPeer`], from [`EnetMultiplayerPeer::peer`] |
//!
//! ```no_run
//! use mp_core::{MultiplayerPeer, host::SystemClock};
//! use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};
//!
//! let address = "0.0.0.0:7777".parse()?;
//! let mut server = EnetMultiplayerPeer::create_server(address, ServerOptions::default())?;
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
//! # Differences from Godot
//!
//! * All packets of a turn to one peer share datagrams. Godot flushes after each packet.
//! * Rejected clients are notified immediately. Godot lets them time out.
//! * Peer ids below 2 (as signed integers) and ids in use are rejected.
//! * The packet throttle, which drops unreliable packets when round-trip times grow, is off unless
//!   [`HostSettings::packet_throttle`](proto::HostSettings::packet_throttle) enables it.
//! * Bandwidth limits apply as given. Godot 4.6.3 passes its arguments one position off.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `dtls` | encryption, as Godot's `dtls_server_setup` and `dtls_client_setup`: [`dtls`] |
//! | `tokio` | [`io::TokioUdpSocket`], which wakes its task |
//! | `zlib`, `zstd` (on by default) | the compression modes of that name; require a C compiler |
//! | `testing` | [`testing::Network`], a seeded network in virtual time |

mod connection;
mod dialing;
#[cfg(feature = "dtls")]
pub mod dtls;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
pub mod io;
pub mod limits;
mod mapping;
mod mesh;
mod multiplayer_peer;
mod options;
mod pacing;
mod packet_peer;
pub mod proto;
mod shaped_connections;
#[cfg(feature = "tokio")]
mod shards;
mod socket_driver;
mod tap;
#[cfg(feature = "testing")]
pub mod testing;

pub use connection::EnetConnection;
pub use dialing::ConnectError;
#[cfg(feature = "dtls")]
pub use dtls::{DtlsClientOptions, DtlsError};
pub use mapping::LAST_CHANNEL;
pub use mesh::{AddMeshPeerError, EnetMesh};
pub use multiplayer_peer::EnetMultiplayerPeer;
pub use options::{ClientOptions, CreateError, ServerOptions};
pub use packet_peer::{EnetPacketPeer, PeerSendError, TimeoutError};
#[cfg(feature = "tokio")]
pub use shards::EnetShards;
pub use socket_driver::SocketStats;
pub use tap::TappedDatagram;
