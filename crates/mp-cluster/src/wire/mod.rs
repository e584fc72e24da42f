//! The bytes on the bus: [`frame`]s, the items in them, and reasons.

mod bounded;
pub(crate) mod frame;
pub(crate) mod item;
mod reason;
#[cfg(test)]
mod tests;
