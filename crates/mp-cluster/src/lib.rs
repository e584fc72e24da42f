//! Rooms across several servers, without I/O: any node of a cluster takes any player, and one of
//! them has the player's room.
//!
//! * [`Gateways`] connect an endpoint on one node with a branch on another ([`gateway`]).
//! * [`Lease`] registers a node in the [`Directory`], and says whether it may speak for its rooms.
//! * [`Claims`] find, place and adopt rooms.
//! * [`TicketOffers`] writes the tickets of players to the directory; a [`Redemption`] uses one up.
//! * [`SharedBans`] keep the bans of the nodes equal; [`NodeCall`]s are about rooms and queues of
//!   other nodes.
//! * [`FrameCodec`] and [`RequestCodec`] decode what nodes send each other; everything is bounded,
//!   and a refused frame is counted by its [reason](FrameRefusal).
//!
//! The machines open no socket and read no clock: a [`Bus`](bus::Bus) carries the frames, a server
//! or a simulator runs the machines. The limits and their reasons are in [`limits`].

mod bans;
pub mod bus;
mod call;
mod claims;
pub mod directory;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
pub mod gateway;
mod gateways;
mod id;
mod lease;
pub mod limits;
mod links;
#[cfg(feature = "nats")]
pub mod nats;
mod offers;
mod placement;
mod players;
mod schedule;
mod seen_links;
mod snapshots;
mod stored_room;
mod ticket;
mod wire;

pub use bans::{BanEvent, SharedBans};
pub use call::{
    FoundSession, ListedRoom, NodeCall, NodeReply, PlayerReport, QueueCall, QueueReport, SeatCall,
    SeatOffer, SeatVerb, SessionQuery,
};
pub use claims::{ClaimEvent, ClaimStats, Claims};
pub use directory::{Directory, MemoryDirectory};
pub use gateway::{FarGateway, GatewayEnd, GatewayStats, LinkOpening, NearGateway};
pub use gateways::{FarLink, Gateways, GatewaysStats};
pub use id::{
    ClusterId, ClusterName, ClusterNodeId, Epoch, InvalidClusterName, LinkId, NodeRequestId,
};
pub use lease::{Lease, LeaseTerm};
pub use offers::{TicketOfferStats, TicketOffers};
pub use placement::{Members, adopter, home, matchmaker, place};
pub use players::{PlayerHomes, PlayerJoin};
pub use snapshots::{MemorySnapshots, SnapshotStoreError, Snapshots, StoredSnapshot};
pub use stored_room::{StoredContent, StoredEndpoint, StoredPlayer, StoredRoom, StoredSeat};
pub use ticket::{Redemption, RedemptionStep, offer_ticket};
pub use wire::frame::{BusFrame, FrameCodec, FrameRefusal, VERSION};
pub use wire::request::{JoinAnswer, NodeRequest, PlayerTicket, RemoteJoin, RequestCodec};
