//! [`Tickets`]: tickets of players of this node whose room is looked for, and those of its rooms.

use std::collections::{BTreeMap, VecDeque};

use mp_cluster::directory::TicketRecord;
use mp_cluster::{PlayerTicket, RemoteJoin, TicketOfferStats, TicketOffers};
use mp_core::Instant;
use mp_identity::Identity;
use mp_rooms::{JoinRefusal, ListenerConnection, RoomName, TicketHash, TicketOffer};

use super::handle::{Applicant, RemoteRequest, TicketHolder};

/// The tickets of a node.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    /// Tickets of the rooms of this node.
    pub(super) offers: TicketOffers,
    /// Players of this node whose ticket is looked for, and the time of their join.
    holders: BTreeMap<ListenerConnection, (TicketHolder, Instant)>,
    tasks: VecDeque<TicketTask>,
    found: u64,
    used: u64,
    refused: u64,
    unavailable: u64,
}

/// A task for a ticket.
#[derive(Debug)]
pub(super) enum TicketTask {
    /// Reads the room of a ticket that a player of this node has shown.
    Find(ListenerConnection, TicketHash),
    /// Uses up a ticket for a room of this node.
    Redeem(Redeemer, TicketHash),
}

/// A player whose ticket is used up.
#[derive(Debug)]
pub(super) enum Redeemer {
    Here(Box<Applicant>),
    Guest(RemoteRequest, Box<RemoteJoin>),
}

/// Counters of the tickets of a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TicketStats {
    /// Tickets of the rooms of this node now.
    pub(crate) valid: usize,
    pub(crate) offers: TicketOfferStats,
    /// Tickets that were shown here, and whose room was found.
    pub(crate) found: u64,
    /// Tickets that were used up for a room of this node.
    pub(crate) used: u64,
    /// Tickets that were shown here or for a room of this node, and are not valid.
    pub(crate) refused: u64,
    /// Tickets of which the directory has not responded.
    pub(crate) unavailable: u64,
}

impl Tickets {
    /// Looks for the room of a ticket. The number of holders is bounded by that of undecided
    /// connections.
    pub(super) fn find(&mut self, now: Instant, holder: TicketHolder) {
        let (connection, hash) = (holder.join.connection, holder.ticket.hash());
        self.holders.insert(connection, (holder, now));
        self.tasks.push_back(TicketTask::Find(connection, hash));
    }

    /// Uses up a ticket for a room of this node.
    pub(super) fn redeem(&mut self, ticket: PlayerTicket, redeemer: Redeemer) {
        self.tasks.push_back(TicketTask::Redeem(redeemer, ticket.hash()));
    }

    /// Forgets a player who has left.
    pub(super) fn forget(&mut self, connection: ListenerConnection) {
        self.holders.remove(&connection);
    }

    /// Returns the number of tasks that have not begun.
    pub(super) fn waiting(&self) -> usize {
        self.tasks.len()
    }

    /// Returns the next task of a player who has not left.
    pub(super) fn next_task(&mut self) -> Option<TicketTask> {
        while let Some(task) = self.tasks.pop_front() {
            match &task {
                TicketTask::Find(of, _) if !self.holders.contains_key(of) => {}
                _ => return Some(task),
            }
        }
        None
    }

    /// Returns the player who has shown a ticket that was looked for, with the time of its join,
    /// and the room of the ticket or the reason why it is refused; `None` if the player has left.
    /// `found`: the content of the ticket, or the directory does not respond.
    pub(super) fn found(
        &mut self,
        of: ListenerConnection,
        found: Result<Option<TicketRecord>, mp_cluster::directory::Unavailable>,
    ) -> Option<(TicketHolder, Instant, Result<RoomName, JoinRefusal>)> {
        let (holder, since) = self.holders.remove(&of)?;
        let room = match found {
            Ok(Some(record)) => room_of(record, holder.ticket, &holder.identity),
            Ok(None) => Err(refusal_of(holder.ticket)),
            Err(_) => {
                self.unavailable += 1;
                Err(JoinRefusal::Unreachable)
            }
        };
        match &room {
            Ok(_) => self.found += 1,
            Err(JoinRefusal::Unreachable) => {}
            Err(_) => self.refused += 1,
        }
        Some((holder, since, room))
    }

    /// Records the result of using up a ticket. Returns whether it was valid for the room.
    pub(super) fn redeemed(
        &mut self,
        ticket: PlayerTicket,
        room: &RoomName,
        record: Option<TicketRecord>,
    ) -> bool {
        if record.is_some() {
            self.offers.mark_used(ticket.hash());
        }
        let is_valid = record.is_some_and(|record| record.room == *room);
        self.used += u64::from(is_valid);
        self.refused += u64::from(!is_valid);
        is_valid
    }

