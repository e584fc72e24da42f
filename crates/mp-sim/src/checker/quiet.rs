//! Checks that a settled world is quiet: all programs agree on the connected peers, queues are
//! empty, and only pings are sent.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_core::PeerId;
use mp_transport_enet::proto::command::Body;

use crate::net::wire_format::WireFormat;
use crate::net::{SERVER_SLOT, SlotId};
use crate::world::{ProcessStats, Program, World};

/// Returns the first reason why a world has not settled.
pub fn disturbance(world: &mut World) -> Option<String> {
    disagreement(world).or_else(|| silence(world))
}

/// Returns the first program that disagrees about the connected peers, or has queued data.
pub fn disagreement(world: &mut World) -> Option<String> {
    let mut ids: Vec<(SlotId, PeerId)> = Vec::new();
    let all = world.each_program(|program| {
        ids.push((program.slot, program.id));
        Ok(())
    });
    debug_assert_eq!(all, Ok(()));
    let (slots, relays) = (world.plan().clients + 1, world.plan().relays);
    if ids.len() < slots {
        return Some(format!("{} of {slots} programs do not run", slots - ids.len()));
    }
    world.each_program(|program| is_at_rest(program, &ids, relays)).err()
}

fn silence(world: &World) -> Option<String> {
    let mut clients = 1..=world.plan().clients;
    let silent = clients.find(|&client| !world.have_acknowledged(client, ANSWER_TIME));
    silent.map(|client| {
        format!("slot {client} and the server do not acknowledge each other's packets")
    })
}

fn is_at_rest(
    program: &mut Program<'_>,
    ids: &[(SlotId, PeerId)],
    relays: bool,
) -> Result<(), String> {
    let (run, slot) = (program.run, program.slot);
    let is_server = slot == SERVER_SLOT;
    let sees = |&&(other, _): &&(SlotId, PeerId)| {
        other != slot && (relays || is_server || other == SERVER_SLOT)
    };
    let expected: BTreeSet<PeerId> = ids.iter().filter(sees).map(|&(_, id)| id).collect();
    let seen: BTreeSet<PeerId> = program.branch.scene().peers().into_iter().collect();
    if seen != expected {
        let missing: Vec<i32> = expected.difference(&seen).map(|id| id.get()).collect();
        let wrong: Vec<i32> = seen.difference(&expected).map(|id| id.get()).collect();
        return Err(format!(
            "{run} in slot {slot} lacks peers {missing:?}, has unexpected peers {wrong:?}"
        ));
    }
    let ProcessStats { is_leaving, mail, connections, queued_packets, queued_bytes, .. } =
        program.stats;
    let expected_connections = if is_server { ids.len() - 1 } else { 1 };
    if connections != expected_connections {
        return Err(format!(
            "{run} in slot {slot} has {connections} connections instead of {expected_connections}"
        ));
    }
    if is_leaving {
        return Err(format!("{run} in slot {slot} is leaving"));
    }
    if mail > 0 || queued_packets > 0 || queued_bytes > 0 {
        return Err(format!(
            "{run} in slot {slot} still has {mail} messages in mailboxes, {queued_packets} packets in \
             outboxes and {queued_bytes} B for a connection"
        ));
    }
    Ok(())
}

/// Returns whether a datagram contains only pings, acknowledgements and disconnects. Disconnects
/// are retransmitted for up to half a minute when the peer has gone.
pub fn is_idle(datagram: &[u8], wire: WireFormat) -> bool {
    wire.commands(datagram).all(|command| {
        let body = command.map(|command| command.body);
        matches!(body, Some(Body::Ping | Body::Acknowledge { .. } | Body::Disconnect { .. }))
    })
}

/// Returns whether a datagram contains an acknowledgement.
pub fn acknowledges(datagram: &[u8], wire: WireFormat) -> bool {
    let mut commands = wire.commands(datagram).flatten();
    commands.any(|command| matches!(command.body, Body::Acknowledge { .. }))
}

/// Maximum age of the last acknowledgement on an open connection. Idle ENet peers ping every 500
/// ms.
const ANSWER_TIME: Duration = Duration::from_secs(2);
