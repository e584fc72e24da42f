//! The workloads, in the order of the document.

mod actors;
mod enet;
mod idle;
mod relay;

use crate::workload::Workload;

pub(crate) fn all() -> Vec<Workload> {
    [enet::all(), relay::all(), actors::all(), idle::all()].into_iter().flatten().collect()
}
