//! Statistics that threads publish at most once a second, for readers that must not wait for them.
//!
//! An actor counts in plain integers of its own. At the end of a turn it publishes them, if it has
//! not for a second; otherwise a turn follows a second after it did. An actor without turns
//! publishes nothing and has no timer.

mod branch_totals;
mod endpoint_snapshot;
mod turn_meter;

pub(crate) use branch_totals::BranchReporter;
pub use branch_totals::{BranchStatsCollector, BranchTotals};
pub(crate) use endpoint_snapshot::EndpointReporter;
pub use endpoint_snapshot::EndpointSnapshot;
pub(crate) use endpoint_snapshot::SharedSnapshot;
use turn_meter::TurnMeter;
