//! [`Tasks`]: what the driver waits for without stopping.

use std::sync::Arc;
use std::time::Duration;

use mp_actor::{CallError, RemoteBranch, RemoteWake, SharedEndpoint};
use mp_cluster::directory::{
    BanRecord, Directory, EntryKey, Operation, OperationId, OperationOutcome, Request,
    TicketRecord, Unavailable,
};
use mp_cluster::{Redemption, RedemptionStep};
use mp_core::Instant;
use mp_rooms::{ListenerConnection, ListenerId, RoomName, TicketHash};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::tickets::{Redeemer, TicketTask};
use crate::rooms::RoomsHandle;

/// Operations of the directory, and endpoints that start to serve a room of another node.
#[derive(Debug)]
pub(super) struct Tasks<D> {
    directory: Arc<D>,
    tasks: JoinSet<TaskOutcome>,
    /// Permits of tasks for tickets.
    ticket_tasks: Arc<Semaphore>,
}

/// The machine that requests an operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker {
    Lease,
    Claims,
    Bans,
    Tickets,
}

/// An endpoint, and the room of another node that it serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RouteKey {
    pub(super) listener: ListenerId,
    pub(super) room: RoomName,
}

/// The outcome of a task.
#[derive(Debug)]
pub(super) enum TaskOutcome {
    Directory(Asker, OperationId, Result<OperationOutcome, Unavailable>),
    Served(RouteKey, Result<RemoteBranch, CallError>),
    /// Bans of the directory were applied. These bans of the server are not in the directory.
    BansMerged(Vec<BanRecord>),
    /// The content of a ticket; `None`: it is unknown, used or expired.
    TicketFound(ListenerConnection, Result<Option<TicketRecord>, Unavailable>),
    /// The content of a ticket that was used up; `None`: it is not valid.
    TicketRedeemed(Redeemer, Option<TicketRecord>),
}

impl<D: Directory + 'static> Tasks<D> {
    pub(super) fn new(directory: D) -> Self {
        let ticket_tasks = Arc::new(Semaphore::new(TICKET_TASKS_MAX));
        Self { directory: Arc::new(directory), tasks: JoinSet::new(), ticket_tasks }
    }

    /// Returns whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns whether another operation of claims may begin.
    pub(super) fn has_capacity(&self) -> bool {
        let of_tickets = TICKET_TASKS_MAX - self.ticket_tasks.available_permits();
        self.tasks.len().saturating_sub(of_tickets) < TASKS_MAX
    }

    /// Returns whether another task for a ticket may begin.
    pub(super) fn has_ticket_capacity(&self) -> bool {
        self.ticket_tasks.available_permits() > 0
    }

    /// Begins an operation of the directory.
    pub(super) fn request(&mut self, now: Instant, asker: Asker, request: Request) {
        let directory = Arc::clone(&self.directory);
        self.tasks.spawn_local(async move {
            let result = directory.apply(now, request.operation).await;
            TaskOutcome::Directory(asker, request.id, result)
        });
    }

    /// Begins a task for a ticket.
    pub(super) fn run_ticket_task(&mut self, now: Instant, task: TicketTask) {
        let directory = Arc::clone(&self.directory);
        let permit = Arc::clone(&self.ticket_tasks).try_acquire_owned();
        self.tasks.spawn_local(async move {
            let _permit = permit;
            match task {
                TicketTask::Find(of, hash) => {
                    TaskOutcome::TicketFound(of, find_ticket(&*directory, now, hash).await)
                }
                TicketTask::Redeem(redeemer, hash) => {
                    TaskOutcome::TicketRedeemed(redeemer, redeem(&*directory, now, hash).await)
                }
            }
        });
    }

    /// Lets an endpoint serve a room of another node.
    pub(super) fn serve(&mut self, endpoint: SharedEndpoint, key: RouteKey, wake: Arc<RemoteWake>) {
        self.tasks.spawn_local(async move {
            let served = endpoint.serve_remote(wake).await;
            TaskOutcome::Served(key, served)
        });
    }

    /// Applies the bans of the directory.
    pub(super) fn merge_bans(&mut self, rooms: RoomsHandle, records: Vec<BanRecord>) {
        self.tasks
            .spawn_local(async move { TaskOutcome::BansMerged(rooms.merge_bans(records).await) });
    }

    /// Waits for the next outcome.
    pub(super) async fn next(&mut self) -> TaskOutcome {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(outcome)) => return outcome,
                // A panic of a directory: its request times out.
                Some(Err(error)) => tracing::error!(%error, "a task of the cluster has failed"),
                None => std::future::pending().await,
            }
        }
    }
}

/// Reads the content of a ticket; `None` if there is no such ticket. One that was issued a moment
/// ago may not be written yet, so an absent one is read twice.
async fn find_ticket<D: Directory>(
    directory: &D,
    now: Instant,
    hash: TicketHash,
) -> Result<Option<TicketRecord>, Unavailable> {
    let get = || directory.apply(now, Operation::Get(EntryKey::Ticket(hash)));
    let mut outcome = get().await?;
    if outcome == OperationOutcome::Entry(None) {
        tokio::time::sleep(TICKET_WRITE_TIME).await;
        outcome = get().await?;
    }
    match outcome {
        OperationOutcome::Entry(Some(entry)) => Ok(TicketRecord::decode(&entry.value)),
        _ => Ok(None),
    }
}

/// Uses up a ticket. Returns its content; `None` if it is not valid.
async fn redeem<D: Directory>(
    directory: &D,
    now: Instant,
    hash: TicketHash,
) -> Option<TicketRecord> {
    let (mut redemption, mut step) = Redemption::new(hash);
    loop {
        match step {
            RedemptionStep::Apply(operation) => {
                // Without an outcome the ticket may have been used up: it is refused.
                let outcome = directory.apply(now, operation).await.ok()?;
                step = redemption.handle_outcome(outcome);
            }
            RedemptionStep::Accepted(record) => return Some(record),
            RedemptionStep::Refused => return None,
        }
    }
}

/// Operations of claims at the same time. Others wait in their queue, which is bounded.
const TASKS_MAX: usize = 64;
/// Tasks for tickets at the same time, which players cause.
const TICKET_TASKS_MAX: usize = 256;
/// Time in which a ticket is written that a player has received.
const TICKET_WRITE_TIME: Duration = Duration::from_millis(250);
