//! Tickets that players show to any node.

use mp_cluster::JoinAnswer;
use mp_cluster::bus::Bus;
use mp_cluster::directory::{Directory, TicketRecord, Unavailable};
use mp_core::Instant;
use mp_rooms::ListenerConnection;

use super::Driver;
use crate::cluster::handle::{Applicant, TicketHolder};
use crate::cluster::requests::Asker;
use crate::cluster::tickets::{Redeemer, refusal_of};

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    /// Begins the operations for tickets that are due, while there is capacity.
    pub(super) fn request_tickets(&mut self, now: Instant) {
        while self.tasks.has_ticket_capacity()
            && let Some(task) = self.tickets.next_task()
        {
            self.tasks.run_ticket_task(now, task);
        }
        while self.tasks.has_capacity()
            && let Some(request) = self.tickets.offers.poll_request(now)
        {
            self.tasks.request(now, Asker::Tickets, request);
        }
    }

    /// Handles that a ticket of a player of this node was looked for.
    pub(super) fn ticket_found(
        &mut self,
        of: ListenerConnection,
        found: Result<Option<TicketRecord>, Unavailable>,
    ) {
        let Some((holder, since, room)) = self.tickets.found(of, found) else { return };
        let TicketHolder { join, identity, ticket } = holder;
        match room {
            Ok(room) => {
                // A room that has ended is not created anew.
                let template = Err(refusal_of(ticket));
                let (ticket, named) = (Some(ticket), room.clone());
                let host_key = None;
                let applicant =
                    Applicant { join, room: named, identity, template, host_key, ticket };
                self.asks.insert(since, applicant);
                self.locate(room);
            }
            Err(refusal) => {
                let reason = refusal.disconnect_reason();
                self.call(move |host| host.refuse_applicant(of, reason));
            }
        }
    }

    /// Handles that a ticket for a room of this node was used up, or is not valid.
    pub(super) fn ticket_redeemed(
        &mut self,
        now: Instant,
        redeemer: Redeemer,
        record: Option<TicketRecord>,
    ) {
        match redeemer {
            Redeemer::Here(applicant) => {
                let Some(ticket) = applicant.ticket else { return };
                if self.tickets.redeemed(ticket, &applicant.room, record) {
                    self.here.begin_call(&applicant.room);
                    self.call(move |host| host.join_here(*applicant));
                } else {
                    let connection = applicant.join.connection;
                    let reason = refusal_of(ticket).disconnect_reason();
                    self.call(move |host| host.refuse_applicant(connection, reason));
                }
            }
            Redeemer::Guest(from, join) => {
                let Some(ticket) = join.ticket else { return };
                if self.tickets.redeemed(ticket, &join.selection.room, record) {
                    self.admit_guest(now, from, *join);
                } else {
                    let reason = refusal_of(ticket).disconnect_reason();
                    self.answer(from, JoinAnswer::Refused(reason));
                }
            }
        }
    }
}
