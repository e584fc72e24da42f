//! NATS is killed and started again: rooms go on on their nodes, which have them afterwards, too.

use std::thread;
use std::time::Duration;

use super::bots::Bots;
use super::node::{LOBBY, NodeSettings};
use super::nodes::{NODES, Nodes};
use crate::process::now;

/// Stops NATS for longer than a lease.
///
/// # Errors
///
/// Returns an error if a player is disconnected whose socket and room are on the same node, or if
/// another node has a room afterwards.
pub(super) fn play() -> Result<String, String> {
    let mut nodes = Nodes::start("outage", SETTINGS)?;
    let mut urls: [Vec<String>; 3] = Default::default();
    for node in 0..NODES {
        for number in 1..=ROOMS {
            nodes.node(node).create(&name(node, number))?;
        }
        let [same, mixed, other] = &mut urls;
        same.push(nodes.node(node).url(&name(node, 1)));
        mixed.push(nodes.node(node).url(&name(node, 2)));
        other.push(nodes.node((node + 1) % NODES).url(&name(node, 2)));
    }
    let [same, mixed, other] = &urls;
    let same = Bots::start_alone(&nodes, "same", same, SAME)?;
    let mixed = Bots::start(&nodes, "mixed", mixed, MIXED)?;
    let other = Bots::start(&nodes, "other", other, OTHER)?;
    nodes.until_players((SAME + MIXED + OTHER) as u64)?;

    // The next process of NATS has another log.
    nodes.check_permissions()?;
    nodes.stop_nats();
    let stopped = now();
    nodes.until("no node has its lease", |nodes| {
        for node in nodes.living() {
            if node.cluster()?["has_lease"] == true {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    let suspended = now() - stopped;
    // Registrations end later than leases.
    thread::sleep(OUTAGE.saturating_sub(now() - stopped));
    nodes.restart_nats()?;
    let outage = now() - stopped;
    let returned = nodes.until_complete()?;
    nodes.until("the rooms are registered again", |nodes| {
        let mut rooms = 0;
        for node in nodes.living() {
            let claims = node.metrics()?;
            rooms += claims.sum("mp_cluster_claims_total", "\"regained\"") as usize;
            if claims.sum("mp_cluster_claims_total", "\"lost\"") > 0.0 {
                return Err(format!("{} has lost a room: {}", node.name(), node.log()));
            }
        }
        Ok(rooms >= ROOMS as usize * NODES)
    })?;
    for node in 0..NODES {
        for number in 1..=ROOMS {
            let owners = nodes.owners(&name(node, number))?;
            if owners != [node] {
                return Err(format!("a room of the node {node} is on {owners:?} after the outage"));
            }
        }
    }
    let again = [urls[1..].concat(), vec![nodes.node(0).url(LOBBY)]].concat();
    Bots::start(&nodes, "again", &again, again.len())?.join_and_leave()?;
    same.stop()?.check_undisturbed()?;
    mixed.stop()?.check_connected()?;
    let other = other.stop()?;
    nodes.check_permissions()?;
    Ok(format!(
        "NATS away for {:.1} s: leases end after {:.1} s, the nodes are back {:.1} s after NATS, \
         with their rooms; of {} players in rooms of their node none was disconnected; of {OTHER} \
         others {}",
        outage.as_secs_f64(),
        suspended.as_secs_f64(),
        returned.as_secs_f64(),
        SAME + MIXED,
        other.disconnects()
    ))
}

fn name(node: usize, number: u32) -> String {
    format!("room-{node}-{number}")
}

const SETTINGS: NodeSettings =
    NodeSettings { enet: "select = \"auth\"", template: "departure_timeout = 300" };
/// Rooms of each node.
const ROOMS: u32 = 2;
/// Players in rooms of their node; those in rooms that players of another node are in, too; and
/// these.
const SAME: usize = 18;
const MIXED: usize = 6;
const OTHER: usize = 6;
/// Time without NATS: longer than a registration in the directory.
const OUTAGE: Duration = Duration::from_secs(5);
