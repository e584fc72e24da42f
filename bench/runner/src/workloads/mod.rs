//! The workloads, in the order of the document.

mod actors;
mod calls;
mod cluster;
mod enet;
mod idle;
mod latency;
mod relay;
mod replication;
mod rooms;
mod tunnel;
mod webrtc;
mod websocket;

use crate::workload::Workload;

pub(crate) fn all() -> Vec<Workload> {
    let areas = [
        enet::all(),
        latency::all(),
        relay::all(),
        tunnel::all(),
        cluster::all(),
        calls::all(),
        actors::all(),
        idle::all(),
        rooms::all(),
        replication::all(),
        websocket::all(),
        webrtc::all(),
    ];
    areas.into_iter().flatten().collect()
}
