//! [`Network`]: the endpoints of a server and the thread that they share.

use actix::Arbiter;
use mp_actor::{BranchRef, SharedEndpoint, StartError, TransportError};
use mp_core::{ConnectionConditions, ConnectionGate, MultiplayerPeer, ReceiveLimits, Rng};
use mp_rooms::{Listener, ListenerId, RoomRouter, Rooms, Unselected};
use tokio::sync::oneshot;

use crate::bans::BanRegistry;
use crate::identity::Authentication;
use crate::metrics::{Metrics, TransportKind};
use crate::rooms::{HostSettings, JoinQueue, RoomTypes, RoomsHandle, RoomsHost};
use crate::snapshots::SnapshotStore;

/// The endpoints of a server, on one thread with the task that owns the rooms: a join is decided
/// without another thread.
pub(crate) struct Network {
    thread: Arbiter,
    queue: JoinQueue,
    rooms: RoomsHandle,
    endpoints: Vec<SharedEndpoint>,
    /// Maximum rate at which one player sends.
    receive_limits: ReceiveLimits,
    gate: ConnectionGate,
    metrics: Metrics,
    /// True if all clients join one room, with which the endpoints end. It runs on their thread.
    is_single_room: bool,
    link: Option<(ConnectionConditions, Rng)>,
}

/// Settings of the rooms of a server.
pub(crate) struct NetworkSettings {
    pub(crate) types: RoomTypes,
    pub(crate) rooms: Rooms,
    /// Maximum number of threads of rooms.
    pub(crate) max_threads: usize,
    /// Lateness above which a thread of rooms is overloaded; `None`: no thread is measured.
    pub(crate) max_lateness: Option<std::time::Duration>,
    /// Time without a packet after which a WebRTC player is disconnected; zero: no limit.
    pub(crate) silence: std::time::Duration,
    /// Maximum rate at which one player sends.
    pub(crate) receive_limits: ReceiveLimits,
    /// Gate of all transports, and the bans that apply to it.
    pub(crate) gate: ConnectionGate,
    pub(crate) bans: BanRegistry,
    pub(crate) authentication: Authentication,
    pub(crate) metrics: Metrics,
    /// States of rooms that are kept; `None`: there is no folder for them.
    pub(crate) snapshots: Option<SnapshotStore>,
    /// True if all clients join one room, with which the server ends.
    pub(crate) is_single_room: bool,
    /// Simulated conditions of all connections, and the generator of their random numbers.
    pub(crate) link: Option<(ConnectionConditions, Rng)>,
}

impl Network {
    /// Starts the thread. It serves nothing yet.
    pub(crate) async fn start(settings: NetworkSettings) -> Result<Self, StartError> {
        let thread = Arbiter::try_new().map_err(StartError::Thread)?;
        let NetworkSettings { types, rooms, max_threads, silence, receive_limits, .. } = settings;
        let NetworkSettings { gate, bans, metrics, is_single_room, max_lateness, .. } = settings;
        let (authentication, link) = (settings.authentication, settings.link);
        let snapshots = settings.snapshots;
        let network = is_single_room.then(|| thread.handle());
        let host = HostSettings {
            types,
            network,
            max_threads,
            max_lateness,
            silence,
            bans,
            metrics: metrics.clone(),
            recordings: metrics.recordings().clone(),
            snapshots,
        };
        let (queue, arrivals) = JoinQueue::new();
        let (reply, response) = oneshot::channel();
        thread.spawn_fn(move || {
            let _ = reply.send(RoomsHost::start(rooms, host, authentication, arrivals));
        });
        let rooms = response.await.map_err(|_| StartError::Panicked)?;
        let endpoints = Vec::new();
        Ok(Self {
            thread,
            queue,
            rooms,
            endpoints,
            receive_limits,
            gate,
            metrics,
            is_single_room,
            link,
        })
    }

    /// Returns the gate of all transports.
    pub(crate) fn gate(&self) -> &ConnectionGate {
        &self.gate
    }

    /// Runs a task on the thread of the endpoints.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.thread.spawn(task);
    }

    pub(crate) fn rooms(&self) -> &RoomsHandle {
        &self.rooms
    }

    /// Opens an endpoint on the thread of the endpoints, where `make` creates its transport.
    pub(crate) async fn listen<P, E>(
        &mut self,
        transport: TransportKind,
        listener: Listener,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<(), StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError> + 'static,
    {
        self.listen_on(self.thread.handle(), transport, listener, make).await
    }

    /// Opens the shards of one transport: each on a thread of its own, a single one on the thread
    /// of the endpoints.
    pub(crate) async fn listen_shards<M, P, E>(
        &mut self,
        transport: TransportKind,
        listener: Listener,
        makes: impl ExactSizeIterator<Item = M>,
    ) -> Result<(), StartError>
    where
        M: FnOnce() -> Result<P, E> + Send + 'static,
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError> + 'static,
    {
        let is_single = makes.len() == 1;
        for make in makes {
            let thread = match is_single {
                true => self.thread.handle(),
                false => Arbiter::try_new().map_err(StartError::Thread)?.handle(),
            };
            self.listen_on(thread, transport, listener.clone(), make).await?;
        }
        Ok(())
    }

    /// Makes the endpoints serve the only room before it has players, so that they end with it.
    pub(crate) async fn serve(&self, room: &BranchRef) -> Result<(), StartError> {
        for endpoint in &self.endpoints {
            let served = endpoint.serve(room).await;
            served.map_err(|_| StartError::Ended(mp_actor::EndReason::Stopped))?;
        }
        Ok(())
    }

    async fn listen_on<P, E>(
        &mut self,
        thread: actix::ArbiterHandle,
        transport: TransportKind,
        listener: Listener,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<(), StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError> + 'static,
    {
        let id = ListenerId(self.endpoints.len() as u32);
        let room = match &listener.unselected {
            // A player who takes over its place may join a full room, so the room decides.
            Unselected::Room(selection)
                if !listener.by_query && !listener.by_path && !listener.requires_token =>
            {
                Some(selection.room.clone())
            }
            _ => None,
        };
        let queue = self.queue.clone();
        let make = move || make().map(|peer| (peer, RoomRouter::new(id, listener, queue)));
        let starter = mp_actor::shared_endpoint(make).on(thread);
        let starter = if self.is_single_room { starter.until_left() } else { starter };
        let endpoint = starter.start().await?;
        endpoint.set_receive_limits(self.receive_limits);
        if let Some((conditions, rng)) = &mut self.link {
            endpoint.set_initial_conditions(*conditions, rng.fork());
        }
        let listened = self.rooms.listen(id, endpoint.clone(), room).await;
        listened.map_err(|_| StartError::Ended(mp_actor::EndReason::Stopped))?;
        self.metrics.add_endpoint(transport, endpoint.clone());
        self.endpoints.push(endpoint);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
