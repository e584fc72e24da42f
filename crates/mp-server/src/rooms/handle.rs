//! [`RoomsHandle`]: the rooms of a running server, for the program.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mp_actor::{BranchRef, SharedEndpoint};
use mp_core::{AddressPrefix, PeerId, ReceiveLimits, UnixSeconds};
use mp_identity::{AuthStats, Identity, Subject};
use mp_rooms::{
    Code, CreateRefusal, ListenerId, Metadata, RoomId, RoomInfo, RoomName, Rooms, RoomsStats,
    Shortage, Template,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::changes::RoomChange;
use super::host::{HostEvent, Load, RoomsHost};
use crate::bans::{BanError, BanRegistry, BanTarget};
use crate::metrics::Metrics;

/// The rooms of a running server. Clones refer to the same server.
///
/// Its methods cost nothing per packet: all counts are those that joins and leaves change.
#[derive(Clone)]
pub struct RoomsHandle {
    events: mpsc::Sender<HostEvent>,
    load: watch::Receiver<Load>,
    pub(super) tasks: TaskTracker,
    stop: CancellationToken,
    bans: BanRegistry,
    pub(super) metrics: Metrics,
}

/// The server has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerEnded;

impl fmt::Display for ServerEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server has ended")
    }
}

impl std::error::Error for ServerEnded {}

/// The reason why a room could not be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateRoomError {
    /// The registry refuses it.
    Refused(CreateRefusal),
    /// Its branch could not be started, or it was closed meanwhile. The log has the reason.
    Failed,
    /// The server has ended.
    Ended,
}

impl fmt::Display for CreateRoomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed => f.write_str("the room could not be started"),
            Self::Ended => ServerEnded.fmt(f),
        }
    }
}

impl std::error::Error for CreateRoomError {}

impl From<ServerEnded> for CreateRoomError {
    fn from(_: ServerEnded) -> Self {
        Self::Ended
    }
}

impl RoomsHandle {
    pub(super) fn new(
        events: mpsc::Sender<HostEvent>,
        load: watch::Receiver<Load>,
        tasks: TaskTracker,
        stop: CancellationToken,
        bans: BanRegistry,
        metrics: Metrics,
    ) -> Self {
        Self { events, load, tasks, stop, bans, metrics }
    }

    /// Creates a room from a template and waits until it is open.
    ///
    /// # Errors
    ///
    /// See [`CreateRoomError`].
    pub async fn create(
        &self,
        name: RoomName,
        template: &RoomName,
    ) -> Result<RoomId, CreateRoomError> {
        let template = template.clone();
        self.create_by(move |rooms| rooms.create(name, &template)).await
    }

    /// Creates a room with settings of its own and waits until it is open.
    ///
    /// # Errors
    ///
    /// See [`CreateRoomError`].
    pub async fn create_with(
        &self,
        name: RoomName,
        template: Template,
    ) -> Result<RoomId, CreateRoomError> {
        self.create_by(move |rooms| rooms.create_with(name, Arc::new(template))).await
    }

    async fn create_by(
        &self,
        create: impl FnOnce(&mut Rooms) -> Result<RoomId, CreateRefusal> + Send + 'static,
    ) -> Result<RoomId, CreateRoomError> {
        let (opened, is_open) = oneshot::channel();
        let room = self.call(move |host| {
            let room = create(&mut host.rooms)?;
            host.when_open(room, opened);
            Ok(room)
        });
        let room = room.await?.map_err(CreateRoomError::Refused)?;
        is_open.await.map(|()| room).map_err(|_| CreateRoomError::Failed)
    }

    /// Returns the rooms that are open or being created, by age.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`], as of all methods.
    pub async fn list(&self) -> Result<Vec<RoomInfo>, ServerEnded> {
        self.call(|host| host.rooms.list().collect()).await
    }

