//! All nodes are replaced by others on the same ports, one after the other, as for an upgrade.

use std::fmt::Write as _;

use super::bots::Bots;
use super::node::NodeSettings;
use super::nodes::{NODES, Nodes};

/// Drains and replaces each node.
///
/// # Errors
///
/// Returns an error if a node does not end, if a player is disconnected whose socket is on another
/// node, if a room with players does not move, or if players cannot join meanwhile or afterwards.
pub(super) fn play() -> Result<String, String> {
    let mut nodes = Nodes::start("upgrade", SETTINGS)?;
    let mut disconnected = String::new();
    for drained in 0..NODES {
        let what = replace(&mut nodes, drained)?;
        let _ = write!(disconnected, "; of {OF_DRAINED} players at the node {drained} {what}");
    }
    nodes.check_permissions()?;
    Ok(format!(
        "{NODES} nodes replaced{disconnected}; of {} others none",
        NODES * (UNDISTURBED + MIXED + IN_ROOMS)
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
    // Players in a room of the node, which moves, and players whose sockets are on the node.
    let moving = name(drained, 1);
    let mut in_rooms =
        start("in-rooms", nodes.urls(&others, std::slice::from_ref(&moving)), IN_ROOMS)?;
    let rooms_of_drained = [&shared[..], std::slice::from_ref(&moving)].concat();
    let mut of_drained =
        start("of-drained", nodes.urls(&[drained], &rooms_of_drained), OF_DRAINED)?;
    for (bots, count) in [
        (&mut undisturbed, UNDISTURBED),
        (&mut mixed, MIXED),
        (&mut in_rooms, IN_ROOMS),
        (&mut of_drained, OF_DRAINED),
    ] {
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
    let mut owners = Vec::new();
    for node in others {
        owners.extend(nodes.node(node).rooms()?.contains_key(&moving).then_some(node));
    }
    if owners.len() != 1 {
        return Err(format!("{moving} is on {owners:?} after the drain of its node {drained}"));
    }
    nodes.replace(drained)?;
    let rooms = [shared.to_vec(), vec![name(drained, 1), name(drained, 2)]].concat();
    let again = nodes.urls(&[drained, others[0]], &rooms);
    Bots::start(nodes, &format!("again-{drained}"), &again, again.len())?.join_and_leave()?;

    undisturbed.stop()?.check_undisturbed()?;
    mixed.stop()?.check_connected()?;
    in_rooms.stop()?.check_connected()?;
    Ok(of_drained.stop()?.disconnects())
}

const SETTINGS: NodeSettings =
    NodeSettings { enet: "select = \"auth\"", template: "departure_timeout = 300" };
/// Players whose socket and room are on nodes that are not drained, those in rooms that players of
/// the drained node are in, too, players of others in a room of the drained node, and players whose
/// sockets are on it.
const UNDISTURBED: usize = 8;
const MIXED: usize = 4;
const IN_ROOMS: usize = 4;
const OF_DRAINED: usize = 6;
