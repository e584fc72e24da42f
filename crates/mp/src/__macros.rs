//! The items that code of the macros uses. Programs depend on `mp` alone, so that code names
//! nothing else.

mod values;

use std::time::Duration;

pub use mp_core::variant::{Dictionary, FromVariant, FromVariantError, Variant};
pub use mp_scene::rpc::{
    Arguments, HasRpcs, MethodCallError, NoRpcs, RateLimit, RequestCall, RpcCall, RpcConfig,
    RpcDeclaration, RpcTable, TableOf, rpc_difference,
};
pub use mp_scene::tree::{Node, NodeId, NodeRef, Tree};
pub use mp_scene::{
    MultiplayerSpawner, MultiplayerSynchronizer, NodeContext, Property, PropertyTable,
    ReplicationConfig, RpcContext,
};

/// A type that converts to [`Variant`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be converted to a `Variant`",
    label = "not a value of Godot",
    note = "derive ToVariant and FromVariant for `{Self}`, or use a Dictionary"
)]
pub trait IntoVariant {
    /// Converts the value.
    fn into_variant(self) -> Variant;
}

#[diagnostic::do_not_recommend]
impl<T: Into<Variant>> IntoVariant for T {
    fn into_variant(self) -> Variant {
        self.into()
    }
}

/// Checks that `T` is a type of arguments.
pub const fn is_argument<T: IntoVariant>() {}

/// Returns the limit of a number of calls per number of seconds.
pub const fn rate(calls: u32, seconds: u32) -> RateLimit {
    RateLimit::new(calls, Duration::from_secs(seconds as u64))
}

pub use values::{Elements, dictionary, enum_parts, field, no_number, no_variant, to_variant};

/// Sends the answer to a request. It fails if the peer has left meanwhile, which ends its requests.
pub fn answer<T: IntoVariant>(cx: &mut RpcContext<'_>, method: &str, id: i64, value: T) {
    let _ = cx.reply(method, (id, value.into_variant()));
}
