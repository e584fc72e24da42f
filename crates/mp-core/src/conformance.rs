//! A test suite for implementations of [`MultiplayerPeer`].
//!
//! Each check is a function named after the behavior that it tests. It takes a fresh [`Rig`]: a
//! server, clients that join it, and time. [`suite`] runs all checks. A rig with a simulated
//! network makes them harder (loss, duplicates, reordering); with virtual time they run as fast as
//! the CPU allows.
//!
//! The checks use only the trait. All of them also check the order of events: `Connected`, packets,
//! `Disconnected`, and no [`ConnectionId`](crate::ConnectionId) twice.
//!
//! ```
//! use std::time::Duration;
//!
//! use mp_core::conformance::{Rig, suite};
//! use mp_core::{Instant, MemoryAddress, MemoryMultiplayerPeer, MultiplayerPeer, PeerId};
//!
//! #[derive(Default)]
//! struct Memory {
//!     address: Option<MemoryAddress>,
//!     clients: i32,
//!     now: Instant,
//! }
//!
//! impl Rig for Memory {
//!     fn server(&mut self) -> Box<dyn MultiplayerPeer> {
//!         let server = MemoryMultiplayerPeer::server();
//!         self.address = Some(server.address());
//!         Box::new(server)
//!     }
//!
//!     fn join(&mut self) -> Box<dyn MultiplayerPeer> {
//!         self.clients += 1;
//!         let id = PeerId::new(1 + self.clients).unwrap();
//!         Box::new(self.address.as_ref().unwrap().connect(id))
//!     }
//!
//!     fn step(&mut self) -> Instant {
//!         self.now += Duration::from_millis(5);
//!         self.now
//!     }
//! }
//!
//! suite(Memory::default);
//! ```
//!
//! To report each failure under its own name, write one test per check: `#[test] fn
//! connected_precedes_packets() { conformance::connected_precedes_packets(MyRig::new()) }`.
#![expect(clippy::exhaustive_structs, reason = "rigs construct it")]

mod closing;
mod connecting;
mod packets;
mod session;

use std::time::Duration;

use crate::{Instant, MultiplayerPeer};

pub use closing::*;
pub use connecting::*;
pub use packets::*;

/// A transport under test and its clock. See the [module](self) for an example.
pub trait Rig {
    /// Returns the server. Called once, before the other methods.
    fn server(&mut self) -> Box<dyn MultiplayerPeer>;

    /// Returns a new client that connects to the server.
    fn join(&mut self) -> Box<dyn MultiplayerPeer>;

    /// Advances real or virtual time by 1 to 10 ms, and the network with it. Returns the new time.
    fn step(&mut self) -> Instant;

    /// Returns the capabilities of the transport.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// The optional capabilities of a transport, and timeouts of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Number of channels to test, from channel 0 on, each ordered independently. Default: 3.
    pub channels: u8,
    /// True if a packet is received with the [`TransferMode`](crate::TransferMode) it was sent
    /// with. Otherwise all packets are received as `Reliable`. Default: true.
    pub modes: bool,
    /// True if a packet may be empty. Otherwise [`suite`] skips [`empty_packet_is_delivered`].
    /// Default: true.
    pub empty_packets: bool,
    /// True if connections can be [paused](MultiplayerPeer::pause_receiving). Otherwise [`suite`]
    /// skips [`paused_connection_leaves_packets_with_their_sender`]. Default: true.
    pub can_pause: bool,
    /// True if new connections can be refused. Otherwise [`suite`] skips
    /// [`refusing_connections_keeps_existing_ones`]. Default: true.
    pub refuses: bool,
    /// True if the transport has [statistics](MultiplayerPeer::transport_stats). Otherwise
    /// [`suite`] skips [`statistics_include_ended_connections`]. Default: false.
    pub statistics: bool,
    /// Time after which an expected event counts as missing. It must exceed the transport's
    /// timeouts. Default: 60 s.
    pub patience: Duration,
    /// Time in which an unexpected event would occur. It must exceed the lifetime of a packet in
    /// the network. Default: 500 ms.
    pub quiet: Duration,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            channels: 3,
            modes: true,
            empty_packets: true,
            can_pause: true,
            refuses: true,
            statistics: false,
            patience: Duration::from_secs(60),
            quiet: Duration::from_millis(500),
        }
    }
}

/// Runs every check that the rig's [`Capabilities`] allow, each with a new rig.
///
/// # Panics
///
/// At the first check that fails. Prints its name to standard error.
pub fn suite<R: Rig>(mut make: impl FnMut() -> R) {
    macro_rules! run {
        ($($check:ident),* $(,)?) => {
            $({
                let _report = ReportFailure(stringify!($check));
                $check(make());
            })*
        };
    }

    run!(
        client_and_server_connect,
        server_reports_the_id_of_its_client,
        connected_precedes_packets,
        events_are_received_only_by_poll,
        connection_ids_are_never_reused,
        sleeping_host_makes_progress,
    );
    run!(
        packets_are_delivered_both_ways,
        reliable_packets_are_delivered_once_and_in_order,
        unreliable_packets_are_delivered_at_most_once,
        unreliable_ordered_packets_never_go_backwards,
        modes_and_channels_are_reported,
        prefix_precedes_the_payload,
        packet_for_many_connections_is_delivered_to_each,
        closed_connections_are_skipped,
        oversized_packet_is_rejected,
    );
    run!(
        graceful_disconnect_is_reported_by_both_peers,
        client_disconnects_gracefully,
        drain_delivers_accepted_packets_first,
        immediate_disconnect_is_reported_by_the_remote_peer_only,
        closing_server_is_reported_by_its_clients,
        closing_client_is_reported_by_its_server,
    );
    let can = make().capabilities();
    if can.empty_packets {
        run!(empty_packet_is_delivered);
    }
    if can.can_pause {
        run!(paused_connection_leaves_packets_with_their_sender);
    }
    if can.refuses {
        run!(refusing_connections_keeps_existing_ones);
    }
    if can.statistics {
        run!(statistics_include_ended_connections);
    }
}

/// A guard that prints the name of its check if the check panics.
struct ReportFailure(&'static str);

impl Drop for ReportFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("conformance check failed: {}", self.0);
        }
    }
}
