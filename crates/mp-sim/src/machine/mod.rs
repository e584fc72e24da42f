//! The programs of worlds with turns at fixed intervals: a server with one branch, and clients.

mod client;
mod environment;
mod server;
mod stepped_world;

pub(crate) use client::ClientMachine;
pub(crate) use environment::Environment;
pub(crate) use server::{ServerMachine, Turns};
pub(crate) use stepped_world::SteppedWorld;

use std::time::Duration;

use mp_core::BranchId;
use mp_transport_enet::proto::TimeoutConfig;

/// The branch of each program.
pub(crate) const BRANCH: BranchId = BranchId(0);

/// Timeouts of connections that are shorter than ENet's, so that more programs come and go in a
/// world, and a bad link ends connections.
pub(crate) const TIMEOUT: TimeoutConfig = TimeoutConfig {
    limit: 32,
    minimum: Duration::from_millis(1_500),
    maximum: Duration::from_secs(4),
};
