//! All nodes are replaced by others on the same ports, one after the other, as for an upgrade.

use std::fmt::Write as _;

use super::bots::Bots;
use super::node::NodeSettings;
use super::nodes::{NODES, Nodes};

/// Drains and replaces each node.
///
/// # Errors
///
/// Returns an error if a node does not end, if a player is disconnected whose socket and room are
/// on other nodes, or if players cannot join meanwhile or afterwards.
pub(super) fn play() -> Result<String, String> {
    let mut nodes = Nodes::start("upgrade", SETTINGS)?;
    let mut disconnected = String::new();
    for drained in 0..NODES {
        let what = replace(&mut nodes, drained)?;
        let _ = write!(disconnected, "; of {MOVED} players at the node {drained} {what}");
    }
    nodes.check_permissions()?;
    Ok(format!(
        "{NODES} nodes replaced{disconnected}; of {} others none",
        NODES * (UNDISTURBED + MIXED)
    ))
}

/// Drains a node and starts its successor, while players of all nodes play.
fn replace(nodes: &mut Nodes, drained: usize) -> Result<String, String> {
    let others = [(drained + 1) % NODES, (drained + 2) % NODES];
    let name = |node: usize, number: u32| format!("step-{drained}-room-{node}-{number}");
    for node in [drained, others[0], others[1]] {
        for number in [1, 2] {
            nodes.node(node).create(&name(node, number))?;
        }
    }
    let [quiet, shared] = [1, 2].map(|number| others.map(|node| name(node, number)));
    let start = |who: &str, urls: Vec<String>, count| {
        Bots::start(nodes, &format!("{who}-{drained}"), &urls, count)
    };
    let undisturbed = format!("undisturbed-{drained}");
    let mut undisturbed =
        Bots::start_alone(nodes, &undisturbed, &nodes.urls(&others, &quiet), UNDISTURBED)?;
    let mut mixed = start("mixed", nodes.urls(&others, &shared), MIXED)?;
    // Players in rooms of the node, and players whose sockets are on it.
    let here = nodes.urls(&others, &[name(drained, 1)]);
    let here = [here, nodes.urls(&[drained], &shared)].concat();
    let mut moved = start("moved", here, MOVED)?;
    for (bots, count) in [(&mut undisturbed, UNDISTURBED), (&mut mixed, MIXED), (&mut moved, MOVED)]
    {
        bots.until_players(count)?;
    }

    nodes.node(drained).drain();
    nodes.until("the others know that the node is about to end", |nodes| {
        for node in others {
            let cluster = nodes.node(node).cluster()?;
            let members = cluster["nodes"].as_array().into_iter().flatten();
            if members.filter(|it| it["accepts_rooms"] == true).count() != others.len() {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    let new = [name(drained, 3), name(drained, 4)];
    Bots::start(nodes, &format!("new-{drained}"), &nodes.urls(&others, &new), 4)?
        .join_and_leave()?;
    let status = nodes.ended(drained)?;
    if !status.success() {
        return Err(format!("the node ends with {status}: {}", nodes.node(drained).log()));
    }
    nodes.replace(drained)?;
    let rooms = [shared.to_vec(), vec![name(drained, 1), name(drained, 2)]].concat();
    let again = nodes.urls(&[drained, others[0]], &rooms);
    Bots::start(nodes, &format!("again-{drained}"), &again, again.len())?.join_and_leave()?;

    undisturbed.stop()?.check_undisturbed()?;
    mixed.stop()?.check_connected()?;
    Ok(moved.stop()?.disconnects())
}

const SETTINGS: NodeSettings =
    NodeSettings { enet: "select = \"auth\"", template: "departure_timeout = 300" };
/// Players whose socket and room are on nodes that are not drained, those in rooms that players of
/// the drained node are in, too, and players of the drained node.
const UNDISTURBED: usize = 8;
const MIXED: usize = 4;
const MOVED: usize = 8;
