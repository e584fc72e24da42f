//! The families of a node of a cluster. They have no values on other servers.

use mp_core::Reason;

use super::family::{Family, Labels};
use crate::cluster::ClusterStats;

/// Returns the families of a node.
pub(super) fn cluster(stats: Option<&ClusterStats>) -> Vec<Family> {
    vec![
        gauge(stats, "mp_cluster_nodes", "Nodes of the cluster that this node knows", |stats| {
            stats.members.len()
        }),
        gauge(stats, "mp_cluster_lease", "1 while the node may speak for its rooms", |stats| {
            usize::from(stats.has_lease)
        }),
        gauge(stats, "mp_cluster_rooms", "Rooms that the node owns", |stats| stats.rooms),
        Family::gauges(
            "mp_cluster_links",
            "Links to rooms of other nodes, and from other nodes to rooms of this one",
            stats.into_iter().flat_map(|stats| {
                let links = [("to", stats.gateways.near), ("from", stats.gateways.far)];
                links.map(|(direction, links)| (vec![("direction", direction)], links as f64))
            }),
        ),
        gauge(stats, "mp_cluster_guests", "Players of other nodes in rooms of this one", |stats| {
            stats.guests
        }),
        gauge(stats, "mp_cluster_waiting", "Players whose room is looked for", |stats| {
            stats.asking
        }),
        counters(stats, "mp_cluster_leases", "Leases of the node that were lost", |stats| {
            vec![(vec![("result", "lost")], stats.lost_leases)]
        }),
        counters(stats, "mp_cluster_claims", "Rooms in the directory", claims),
        counters(stats, "mp_cluster_joins", "Joins between nodes", joins),
        counters(
            stats,
            "mp_cluster_calls",
            "Calls about rooms and queues of other nodes",
            |stats| {
                let requests = &stats.requests;
                by_result(
                    "result",
                    [
                        ("sent", requests.calls_sent),
                        ("received", requests.calls_received),
                        ("unanswered", requests.calls_unanswered),
                    ],
                )
            },
        ),
        counters(stats, "mp_cluster_bans", "Bans that the nodes share", |stats| {
            let requests = &stats.requests;
            let counts = [("written", requests.bans_written), ("read", requests.bans_read)];
            by_result("result", counts)
        }),
        gauge(
            stats,
            "mp_cluster_valid_tickets",
            "Tickets of the rooms of this node in the directory",
            |stats| stats.tickets.valid,
        ),
        counters(stats, "mp_cluster_tickets", "Tickets of players", tickets),
        counters(stats, "mp_cluster_frames", "Frames of links", |stats| {
            let frames = &stats.gateways.gateways;
            let counts = [("sent", frames.frames_sent), ("received", frames.frames_received)];
            by_result("direction", counts)
        }),
        counters(stats, "mp_cluster_sent", "Bytes of the frames of links", |stats| {
            vec![(vec![], stats.gateways.gateways.bytes_sent)]
        })
        .bytes(),
        counters(
            stats,
            "mp_cluster_batches",
            "Batches of events and packets sent, and those lost",
            |stats| {
                let batches = &stats.gateways.gateways;
                by_result(
                    "result",
                    [("sent", batches.batches_sent), ("lost", batches.lost_batches)],
                )
            },
        ),
        counters(
            stats,
            "mp_cluster_connections_closed",
            "Connections that were closed by their link",
            |stats| {
                let links = &stats.gateways.gateways;
                let counts =
                    [("data_lost", links.broken_connections), ("full", links.refused_connections)];
                by_result("reason", counts)
            },
        ),
        counters(stats, "mp_cluster_held_links", "Links whose room has lost its node", held),
        counters(stats, "mp_cluster_held_lost", "What was lost with the node of a room", lost),
        counters(stats, "mp_cluster_snapshots", "Snapshots of rooms by result", snapshots),
        counters(stats, "mp_cluster_snapshots_stored", "Bytes of the snapshots stored", |stats| {
            vec![(vec![], stats.snapshots.bytes)]
        })
        .bytes(),
        counters(stats, "mp_cluster_frames_refused", "Frames and requests refused", refused),
        counters(stats, "mp_cluster_dropped", "Messages between nodes that were dropped", dropped),
        counters(stats, "mp_cluster_bus_disconnections", "Times that the bus was lost", |stats| {
            vec![(vec![], stats.bus.disconnections)]
        }),
    ]
}