    /// Writes a ticket of a room of this node to the directory.
    pub(super) fn offer(&mut self, now: Instant, hash: TicketHash, offer: TicketOffer) {
        let TicketOffer { room, peer, subject, time, .. } = offer;
        self.offers.offer(now, hash, TicketRecord { room, peer, subject }, time);
    }

    pub(super) fn stats(&self) -> TicketStats {
        TicketStats {
            valid: self.offers.len(),
            offers: self.offers.stats(),
            found: self.found,
            used: self.used,
            refused: self.refused,
            unavailable: self.unavailable,
        }
    }
}

/// Returns the room of a ticket that a player has shown. Its node checks the player, too; here a
/// ticket that is not the player's is refused before it is used up.
fn room_of(
    record: TicketRecord,
    ticket: PlayerTicket,
    identity: &Identity,
) -> Result<RoomName, JoinRefusal> {
    let peer = match ticket {
        PlayerTicket::Resume(resume) => Some(resume.peer),
        PlayerTicket::Seat(_) => None,
    };
    if record.peer != peer {
        return Err(refusal_of(ticket));
    }
    if record.subject.is_some() && record.subject.as_ref() != identity.subject() {
        return Err(JoinRefusal::WrongPlayer);
    }
    Ok(record.room)
}

/// Returns the reason for which a ticket is refused that is unknown, used or expired.
pub(super) fn refusal_of(ticket: PlayerTicket) -> JoinRefusal {
    match ticket {
        PlayerTicket::Resume(_) => JoinRefusal::InvalidResume,
        PlayerTicket::Seat(_) => JoinRefusal::InvalidTicket,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mp_core::{ConnectionId, PeerId};
    use mp_identity::Subject;
    use mp_rooms::{Join, ListenerId, Resume};

    use super::*;

    const HASH: TicketHash = TicketHash::from_bytes([7; 32]);

    fn connection() -> ListenerConnection {
        let connection = ConnectionId { slot: 1, generation: 0 };
        ListenerConnection { listener: ListenerId(0), connection }
    }

    fn subject(name: &str) -> Option<Subject> {
        Subject::new(name).ok()
    }

    /// Lets a player show the ticket of peer 5, which belongs to `kay`, and whose content is
    /// `record`.
    fn shown(
        player: Option<Subject>,
        ticket: PlayerTicket,
        record: Option<TicketRecord>,
    ) -> Result<RoomName, JoinRefusal> {
        let (mut tickets, now) = (Tickets::default(), Instant::from_millis(1));
        let join = Join::new(connection(), None, Err(JoinRefusal::NoRoomSelected));
        let identity = Arc::new(player.map_or_else(Identity::anonymous, Identity::new));
        tickets.find(now, TicketHolder { join, identity, ticket });
        assert!(matches!(tickets.next_task(), Some(TicketTask::Find(..))));
        let (_, since, room) = tickets.found(connection(), Ok(record)).unwrap();
        assert_eq!(since, now);
        assert!(tickets.found(connection(), Ok(None)).is_none());
        room
    }

    #[test]
    fn ticket_is_refused_with_the_reasons_of_one_server() {
        let room = RoomName::new("a").unwrap();
        let (peer, kay) = (PeerId::new(5), subject("kay"));
        let record = TicketRecord { room: room.clone(), peer, subject: kay.clone() };
        let resume =
            |peer| PlayerTicket::Resume(Resume { ticket: HASH, peer: PeerId::new(peer).unwrap() });
        let valid = || Some(record.clone());
        assert_eq!(shown(kay.clone(), resume(5), valid()), Ok(room.clone()));
        let invalid = Err(JoinRefusal::InvalidResume);
        assert_eq!(shown(kay.clone(), resume(6), valid()), invalid, "of another peer");
        assert_eq!(shown(kay.clone(), resume(5), None), invalid, "unknown, used or expired");
        for thief in [subject("bob"), None] {
            assert_eq!(shown(thief, resume(5), valid()), Err(JoinRefusal::WrongPlayer));
        }
        let seat = Some(TicketRecord { peer: None, subject: None, ..record.clone() });
        assert_eq!(shown(None, PlayerTicket::Seat(HASH), seat.clone()), Ok(room));
        let invalid_ticket = Err(JoinRefusal::InvalidTicket);
        assert_eq!(shown(kay.clone(), PlayerTicket::Seat(HASH), valid()), invalid_ticket);
        assert_eq!(shown(kay, resume(5), seat), invalid);
    }

    #[test]
    fn ticket_of_a_player_who_has_left_is_not_looked_for() {
        let mut tickets = Tickets::default();
        let join = Join::new(connection(), None, Err(JoinRefusal::NoRoomSelected));
        let (identity, ticket) = (Arc::new(Identity::anonymous()), PlayerTicket::Seat(HASH));
        tickets.find(Instant::ZERO, TicketHolder { join, identity, ticket });
        tickets.forget(connection());
        assert!(tickets.next_task().is_none() && tickets.waiting() == 0);
        assert!(tickets.found(connection(), Ok(None)).is_none());
    }
}
