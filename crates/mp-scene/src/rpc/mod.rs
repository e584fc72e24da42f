//! Remote procedure calls: the methods of a node, their settings, ids and arguments.

mod args;
mod config;
mod declaration;
mod ids;
mod rate_limit;
mod request;
mod table;
mod typed;

#[doc(hidden)]
pub use args::Arguments;
pub use args::{FromArgs, IntoArgs, MethodCallError};
pub use config::{RpcConfig, RpcMode};
#[doc(hidden)]
pub use declaration::{RpcDeclaration, rpc_difference};
pub use ids::{RpcEntry, RpcIds};
pub use rate_limit::RateLimit;
pub(crate) use rate_limit::TokenBucket;
pub use request::{Answer, RequestCall, RequestError};
pub use table::RpcTable;
pub(crate) use table::{Method, MethodTable};
pub use typed::{HasRpcs, RpcCall};
#[doc(hidden)]
pub use typed::{NoRpcs, TableOf};
