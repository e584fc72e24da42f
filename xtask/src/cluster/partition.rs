//! A node is cut off from NATS for a while. Its rooms go on for its own players, others adopt them,
//! and at its return one node has each room.

use std::thread;
use std::time::Duration;

use super::bots::Bots;
use super::node::{LOBBY, NodeSettings};
use super::nodes::{NODES, Nodes};
use crate::process::now;

/// Cuts a node off for 8 s, or 30 s.
///
/// # Errors
///
/// Returns an error if two nodes speak for a room, if a player is disconnected whose socket and
/// room are not on different sides, or if the nodes do not agree about the rooms afterwards.
pub(super) fn play(is_long: bool) -> Result<String, String> {
    let nodes = Nodes::start("partition", SETTINGS)?;
    for node in 0..NODES {
        for room in rooms(node) {
            nodes.node(node).create(&room)?;
        }
    }
    let start = |who, of: &[usize], in_rooms: &[String], count| {
        Bots::start(&nodes, who, &nodes.urls(of, in_rooms), count)
    };
    let [quiet, shared] = [1, 2].map(|number| OTHERS.map(|node| name(node, number)));
    let others = nodes.urls(&OTHERS, &quiet);
    let others = Bots::start_alone(&nodes, "others", &others, REMAINING)?;
    let inside = start("inside", &[CUT], &[name(CUT, 1)], INSIDE)?;
    // Players of both sides are in these rooms.
    let mixed = start("mixed", &OTHERS, &shared, MIXED)?;
    let across = [nodes.urls(&[CUT], &shared), nodes.urls(&OTHERS, &[name(CUT, 2)])].concat();
    let count = across.len();
    let across = Bots::start(&nodes, "across", &across, count)?;
    nodes.until_players((REMAINING + INSIDE + MIXED + count) as u64)?;

    let length = Duration::from_secs(if is_long { 30 } else { 8 });
    let Handover { silent, adopted, packets } = cut(&nodes, length, &rooms(CUT))?;
    let players = nodes.node(CUT).rooms()?.get(&name(CUT, 1)).copied().unwrap_or_default();
    if packets == 0.0 {
        return Err("the rooms of the node do not go on while it is cut off".to_owned());
    }
    if players != INSIDE as u64 {
        return Err(format!(
            "{players} of {INSIDE} players of the node are left while it is cut off"
        ));
    }
    nodes.path(CUT).restore();
    let restored = now();
    nodes.until_complete()?;
    let all = (0..NODES).flat_map(rooms).collect::<Vec<_>>();
    nodes.until("each room is on one node", |nodes| {
        for room in &all {
            if nodes.owners(room)?.len() != 1 {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    let returned = now() - restored;
    nodes.until("the node has lost its rooms to others", |nodes| {
        let claims = nodes.node(CUT).metrics()?;
        Ok(claims.sum("mp_cluster_claims_total", "result=\"lost\"") == rooms(CUT).len() as f64)
    })?;
    let again = [shared.to_vec(), rooms(CUT).to_vec(), vec![LOBBY.to_owned()]].concat();
    let again = nodes.urls(&[0, 1, 2], &again);
    Bots::start(&nodes, "again", &again, again.len())?.join_and_leave()?;

    others.stop()?.check_undisturbed()?;
    mixed.stop()?.check_connected()?;
    let [inside, across] = [inside.stop()?, across.stop()?];
    nodes.check_permissions()?;
    Ok(format!(
        "a node cut off for {} s is silent after {:.1} s, its rooms are adopted after {:.1} s, and \
         it is back {:.1} s after the cut; of its {INSIDE} players then {}; of {count} players with \
         socket and room on different sides {}; of {} others none",
        length.as_secs(),
        silent.as_secs_f64(),
        adopted.as_secs_f64(),
        returned.as_secs_f64(),
        inside.disconnects(),
        across.disconnects(),
        REMAINING + MIXED
    ))
}

/// The times since a cut at which the node that is cut off has no lease any more, and at which
/// others have adopted all its rooms.
struct Handover {
    silent: Duration,
    adopted: Duration,
    /// Packets that the rooms of the node have received since it has no lease.
    packets: f64,
}

/// Cuts a node off, and watches the nodes for a time.
fn cut(nodes: &Nodes, length: Duration, rooms: &[String]) -> Result<Handover, String> {
    nodes.path(CUT).cut();
    let started = now();
    let (mut silent, mut adopted, mut first_adopted) = (None, None, None);
    let received = || -> Result<f64, String> {
        Ok(nodes.node(CUT).metrics()?.sum("mp_messages_received_total", ""))
    };
    while now() - started < length {
        let mut count = 0;
        for node in OTHERS {
            let here = nodes.node(node).rooms()?;
            count += rooms.iter().filter(|room| here.contains_key(*room)).count();
        }
        if count > rooms.len() {
            return Err("two nodes have adopted a room".to_owned());
        }
        let asked = now() - started;
        if count > 0 {
            first_adopted.get_or_insert(asked);
        }
        if count == rooms.len() {
            adopted.get_or_insert(asked);
        }
        if nodes.node(CUT).cluster()?["has_lease"] == false {
            if silent.is_none() {
                silent = Some((asked, received()?));
            }
        } else if first_adopted.is_some_and(|adopted| asked > adopted + PUBLICATION_TIME) {
            return Err(format!("the node still speaks for its rooms {asked:?} after the cut"));
        }
        thread::sleep(POLL);
    }
    match (silent, adopted) {
        (Some((silent, before)), Some(adopted)) => {
            Ok(Handover { silent, adopted, packets: received()? - before })
        }
        _ => Err(format!("{length:?} after the cut: silent {silent:?}, adopted {adopted:?}")),
    }
}

fn name(node: usize, number: u32) -> String {
    format!("room-{node}-{number}")
}

/// Returns the names of the rooms that a node creates.
fn rooms(node: usize) -> [String; 2] {
    [1, 2].map(|number| name(node, number))
}

const SETTINGS: NodeSettings =
    NodeSettings { enet: "select = \"auth\"", template: "departure_timeout = 300" };
/// The node that is cut off, and the others.
const CUT: usize = 2;
const OTHERS: [usize; 2] = [0, 1];
/// Players of the node that is cut off in its own rooms.
const INSIDE: usize = 12;
/// Players of the others in their rooms.
const REMAINING: usize = 24;
/// Players of the others in rooms that players of the node that is cut off are in, too.
const MIXED: usize = 8;
/// Time within which a node publishes that its lease has ended: an interval of 0.5 s, and the
/// delay of a busy machine.
const PUBLICATION_TIME: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
