//! The interface of protocols: implement it to replace or wrap `SceneMultiplayer`.
#![expect(clippy::exhaustive_structs, reason = "protocols of programs build these")]

use std::fmt;
use std::rc::Rc;

use mp_core::{
    Channel, DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent, PeerId, Target,
    ToEndpoint, TransferMode, Variant,
};

use crate::tree::{NodeId, NodeTree, TreeError};
use crate::{RpcError, SceneMultiplayer, SendBytesError, Signal, SpawnError};

/// The protocol of a branch (Godot: `MultiplayerAPIExtension`). [`SceneMultiplayer`] is mp's own.
/// Another implementation may contain a `SceneMultiplayer` and forward to it.
/// [`BranchBuilder::protocol`](crate::BranchBuilder::protocol) sets the protocol of a branch.
///
/// An implementation receives transport events, changes of the tree, and requests of the program.
/// It queues its output: messages for endpoints ([`deliver`](Self::deliver)) and events for the
/// program ([`next_event`](Self::next_event)). It never runs code of the program itself. The branch
/// takes the events after each input.
pub trait MultiplayerApi: fmt::Debug {
    /// Handles a new endpoint of the branch.
    fn handle_opened(&mut self, endpoint: EndpointId, info: EndpointInfo);

    /// Handles an event of a connection of an endpoint.
    fn handle_event(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        endpoint: EndpointId,
        event: PeerEvent,
    );

    /// Handles the end of an endpoint.
    fn handle_closed(&mut self, endpoint: EndpointId, reason: DisconnectReason);

    /// Handles the replacement of an endpoint's transport: discards its session without signals.
    fn handle_replaced(&mut self, endpoint: EndpointId);

    /// Handles changes of the tree ([`NodeTree::take_changes`]) and of nodes that the protocol
    /// watches. Called before each event is taken, before the program sends, and after each of its
    /// hooks.
    fn handle_changes(&mut self, now: Instant, tree: &mut dyn NodeTree);

    /// Handles the close of the branch. `leave` is the message to its endpoints.
    fn handle_leave(&mut self, leave: &ToEndpoint);

    /// Runs the timers that are due at `now`; called once per turn.
    fn process(&mut self, now: Instant, tree: &mut dyn NodeTree);

    /// Sends the data of a tick; called after the program's tick hooks.
    fn tick(&mut self, _now: Instant, _tree: &mut dyn NodeTree) {}

    /// Returns whether the protocol needs ticks even if the program has no hook for them.
    fn wants_ticks(&self) -> bool {
        false
    }

    /// Calls `method` of `node` on `target`.
    ///
    /// # Errors
    ///
    /// The program's mistake, if nothing was sent or called.
    #[doc(alias = "_rpc")]
    fn rpc(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        node: NodeId,
        method: &str,
        args: Vec<Variant>,
    ) -> Result<RpcOutcome, RpcError>;

