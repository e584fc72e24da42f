//! [`Tasks`]: what the driver waits for without stopping.

use std::sync::Arc;

use mp_actor::{CallError, RemoteBranch, SharedEndpoint};
use mp_cluster::directory::{
    BanRecord, Directory, OperationId, OperationOutcome, Request, Unavailable,
};
use mp_core::Instant;
use mp_rooms::{ListenerId, RoomName};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::rooms::RoomsHandle;

/// Operations of the directory, and endpoints that start to serve a room of another node.
#[derive(Debug)]
pub(super) struct Tasks<D> {
    directory: Arc<D>,
    tasks: JoinSet<TaskOutcome>,
}

/// The machine that requests an operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker {
    Lease,
    Claims,
    Bans,
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
}

impl<D: Directory + 'static> Tasks<D> {
    pub(super) fn new(directory: D) -> Self {
        Self { directory: Arc::new(directory), tasks: JoinSet::new() }
    }

    /// Returns whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns whether another operation of claims may begin.
    pub(super) fn has_capacity(&self) -> bool {
        self.tasks.len() < TASKS_MAX
    }

    /// Begins an operation of the directory.
    pub(super) fn request(&mut self, now: Instant, asker: Asker, request: Request) {
        let directory = Arc::clone(&self.directory);
        self.tasks.spawn_local(async move {
            let result = directory.apply(now, request.operation).await;
            TaskOutcome::Directory(asker, request.id, result)
        });
    }

    /// Lets an endpoint serve a room of another node.
    pub(super) fn serve(&mut self, endpoint: SharedEndpoint, key: RouteKey, wake: Arc<Notify>) {
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

/// Operations of claims at the same time. Others wait in their queue, which is bounded.
const TASKS_MAX: usize = 64;
