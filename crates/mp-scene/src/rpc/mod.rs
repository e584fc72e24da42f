//! Remote calls: what a node offers, how its methods are numbered, and how calls are made and received.

mod args;
mod config;
mod ids;
mod table;

pub use args::{CallError, FromArgs, IntoArgs};
pub use config::{RpcConfig, RpcMode};
pub use ids::{RpcEntry, RpcIds};
pub use table::RpcTable;
pub(crate) use table::{Method, MethodTable};
