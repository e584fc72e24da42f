//! The items that code of the macros uses. Programs depend on `mp` alone, so that code names
//! nothing else.

use std::time::Duration;

pub use mp_core::{FromVariant, Variant};
pub use mp_scene::rpc::{
    Arguments, HasRpcs, MethodCallError, NoRpcs, RateLimit, RpcCall, RpcConfig, RpcTable, TableOf,
};
pub use mp_scene::tree::{Node, NodeId, NodeRef, Tree};
pub use mp_scene::{
    MultiplayerSpawner, MultiplayerSynchronizer, Property, PropertyTable, ReplicationConfig,
    ReplicationMode,
};

/// A type of arguments of outgoing calls.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of an RPC",
    label = "not an RPC argument",
    note = "derive ToVariant and FromVariant for `{Self}`, or pass a Dictionary"
)]
pub trait CallArgument {}

#[diagnostic::do_not_recommend]
impl<T: Into<Variant>> CallArgument for T {}

/// Checks that `T` is a type of arguments.
pub const fn is_argument<T: CallArgument>() {}

/// Returns the limit of a number of calls per number of seconds.
pub const fn rate(calls: u32, seconds: u32) -> RateLimit {
    RateLimit::new(calls, Duration::from_secs(seconds as u64))
}