fn gauge(
    stats: Option<&ClusterStats>,
    name: &'static str,
    help: &'static str,
    value: impl Fn(&ClusterStats) -> usize,
) -> Family {
    Family::gauges(name, help, stats.map(|stats| (vec![], value(stats) as f64)))
}

fn counters(
    stats: Option<&ClusterStats>,
    name: &'static str,
    help: &'static str,
    values: impl Fn(&ClusterStats) -> Vec<(Labels, u64)>,
) -> Family {
    Family::counters(name, help, stats.into_iter().flat_map(values))
}

fn by_result(
    label: &'static str,
    counts: impl IntoIterator<Item = (&'static str, u64)>,
) -> Vec<(Labels, u64)> {
    counts.into_iter().map(|(value, count)| (vec![(label, value)], count)).collect()
}

fn claims(stats: &ClusterStats) -> Vec<(Labels, u64)> {
    let claims = &stats.claims;
    by_result(
        "result",
        [
            ("placed", claims.placed),
            ("adopted", claims.adopted),
            ("moved", claims.moved),
            ("regained", claims.regained),
            ("lost", claims.lost),
            ("conflict", claims.conflicts),
            ("unanswered", claims.unanswered),
            ("malformed", claims.malformed),
        ],
    )
}

fn joins(stats: &ClusterStats) -> Vec<(Labels, u64)> {
    let requests = &stats.requests;
    by_result(
        "result",
        [
            ("asked", requests.asked),
            ("received", requests.received),
            ("unanswered", requests.unanswered),
            ("missing", requests.missing),
            ("unexpected", requests.unexpected),
            ("overflowed", requests.overflowed),
        ],
    )
}

fn tickets(stats: &ClusterStats) -> Vec<(Labels, u64)> {
    let tickets = &stats.tickets;
    by_result(
        "result",
        [
            ("offered", tickets.offers.offered),
            ("withdrawn", tickets.offers.withdrawn),
            ("found", tickets.found),
            ("used", tickets.used),
            ("refused", tickets.refused),
            ("unavailable", tickets.unavailable),
            ("unanswered", tickets.offers.unanswered),
            ("overflowed", tickets.offers.overflowed),
        ],
    )
}

fn held(stats: &ClusterStats) -> Vec<(Labels, u64)> {
    let links = &stats.gateways.gateways;
    by_result("result", [("held", links.holds), ("reopened", links.reopened)])
}

fn lost(stats: &ClusterStats) -> Vec<(Labels, u64)> {
    let links = &stats.gateways.gateways;
    by_result(
        "kind",
        [
            ("batches", links.unconfirmed_batches),
            ("unreliable_packets", links.held_drops),
            ("connections", links.unknown_connections),
        ],
    )
}

fn snapshots(stats: &ClusterStats) -> Vec<(Labels, u64)> {
    let snapshots = &stats.snapshots;
    by_result(
        "result",
        [
            ("stored", snapshots.stored),
            ("unchanged", snapshots.unchanged),
            ("too_large", snapshots.too_large),
            ("failed", snapshots.failed),
            ("restored", snapshots.restored),
            ("missing", snapshots.missing),
            ("refused", snapshots.refused),
        ],
    )
}

fn refused(stats: &ClusterStats) -> Vec<(Labels, u64)> {
    let mut refused = stats.gateways.refused_frames;
    refused.add_all(&stats.gateways.gateways.refused_frames);
    refused.add_all(&stats.requests.refused);
    refused.iter().map(|(reason, count)| (vec![("reason", reason.label())], count)).collect()
}

fn dropped(stats: &ClusterStats) -> Vec<(Labels, u64)> {
    let bus = &stats.bus;
    by_result(
        "reason",
        [
            ("send_queue_full", bus.send_queue_full),
            ("receive_queue_full", bus.receive_queue_full),
            ("not_connected", bus.not_connected),
            ("too_long", bus.too_long),
            ("task_queue_full", stats.dropped),
        ],
    )
}