    /// Returns at most `limit` rooms whose ids are larger than `after`, by age.
    pub(crate) async fn page(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<RoomInfo>, ServerEnded> {
        self.call(move |host| host.rooms.list_after(after).take(limit).collect()).await
    }

    /// Returns the template of this name.
    pub(crate) async fn template(
        &self,
        name: &RoomName,
    ) -> Result<Option<Arc<Template>>, ServerEnded> {
        let name = name.clone();
        self.call(move |host| host.rooms.template(&name).cloned()).await
    }

    /// Returns a receiver of the changes of rooms from now on.
    pub(crate) async fn changes(&self) -> Result<broadcast::Receiver<RoomChange>, ServerEnded> {
        self.call(|host| host.changes.subscribe()).await
    }

    /// Returns a room; `None` if it has ended.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn get(&self, room: RoomId) -> Result<Option<RoomInfo>, ServerEnded> {
        self.call(move |host| host.rooms.get(room)).await
    }

    /// Returns the room of this name; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn find(&self, name: &RoomName) -> Result<Option<RoomInfo>, ServerEnded> {
        let name = name.clone();
        self.call(move |host| host.rooms.get(host.rooms.find_by_name(&name)?)).await
    }

    /// Returns the branch of an open room, for example to call its nodes.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn branch(&self, room: RoomId) -> Result<Option<BranchRef>, ServerEnded> {
        self.call(move |host| host.branch(room)).await
    }

    /// Returns the peer ids of a room's players, in order.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn peer_ids(&self, room: RoomId) -> Result<Vec<PeerId>, ServerEnded> {
        self.call(move |host| host.rooms.peer_ids(room)).await
    }

    /// Closes a room and disconnects its players, who receive what it has sent before. Its name is
    /// free at once. Returns false if there is no such room.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn close(&self, room: RoomId) -> Result<bool, ServerEnded> {
        self.change(room, move |rooms| rooms.close(room)).await
    }

    /// Sets whether a room refuses new players. Returns false if there is no such room.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn set_locked(&self, room: RoomId, locked: bool) -> Result<bool, ServerEnded> {
        self.change(room, move |rooms| rooms.set_locked(room, locked)).await
    }

    /// Sets the code that new players need; `None`: none. Returns false if there is no such room.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn set_code(&self, room: RoomId, code: Option<Code>) -> Result<bool, ServerEnded> {
        self.change(room, move |rooms| rooms.set_code(room, code)).await
    }

    /// Sets the maximum number of players. Players beyond it stay. Returns false if there is no
    /// such room.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn set_max_players(&self, room: RoomId, max: u16) -> Result<bool, ServerEnded> {
        self.change(room, move |rooms| rooms.set_max_players(room, max)).await
    }

    /// Sets the metadata of a room. Returns false if there is no such room.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn set_metadata(
        &self,
        room: RoomId,
        metadata: Metadata,
    ) -> Result<bool, ServerEnded> {
        self.change(room, move |rooms| rooms.set_metadata(room, metadata)).await
    }

    /// Replaces the templates. Existing rooms keep their settings.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn set_templates(&self, templates: Vec<Template>) -> Result<(), ServerEnded> {
        self.call(move |host| host.rooms.set_templates(templates)).await
    }

    /// Bans an address or a network for `time`, `None`: until [`unban`](Self::unban), and
    /// disconnects its players. Returns how many. Bans are kept over restarts if the configuration
    /// has a `limits.ban_file`.
    ///
    /// # Errors
    ///
    /// See [`BanError`].
    pub async fn ban(
        &self,
        prefix: AddressPrefix,
        time: Option<Duration>,
    ) -> Result<usize, BanError> {
        let banned = self.bans.ban(BanTarget::Address(prefix), time).await;
        if let Err(error @ BanError::Full) = banned {
            return Err(error);
        }
        let mut disconnected = 0;
        for endpoint in self.call(|host| host.endpoints()).await.unwrap_or_default() {
            disconnected += endpoint.disconnect_addresses(prefix).await.unwrap_or_default();
        }
        banned.map(|()| disconnected)
    }

    /// Ends a ban. Returns false if there is none of exactly this address or network.
    ///
    /// # Errors
    ///
    /// [`BanError::NotSaved`].
    pub async fn unban(&self, prefix: AddressPrefix) -> Result<bool, BanError> {
        self.bans.unban(&BanTarget::Address(prefix)).await
    }

    /// Bans a player by its subject for `time`, `None`: until [`unban_player`](Self::unban_player),
    /// and disconnects it from all rooms. Returns the number of its connections. The bans are in
    /// the file of the [other bans](Self::ban).
    ///
    /// # Errors
    ///
    /// See [`BanError`].
    pub async fn ban_player(
        &self,
        subject: Subject,
        time: Option<Duration>,
    ) -> Result<usize, BanError> {
        let banned = self.bans.ban(BanTarget::Player(subject.clone()), time).await;
        if let Err(error @ BanError::Full) = banned {
            return Err(error);
        }
        let disconnect = move |host: &mut RoomsHost| host.disconnect_banned(&subject);
        let disconnected = self.call(disconnect).await.unwrap_or_default();
        banned.map(|()| disconnected)
    }

    /// Ends the ban of a player. Returns false if there is none.
    ///
    /// # Errors
    ///
    /// [`BanError::NotSaved`].
    pub async fn unban_player(&self, subject: Subject) -> Result<bool, BanError> {
        self.bans.unban(&BanTarget::Player(subject)).await
    }

    /// Returns the players who are banned by their subject, with the times at which their bans
    /// end; `None`: never.
    pub async fn banned_players(&self) -> Vec<(Subject, Option<UnixSeconds>)> {
        self.bans.players().await
    }

    /// Disconnects a player of a room, for the reason [`Removal::Kicked`](mp_rooms::Removal). It
    /// may join again. Returns false if there is no such player.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn kick(&self, room: RoomId, peer: PeerId) -> Result<bool, ServerEnded> {
        self.call(move |host| host.kick(room, peer, None)).await
    }

    /// Returns the identity of a player of a room; `None` if there is no such player, or if
    /// players are anonymous.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn identity(
        &self,
        room: RoomId,
        peer: PeerId,
    ) -> Result<Option<Arc<Identity>>, ServerEnded> {
        self.call(move |host| host.rooms.identity(room, peer).cloned()).await
    }

    /// Returns statistics of authentication.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn auth_stats(&self) -> Result<AuthStats, ServerEnded> {
        self.call(|host| host.auth_stats()).await
    }

    /// Returns the banned addresses and networks, in order, with the times at which their bans end;
    /// `None`: never.
    pub async fn bans(&self) -> Vec<(AddressPrefix, Option<UnixSeconds>)> {
        self.bans.addresses().await
    }

    /// Sets what the server lacks, so that it refuses newcomers.
    pub(crate) async fn set_shortage(&self, shortage: Option<Shortage>) -> Result<(), ServerEnded> {
        self.call(move |host| host.rooms.set_shortage(shortage)).await
    }

    /// Sets the rate at which each player may send.
    pub(crate) async fn set_receive_limits(
        &self,
        limits: ReceiveLimits,
    ) -> Result<(), ServerEnded> {
        self.call(move |host| host.endpoints().iter().for_each(|it| it.set_receive_limits(limits)))
            .await
    }

    /// Measures the lateness of the threads of rooms, whose rooms refuse players while they are
    /// overloaded. Returns whether there is no thread for a new room.
    pub(crate) async fn measure_threads(&self) -> Result<bool, ServerEnded> {
        self.call(RoomsHost::measure_threads).await
    }

    /// Returns what the server lacks, so that it refuses newcomers.
    pub(crate) async fn shortage(&self) -> Result<Option<Shortage>, ServerEnded> {
        self.call(|host| host.rooms.shortage()).await
    }

    /// Returns statistics of all rooms.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn stats(&self) -> Result<RoomsStats, ServerEnded> {
        self.call(|host| host.rooms.stats()).await
    }

    /// Returns the statistics of the server as OpenMetrics text, for a program with an HTTP server
    /// of its own. They are at most about a second old; nothing waits for rooms or connections.
    pub fn metrics(&self) -> String {
        self.metrics.render()
    }

    /// Returns whether the server refuses all players because it is about to end.
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn is_draining(&self) -> Result<bool, ServerEnded> {
        self.call(|host| host.rooms.is_draining()).await
    }

    /// Ends the server in order: refuses new players, waits up to `timeout` until the others have
    /// left, closes the rooms, which deliver what they have sent before, and closes the endpoints.
    /// Logs its progress. Rooms can read the time that is left
    /// ([`RoomContext::drain_deadline`](crate::RoomContext::drain_deadline)); the players of rooms
    /// with [`notify`](Template::notify) receive it ([`Notice::draining`](mp_rooms::Notice)).
    pub async fn drain(&self, timeout: Duration) {
        if self.call(move |host| host.drain(timeout)).await.is_ok() {
            if !timeout.is_zero() {
                self.announce_drain(timeout);
                let _ = tokio::time::timeout(timeout, self.until_empty()).await;
            }
            let _ = self.call(RoomsHost::close_rooms).await;
            let mut load = self.load.clone();
            let closed = load.wait_for(|load| load.rooms == 0);
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, closed).await;
        }
        let endpoints = self.call(|host| host.endpoints()).await.unwrap_or_default();
        let closing = endpoints
            .into_iter()
            .map(|endpoint| self.tasks.spawn(async move { endpoint.close().await }));
        for closed in closing.collect::<Vec<_>>() {
            let _ = closed.await;
        }
        self.tasks.close();
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.tasks.wait()).await;
        self.stop.cancel();
        self.events.closed().await;
    }

    /// Waits until no player is left, and logs how many are.
    async fn until_empty(&self) {
        let mut load = self.load.clone();
        loop {
            let Load { rooms, players } = *load.borrow_and_update();
            if players == 0 {
                return;
            }
            tracing::info!(rooms, players, "waiting for players to leave");
            let empty = load.wait_for(|load| load.players == 0);
            if let Ok(empty_or_ended) = tokio::time::timeout(PROGRESS_INTERVAL, empty).await {
                return drop(empty_or_ended);
            }
        }
    }

    pub(crate) async fn listen(
        &self,
        id: ListenerId,
        endpoint: SharedEndpoint,
        room: Option<RoomName>,
    ) -> Result<(), ServerEnded> {
        self.call(move |host| host.listen(id, endpoint, room)).await
    }

    /// Changes a room, and lets viewers know.
    async fn change<R: Send + 'static>(
        &self,
        room: RoomId,
        change: impl FnOnce(&mut Rooms) -> R + Send + 'static,
    ) -> Result<R, ServerEnded> {
        let call = move |host: &mut RoomsHost| {
            host.changes.mark(room);
            change(&mut host.rooms)
        };
        self.call(call).await
    }

    /// Runs `call` in the task that owns the rooms.
    pub(super) async fn call<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut RoomsHost) -> R + Send + 'static,
    ) -> Result<R, ServerEnded> {
        let (reply, response) = oneshot::channel();
        let call = Box::new(|host: &mut RoomsHost| drop(reply.send(call(host))));
        self.events.send(HostEvent::Call(call)).await.map_err(|_| ServerEnded)?;
        response.await.map_err(|_| ServerEnded)
    }
}

impl fmt::Debug for RoomsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomsHandle")
    }
}

/// Time between log lines while players leave.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum time in which rooms close: that of branches, and one more second.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(mp_actor::limits::CLOSE_TIMEOUT.as_secs() + 1);
