//! The bytes on the bus: [`frame`]s, the items in them, and reasons.

pub(crate) mod bounded;
mod call;
pub(crate) mod frame;
pub(crate) mod identity;
pub(crate) mod item;
mod join;
mod reason;
pub(crate) mod request;
mod session;
#[cfg(test)]
mod tests;
