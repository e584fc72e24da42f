//! What every [`MultiplayerPeer`] must do, as a suite that runs against yours.
//!
//! Each check is a function named as the sentence it proves, and takes a fresh [`Rig`]: a server, a way for clients to
//! join it, and time. [`suite`] runs them all. A rig that simulates its network makes them harder (loss, duplicates,
//! reordering); with virtual time they cost nothing but computing.
//!
//! The checks look at nothing but the trait. Throughout, whatever they are about, they also hold the order of events
//! against the contract: `Connected`, packets, `Disconnected`, and no [`ConnectionId`](crate::ConnectionId) twice.
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
//! To see a failure under the name of its behaviour, write a test per check:
//! `#[test] fn many_goes_to_each() { conformance::many_goes_to_each(MyRig::new()) }`.
#![expect(clippy::exhaustive_structs, reason = "a rig builds one")]

mod ends;
mod links;
mod packets;
mod stage;

use std::time::Duration;

use crate::{Instant, MultiplayerPeer};

pub use ends::*;
pub use links::*;
pub use packets::*;

/// A transport under test: its ends, and the time between their turns. See the [module](self) for an example.
pub trait Rig {
    /// The server. Called once, first.
    fn server(&mut self) -> Box<dyn MultiplayerPeer>;

    /// A new client on its way to the server.
    fn join(&mut self) -> Box<dyn MultiplayerPeer>;

    /// Lets 1 to 10 ms pass, really or virtually, and whatever the network does meanwhile. Returns the new time.
    fn step(&mut self) -> Instant;

    /// What the transport can do.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// What a transport can do beyond the least that the contract asks for, and how long to wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How many channels there are to test with, from channel 0 on, each with an order of its own (default 3).
    pub channels: u8,
    /// Whether a packet arrives as the [`TransferMode`](crate::TransferMode) it was sent with (default yes). If not,
    /// everything arrives as `Reliable`.
    pub modes: bool,
    /// Whether a packet may be empty (default yes). If not, [`suite`] leaves out [`an_empty_packet_arrives_empty`].
    pub empty_packets: bool,
    /// Whether links can be [held](MultiplayerPeer::hold) (default yes). If not, [`suite`] leaves out
    /// [`a_held_link_leaves_packets_with_their_sender`].
    pub holds: bool,
    /// Whether new connections can be refused (default yes). If not, [`suite`] leaves out
    /// [`refusing_keeps_the_links_there_are`].
    pub refuses: bool,
    /// How long to wait for what has to happen; longer than the transport's timeouts (default 60 s).
    pub patience: Duration,
    /// How long to wait for what must not happen; longer than a packet lives in the network (default 500 ms).
    pub quiet: Duration,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            channels: 3,
            modes: true,
            empty_packets: true,
            holds: true,
            refuses: true,
            patience: Duration::from_secs(60),
            quiet: Duration::from_millis(500),
        }
    }
}

/// Runs every check that the rig's [`Capabilities`] allow, each with a rig of its own.
///
/// # Panics
///
/// At the first check that fails; its name is printed to standard error.
pub fn suite<R: Rig>(mut make: impl FnMut() -> R) {
    macro_rules! run {
        ($($check:ident),* $(,)?) => {
            $({
                let _named = Named(stringify!($check));
                $check(make());
            })*
        };
    }

    run!(
        the_server_and_a_client_meet,
        the_server_sees_the_id_a_client_has,
        connected_precedes_packets,
        events_come_only_out_of_poll,
        a_connection_id_is_never_used_again,
        a_host_that_sleeps_until_it_is_called_makes_progress,
    );
    run!(
        packets_travel_both_ways,
        reliable_packets_arrive_once_and_in_order,
        unreliable_packets_arrive_at_most_once,
        unreliable_ordered_packets_never_go_backwards,
        modes_and_channels_are_reported,
        a_prefix_is_part_of_the_packet,
        many_goes_to_each,
        a_link_that_has_gone_is_skipped,
        a_packet_that_is_too_large_is_refused_and_goes_nowhere,
    );
    run!(
        a_polite_goodbye_is_reported_on_both_sides,
        a_client_may_say_goodbye,
        a_draining_goodbye_delivers_first,
        an_abrupt_goodbye_is_reported_on_the_other_side_only,
        closing_is_reported_by_everybody_else,
        a_client_that_closes_is_reported_by_the_server,
    );
    let can = make().capabilities();
    if can.empty_packets {
        run!(an_empty_packet_arrives_empty);
    }
    if can.holds {
        run!(a_held_link_leaves_packets_with_their_sender);
    }
    if can.refuses {
        run!(refusing_keeps_the_links_there_are);
    }
}

/// Says which check failed.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("conformance check that failed: {}", self.0);
        }
    }
}
