//! A node with rooms is killed: others adopt its rooms, and players whose socket is on them stay.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use super::bots::Bots;
use super::node::NodeSettings;
use super::nodes::Nodes;
use crate::process::now;

/// Kills a node with 7 of 20 rooms, in which 46 of 200 bots are whose socket is on other nodes. The
/// sockets of 34 others are on it.
///
/// # Errors
///
/// Returns an error if its rooms are not adopted in time, by one node each, or a bot is
/// disconnected whose socket is on another node.
pub(super) fn play(is_long: bool) -> Result<String, String> {
    let mut nodes = Nodes::start("death", SETTINGS)?;
    for (owner, rooms) in OWNED.into_iter().enumerate() {
        for room in names(rooms) {
            nodes.node(owner).create(&room)?;
        }
    }
    let enet = [nodes.node(0).enet(), nodes.node(1).enet()];
    let quiet = nodes.urls(&[0, 1], &names(SURVIVING));
    let quiet = Bots::start_alone(&nodes, "quiet", &quiet, 80)?;
    let over_enet = Bots::start_in_rooms(&nodes, "enet", &enet, 10)?;
    // Players of the node that is killed are in these rooms, too.
    let mixed = Bots::start(&nodes, "mixed", &nodes.urls(&[0, 1], &names(MIXED)), 30)?;
    let in_rooms = nodes.urls(&[0, 1], &names(OWNED[DEAD].clone()));
    let in_rooms = Bots::start(&nodes, "in-rooms", &in_rooms, IN_ROOMS)?;
    let of_dead = nodes.urls(&[DEAD], &names(*MIXED.start()..=ROOMS));
    let of_dead = Bots::start(&nodes, "of-dead", &of_dead, OF_DEAD)?;
    nodes.until_players(BOTS)?;
    // Players who have joined after the last snapshot of their room are disconnected.
    thread::sleep(SNAPSHOT_TIME);

    let killed = nodes.kill(DEAD);
    let (rooms, mut adopted) = (names(OWNED[DEAD].clone()), BTreeMap::new());
    nodes.until("the rooms are adopted", |nodes| {
        for room in &rooms {
            let owners = nodes.owners(room)?;
            if owners.len() > 1 {
                return Err(format!("{room} is on two nodes"));
            }
            if !owners.is_empty() {
                adopted.entry(room).or_insert_with(|| now() - killed);
            }
        }
        Ok(adopted.len() == rooms.len())
    })?;
    let first = adopted.values().min().copied().unwrap_or_default();
    let last = adopted.values().max().copied().unwrap_or_default();
    let limit = if is_long { ADOPTION_MAX } else { BUSY_ADOPTION_MAX };
    if last > limit {
        return Err(format!("the last room is adopted after {last:?}, limit {limit:?}"));
    }
    nodes.until_complete()?;
    let again = nodes.urls(&[0, 1], &names(*MIXED.start()..=ROOMS));
    Bots::start(&nodes, "again", &again, again.len())?.join_and_leave()?;

    // The others answer until they have left.
    quiet.stop()?.check_undisturbed()?;
    over_enet.stop()?.check_connected()?;
    mixed.stop()?.check_connected()?;
    in_rooms.stop()?.check_connected()?;
    let of_dead = of_dead.stop()?;
    nodes.check_permissions()?;
    Ok(format!(
        "rooms of a killed node adopted in {:.1} to {:.1} s; of {OF_DEAD} players with a socket on \
         it {}; of {IN_ROOMS} others in its rooms and 120 in other rooms none",
        first.as_secs_f64(),
        last.as_secs_f64(),
        of_dead.disconnects()
    ))
}

fn names(rooms: RangeInclusive<u32>) -> Vec<String> {
    rooms.map(|room| format!("room-{room}")).collect()
}

const SETTINGS: NodeSettings =
    NodeSettings { enet: "select = \"auth\"", template: "departure_timeout = 300" };
/// Number of rooms, counted from 1.
const ROOMS: u32 = 20;
/// Rooms of each node.
const OWNED: [RangeInclusive<u32>; 3] = [1..=7, 8..=13, 14..=ROOMS];
/// The node that is killed.
const DEAD: usize = 2;
/// Rooms of other nodes without players of the node that is killed, and with such players.
const SURVIVING: RangeInclusive<u32> = 1..=10;
const MIXED: RangeInclusive<u32> = 11..=13;
const BOTS: u64 = 200;
/// Players of other nodes in the rooms of the node that is killed, and players with a socket on it.
const IN_ROOMS: usize = 46;
const OF_DEAD: usize = 34;
/// Time within which a snapshot has the last players who have joined: 0.5 s, and the delay of a
/// busy machine.
const SNAPSHOT_TIME: Duration = Duration::from_secs(3);
/// Time within which rooms are adopted, according to the page for operators, and its limit on a
/// busy machine.
const ADOPTION_MAX: Duration = Duration::from_secs(5);
const BUSY_ADOPTION_MAX: Duration = Duration::from_secs(10);
