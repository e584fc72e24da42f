//! [`RoomsHandle`]: the rooms of a running server, for the program.

mod bans;
mod drain;
mod error;

use std::fmt;
use std::sync::{Arc, OnceLock};

use mp_actor::{BranchRef, SharedEndpoint};
use mp_cluster::directory::NodeContact;
use mp_core::{PeerId, ReceiveLimits};
use mp_identity::{AuthStats, Identity, Token};
use mp_rooms::{
    Code, CreateRefusal, ListenerId, Metadata, RoomId, RoomInfo, RoomName, Rooms, RoomsStats,
    Shortage, Template,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::error::{CreateRoomError, ServerEnded};
use super::changes::RoomChange;
use super::host::{HostCall, HostEvent, Load, RoomsHost};
use crate::bans::BanRegistry;
use crate::cluster::{ClaimOutcome, ClusterHandle, ToNode};
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
    /// Set when the server becomes a node of a cluster.
    cluster: Arc<OnceLock<ClusterHandle>>,
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
        let cluster = Arc::default();
        Self { events, load, tasks, stop, bans, metrics, cluster }
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
        let (of, named) = (name.clone(), template.clone());
        self.create_by(of, named, move |rooms| rooms.create(name, &template)).await
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
        let (of, named) = (name.clone(), template.name.clone());
        self.create_by(of, named, move |rooms| rooms.create_with(name, Arc::new(template))).await
    }

    /// Creates a room. A node of a cluster owns its name first.
    async fn create_by(
        &self,
        name: RoomName,
        template: RoomName,
        create: impl FnOnce(&mut Rooms) -> Result<RoomId, CreateRefusal> + Send + 'static,
    ) -> Result<RoomId, CreateRoomError> {
        let cluster = self.cluster().cloned();
        if let Some(cluster) = &cluster {
            match cluster.claim(name.clone(), template).await {
                ClaimOutcome::Owned => {}
                ClaimOutcome::Taken => {
                    return Err(CreateRoomError::Refused(CreateRefusal::NameTaken));
                }
                ClaimOutcome::Unavailable => return Err(CreateRoomError::Unavailable),
            }
        }
        let (opened, is_open) = oneshot::channel();
        let room = self.call(move |host| {
            let created = create(&mut host.rooms);
            if let Some(cluster) = cluster {
                let exists = host.rooms.find_by_name(&name).is_some();
                cluster.send(ToNode::Unclaim { name, exists });
            }
            let room = created?;
            host.when_open(room, opened);
            Ok(room)
        });
        let room = room.await?.map_err(CreateRoomError::Refused)?;
        is_open.await.map(|()| room).map_err(|_| CreateRoomError::Failed)
    }

    /// Makes the server a node of a cluster, before it has players.
    pub(crate) async fn join_cluster(&self, cluster: ClusterHandle) -> Result<(), ServerEnded> {
        if self.cluster.set(cluster.clone()).is_err() {
            mp_core::bug!("the server joins two clusters");
        }
        self.call(|host| host.join_cluster(cluster)).await
    }

    /// Returns the way to the cluster, if the server is a node of one.
    pub(super) fn cluster(&self) -> Option<&ClusterHandle> {
        self.cluster.get()
    }

    /// Sets the addresses at which players reach this node of a cluster.
    pub(crate) async fn advertise(&self, contact: NodeContact) {
        // Fails if the server ends.
        let _ = self.call(move |host| host.advertise(contact)).await;
    }

    /// Returns the number of players in rooms of this server.
    pub(crate) fn player_count(&self) -> usize {
        self.load.borrow().players
    }

    /// Queues a call in the task that owns the rooms.
    ///
    /// # Errors
    ///
    /// Returns the call if the queue is full. A call of a server that has ended is dropped.
    pub(crate) fn try_call(&self, call: Box<HostCall>) -> Result<(), Box<HostCall>> {
        match self.events.try_send(HostEvent::Call(call)) {
            Err(mpsc::error::TrySendError::Full(HostEvent::Call(call))) => Err(call),
            _ => Ok(()),
        }
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
        self.call(move |host| host.set_code(room, code)).await
    }

    /// Sets the key of a host of the room, in place of that of its template. Returns false if there
    /// is no such room, or its host is not a game behind a tunnel
    /// ([`RoomHost::Tunnel`](mp_rooms::RoomHost::Tunnel)).
    ///
    /// # Errors
    ///
    /// [`ServerEnded`].
    pub async fn set_host_key(
        &self,
        room: RoomId,
        key: Token,
        is_for_one_host: bool,
    ) -> Result<bool, ServerEnded> {
        self.change(room, move |rooms| rooms.set_host_key(room, key, is_for_one_host)).await
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
