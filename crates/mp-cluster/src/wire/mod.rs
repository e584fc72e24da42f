//! The bytes on the bus: [`frame`]s, the items in them, and reasons.

pub(crate) mod bounded;
pub(crate) mod frame;
pub(crate) mod item;
mod reason;
pub(crate) mod request;
#[cfg(test)]
mod tests;