    /// Sends application bytes to `target`, which receives them as [`Signal::PeerPacket`].
    ///
    /// # Errors
    ///
    /// See [`SendBytesError`]; [`Unsupported`](SendBytesError::Unsupported) if the protocol has no
    /// such packets.
    fn send_bytes(
        &mut self,
        data: &[u8],
        target: Target,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<(), SendBytesError>;

    /// Creates a node from `data` with the function of `spawner`, a
    /// [`MultiplayerSpawner`](crate::MultiplayerSpawner), and announces the node. Returns the node.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]; [`Unsupported`](SpawnError::Unsupported) if the protocol announces no
    /// nodes.
    fn spawn(
        &mut self,
        tree: &mut dyn NodeTree,
        spawner: NodeId,
        data: Variant,
    ) -> Result<NodeId, SpawnError>;

    /// Applies `configuration`: sets the multiplayer root of `tree`, or starts replication with a
    /// spawner or synchronizer.
    ///
    /// # Errors
    ///
    /// If the root path is invalid, or the node is not in the tree.
    #[doc(alias = "_object_configuration_add")]
    fn object_configuration_add(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError>;

    /// Removes `configuration`: stops replication with a spawner or synchronizer.
    ///
    /// # Errors
    ///
    /// If `configuration` is a root path, or the node is not registered.
    #[doc(alias = "_object_configuration_remove")]
    fn object_configuration_remove(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError>;

    /// Removes and returns the next event for the program.
    fn next_event(&mut self) -> Option<ApiEvent>;

    /// Delivers queued messages, in order for each endpoint. `accept` returns a message that its
    /// endpoint cannot accept now.
    fn deliver(&mut self, accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>);

    /// Returns the time at which [`process`](Self::process) is due even without input.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Returns the number of packets in the longest endpoint queue. A host accepts no input while
    /// there are too many.
    fn queued_packets(&self) -> usize {
        0
    }

    /// Returns whether an endpoint refused a message at the last delivery.
    fn is_blocked(&self) -> bool {
        false
    }

    /// Returns the local peer's id.
    #[doc(alias = "_get_unique_id")]
    fn unique_id(&self) -> PeerId;

    /// Returns the ids of the connected peers.
    #[doc(alias = "_get_peer_ids")]
    fn peer_ids(&self) -> Vec<PeerId>;

    /// Returns the `SceneMultiplayer` that this protocol is, or is built on, with the settings of
    /// the branch.
    ///
    /// A protocol that sends nothing through its `SceneMultiplayer` keeps and returns it all the
    /// same. It then has no peers, and the protocol may follow its settings, such as
    /// [`authentication`](SceneMultiplayer::authentication), or ignore them.
    fn scene_multiplayer(&self) -> &SceneMultiplayer;

    /// Returns a mutable reference to the [`scene_multiplayer`](Self::scene_multiplayer), to change
    /// its settings.
    fn scene_multiplayer_mut(&mut self) -> &mut SceneMultiplayer;
}

/// An event of a protocol for its program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ApiEvent {
    /// A signal to report to the program.
    Signal(Signal),
    /// A call of a local method.
    Call(Call),
    /// A peer has left without a signal: the program disconnected it or cleared the session.
    PeerGone(PeerId),
    /// The connection of a peer that moves to another branch is held: the branch runs its hooks and
    /// releases the peer.
    PeerHeld(PeerId),
    /// The connection of a peer was lost. The branch asks its hooks whether the peer is kept.
    PeerDropped {
        /// The peer.
        peer: PeerId,
        /// The reason why the connection ended.
        reason: DisconnectReason,
    },
    /// A peer has resumed the session of a peer, which is the same peer or leaves now.
    PeerResumed {
        /// The peer whose session was resumed.
        old: PeerId,
        /// The peer that has resumed it.
        new: PeerId,
    },
    /// An endpoint that accepted no messages was abandoned, with its peers.
    EndpointAbandoned(EndpointId),
}

/// A call of a local method.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The node.
    pub node: NodeId,
    /// The method name.
    pub method: Rc<str>,
    /// The arguments.
    pub args: Vec<Variant>,
    /// The caller.
    pub sender: PeerId,
}

/// A setting of a protocol (Godot: the second argument of `object_configuration_add`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Configuration {
    /// The absolute path of the multiplayer root.
    RootPath(String),
    /// A [`MultiplayerSpawner`](crate::MultiplayerSpawner) to replicate with. Spawners that enter
    /// the tree are registered automatically.
    Spawner(NodeId),
    /// A [`MultiplayerSynchronizer`](crate::MultiplayerSynchronizer) to replicate with.
    /// Synchronizers that enter the tree are registered automatically.
    Synchronizer(NodeId),
}

/// The outcome of a call that the program made.
#[derive(Debug)]
pub struct RpcOutcome {
    /// The result of sending the call.
    pub sent: Result<(), RpcError>,
    /// The local call to run, after sending.
    pub local: Option<Call>,
}
