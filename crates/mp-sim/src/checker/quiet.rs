//! Once everything is mended all agree on who is there, nothing is left in any queue, and there is no traffic but pings.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_core::PeerId;
use mp_transport_enet::proto::command::Body;

use crate::net::wire::Wire;
use crate::net::{PlaceId, SERVER_PLACE};
use crate::world::{Figures, Program, World};

/// What keeps a world from rest.
pub fn disturbance(world: &mut World) -> Option<String> {
    disagreement(world).or_else(|| silence(world))
}

/// Who does not agree with the others on who is there, or has not said everything.
pub fn disagreement(world: &mut World) -> Option<String> {
    let mut ids: Vec<(PlaceId, PeerId)> = Vec::new();
    let all = world.each_program(|program| {
        ids.push((program.place, program.id));
        Ok(())
    });
    debug_assert_eq!(all, Ok(()));
    let (places, relays) = (world.plan().clients + 1, world.plan().relays);
    if ids.len() < places {
        return Some(format!("{} of {places} programs are not there", places - ids.len()));
    }
    world.each_program(|program| is_at_rest(program, &ids, relays)).err()
}

fn silence(world: &World) -> Option<String> {
    let mut clients = 1..=world.plan().clients;
    let silent = clients.find(|&client| !world.have_answered(client, ANSWER_TIME));
    silent.map(|client| format!("place {client} and the server do not answer each other"))
}

fn is_at_rest(
    program: &mut Program<'_>,
    ids: &[(PlaceId, PeerId)],
    relays: bool,
) -> Result<(), String> {
    let (run, place) = (program.run, program.place);
    let is_server = place == SERVER_PLACE;
    let sees = |&&(other, _): &&(PlaceId, PeerId)| {
        other != place && (relays || is_server || other == SERVER_PLACE)
    };
    let expected: BTreeSet<PeerId> = ids.iter().filter(sees).map(|&(_, id)| id).collect();
    let seen: BTreeSet<PeerId> = program.branch.scene().peers().into_iter().collect();
    if seen != expected {
        let missing: Vec<i32> = expected.difference(&seen).map(|id| id.get()).collect();
        let wrong: Vec<i32> = seen.difference(&expected).map(|id| id.get()).collect();
        return Err(format!("{run} at place {place} misses {missing:?}, believes in {wrong:?}"));
    }
    let Figures { is_leaving, mail, connections, queued_packets, queued_bytes, .. } =
        program.figures;
    let links = if is_server { ids.len() - 1 } else { 1 };
    if connections != links {
        return Err(format!("{run} at place {place} has {connections} links instead of {links}"));
    }
    if is_leaving {
        return Err(format!("{run} at place {place} is leaving"));
    }
    if mail > 0 || queued_packets > 0 || queued_bytes > 0 {
        return Err(format!(
            "{run} at place {place} still has {mail} messages in mailboxes, {queued_packets} packets in \
             outboxes and {queued_bytes} B for a link"
        ));
    }
    Ok(())
}

/// Whether a datagram is one of those that links without anything to say send: pings and their acknowledgements, and goodbyes, which
/// are repeated for half a minute when who they are for has gone.
pub fn is_idle(datagram: &[u8], wire: Wire) -> bool {
    wire.commands(datagram).all(|command| {
        let body = command.map(|command| command.body);
        matches!(body, Some(Body::Ping | Body::Acknowledge { .. } | Body::Disconnect { .. }))
    })
}

/// Whether a datagram acknowledges something.
pub fn acknowledges(datagram: &[u8], wire: Wire) -> bool {
    let mut commands = wire.commands(datagram).flatten();
    commands.any(|command| matches!(command.body, Body::Acknowledge { .. }))
}

/// Within which links that stand acknowledge something: each side asks every half second when it has nothing to say.
const ANSWER_TIME: Duration = Duration::from_secs(2);
