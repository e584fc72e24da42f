//! Core types and the transport trait of mp, Godot's high-level multiplayer in Rust.
//!
//! Read [`MultiplayerPeer`] first, then [`PeerEvent`]. A transport reports events and sends
//! [`OutgoingPacket`] packets; a branch (crate `mp-scene`) handles the events and produces the
//! packets. Nothing here reads a clock, opens a socket or draws a random number. Time and
//! randomness are arguments, so the same code runs in actors, in a game loop and in a simulator.

mod addresses;
pub mod bug;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connection_conditions;
mod disconnect_counts;
mod duration_histogram;
mod endpoint;
mod error_chain;
mod forwarded;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod gate;
pub mod godot3;
#[cfg(feature = "host")]
pub mod host;
mod id;
pub mod limits;
pub mod link_shaper;
pub mod math;
pub mod memory;
mod node_path;
mod offline;
mod out_of_range;
mod packet;
mod packet_peer;
mod peer;
mod rate;
mod reason_counts;
mod rng;
mod running_clock;
mod send_queue;
#[cfg(feature = "serde")]
pub mod serde;
mod shared_limit;
mod state_machine;
mod stats;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod transfer;
pub mod variant;

pub use addresses::interleave_families;
/// The crate of [`Bytes`](bytes::Bytes), the type of payloads.
pub use bytes;
pub use connection_conditions::{ConditionsError, ConnectionConditions, LinkSimulation, LinkStats};
pub use duration_histogram::DurationHistogram;
pub use endpoint::{
    AnnouncedId, AssignedId, BranchRate, CarriedSession, ConnectionRouter, DisconnectRequest,
    Endpoint, EndpointInfo, EndpointStats, NewConnection, ReceiveLimits, Route, ToBranch,
    ToEndpoint,
};
pub use error_chain::ErrorChain;
pub use forwarded::forwarded_address;
pub use gate::{
    AddressPrefix, ConnectionGate, GateLimits, GatePass, GateRefusal, GateStats, ParsePrefixError,
};
pub use id::{BranchId, ConnectionId, EndpointId, ParsePeerIdError, PeerId, Target};
pub use memory::{MemoryAddress, MemoryMultiplayerPeer};
pub use node_path::NodePath;
pub use offline::OfflineMultiplayerPeer;
pub use out_of_range::OutOfRange;
pub use packet::{
    CloseMode, ConnectionOrigin, Connections, DisconnectReason, MaskedUrl, OutgoingPacket, Packet,
    PeerEvent, Prefix, Rejection,
};
pub use packet_peer::{PacketPeer, PacketPeerError, PacketPeerStats, PeerSignal};
pub use peer::{ConnectionStatus, MultiplayerPeer, Readiness, SendError};
pub use rate::{Rate, TokenBucket};
pub use reason_counts::{Reason, ReasonCounts};
pub use rng::Rng;
pub use running_clock::RunningClock;
pub use send_queue::{QueueFull, SendQueue};
pub use shared_limit::{SharedLimit, queued_bytes};
pub use state_machine::StateMachine;
pub use stats::{ConnectionStats, TransportStats};
pub use time::{Instant, UnixSeconds};
pub use transfer::{Channel, TransferMode};
pub use variant::{FromVariant, StringName, Variant, VariantType};
