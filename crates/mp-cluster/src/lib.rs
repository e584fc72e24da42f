//! Rooms across several servers, without I/O: any node of a cluster takes any player, and one of
//! them has the player's room.
//!
//! * [`Gateways`] connect an endpoint on one node with a branch on another ([`gateway`]).
//! * [`FrameCodec`] decodes what nodes send each other; everything is bounded, and a refused frame
//!   is counted by its [reason](FrameRefusal).
//!
//! Nothing here opens a socket or reads a clock: a bus carries the frames, a server or a simulator
//! runs the machines. The limits and their reasons are in [`limits`].

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
pub mod gateway;
mod gateways;
mod id;
pub mod limits;
mod wire;

pub use gateway::{FarGateway, GatewayEnd, GatewayStats, NearGateway};
pub use gateways::{FarLink, Gateways, GatewaysStats};
pub use id::{ClusterId, ClusterNodeId, Epoch, LinkId};
pub use wire::frame::{Frame, FrameCodec, FrameRefusal, VERSION};
