//! The seam for another protocol than SceneMultiplayer's, or for one that wraps it.
#![expect(clippy::exhaustive_structs, reason = "protocols of programs build these")]

use std::fmt;
use std::rc::Rc;

use mp_core::{
    Channel, DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent, PeerId, Target,
    ToEndpoint, TransferMode, Variant,
};

use crate::tree::{NodeId, NodeTree, TreeError};
use crate::{RpcError, SceneMultiplayer, SendBytesError, Signal, SpawnError};

/// The protocol of a branch (Godot: `MultiplayerAPIExtension`). [`SceneMultiplayer`] is the one that comes with mp; an
/// implementation of your own may hold one and pass on what it does not change. The branch is given
/// it by [`BranchBuilder::interface`](crate::BranchBuilder::interface).
///
/// An implementation receives what transports report, what becomes of the tree, and what the
/// program asks for. It queues its output: for endpoints ([`deliver`](Self::deliver)) and for the
/// program ([`next_event`](Self::next_event)). It runs nothing of the program's itself. The
/// branch takes its events after each input.
pub trait MultiplayerApi: fmt::Debug {
    /// An endpoint serves the branch from now on.
    fn handle_opened(&mut self, endpoint: EndpointId, info: EndpointInfo);

    /// Something happened on a link of an endpoint.
    fn handle_event(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        endpoint: EndpointId,
        event: PeerEvent,
    );

    /// An endpoint has ended.
    fn handle_closed(&mut self, endpoint: EndpointId, reason: DisconnectReason);

    /// Another transport takes the place of an endpoint: the session with it is forgotten, without signals.
    fn handle_replaced(&mut self, endpoint: EndpointId);

    /// Follows what the program has done to the tree ([`NodeTree::take_changes`]), and to nodes that it watches. Called before each
    /// event is taken, before the program says something, and after each of its hooks.
    fn handle_changes(&mut self, now: Instant, tree: &mut dyn NodeTree);

    /// The branch is about to end; `leave` is what its endpoints are to be told.
    fn handle_leave(&mut self, leave: &ToEndpoint);

    /// Does what is due at `now`; once per turn.
    fn process(&mut self, now: Instant, tree: &mut dyn NodeTree);

    /// Sends what is sent at every tick; after the program's own tick.
    fn tick(&mut self, _now: Instant, _tree: &mut dyn NodeTree) {}

    /// Whether it has something to send at ticks: then there are some, also when the program has no use for them.
    fn wants_ticks(&self) -> bool {
        false
    }

    /// Calls `method` of `node` on `target`.
    ///
    /// # Errors
    ///
    /// What the program did wrong, when nothing was done.
    #[doc(alias = "_rpc")]
    fn rpc(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        node: NodeId,
        method: &str,
        args: Vec<Variant>,
    ) -> Result<Called, RpcError>;

    /// Sends bytes of the program's own to `target`; they arrive as [`Signal::PeerPacket`].
    ///
    /// # Errors
    ///
    /// See [`SendBytesError`]; [`Unsupported`](SendBytesError::Unsupported) when the protocol has no
    /// such packets.
    fn send_bytes(
        &mut self,
        data: &[u8],
        target: Target,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<(), SendBytesError>;

    /// Makes a node out of `data` with the function of `spawner`, a
    /// [`MultiplayerSpawner`](crate::MultiplayerSpawner), and announces the node. Returns the node.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]; [`Unsupported`](SpawnError::Unsupported) when the protocol announces no
    /// nodes.
    fn spawn(
        &mut self,
        tree: &mut dyn NodeTree,
        spawner: NodeId,
        data: Variant,
    ) -> Result<NodeId, SpawnError>;

    /// Applies `configuration`: sets the multiplayer root of `tree`, or follows a spawner or
    /// synchronizer.
    ///
    /// # Errors
    ///
    /// When the root path is none, or the node is not in the tree.
    #[doc(alias = "_object_configuration_add")]
    fn object_configuration_add(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError>;

    /// Takes `configuration` back: stops following a spawner or synchronizer.
    ///
    /// # Errors
    ///
    /// When it is a root path, or the node is not followed.
    #[doc(alias = "_object_configuration_remove")]
    fn object_configuration_remove(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError>;

    /// What the program is to be told or to run next.
    fn next_event(&mut self) -> Option<ApiEvent>;

    /// Offers what endpoints are to be told, in order for each; `accept` gives back what an endpoint cannot take now.
    fn deliver(&mut self, accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>);

    /// When [`process`](Self::process) has something to do without input.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Packets that wait for the endpoint for which most do. A host takes nothing in while there are too many.
    fn queued_packets(&self) -> usize {
        0
    }

    /// Whether an endpoint gave something back at the last delivery.
    fn is_blocked(&self) -> bool {
        false
    }

    /// This side's own id.
    #[doc(alias = "_get_unique_id")]
    fn unique_id(&self) -> PeerId;

    /// The peers that take part.
    #[doc(alias = "_get_peer_ids")]
    fn peer_ids(&self) -> Vec<PeerId>;

    /// The SceneMultiplayer that this is, or is built on, with the settings of the branch.
    ///
    /// A protocol that sends nothing through the SceneMultiplayer that it was made of keeps that one
    /// all the same, and returns it. It has no peers; the protocol honours its settings, such as
    /// [`authentication`](SceneMultiplayer::authentication), or ignores them.
    fn scene_multiplayer(&self) -> &SceneMultiplayer;

    /// As [`scene_multiplayer`](Self::scene_multiplayer), to change its settings.
    fn scene_multiplayer_mut(&mut self) -> &mut SceneMultiplayer;
}

/// What a protocol has for its program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ApiEvent {
    /// To be told.
    Signal(Signal),
    /// To be run.
    Call(Call),
    /// A peer has left without a signal: it was disconnected by the program, or forgotten with its
    /// session.
    PeerGone(PeerId),
    /// An endpoint was abandoned with its peers, because it accepted nothing.
    EndpointAbandoned(EndpointId),
}

/// A call of a method on this side.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The node.
    pub node: NodeId,
    /// The method.
    pub method: Rc<str>,
    /// Its arguments.
    pub args: Vec<Variant>,
    /// Who called.
    pub sender: PeerId,
}

/// What a program can tell a protocol of an object (Godot: the second argument of `object_configuration_add`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Configuration {
    /// The absolute path of the multiplayer root.
    RootPath(String),
    /// A [`MultiplayerSpawner`](crate::MultiplayerSpawner) to follow. Those that enter the tree are followed by themselves.
    Spawner(NodeId),
    /// A [`MultiplayerSynchronizer`](crate::MultiplayerSynchronizer) to follow. Those that enter the tree are followed by themselves.
    Synchronizer(NodeId),
}

/// What became of a call that the program made.
#[derive(Debug)]
pub struct Called {
    /// Whether it was sent.
    pub sent: Result<(), RpcError>,
    /// The call to make at home, after sending.
    pub local: Option<Call>,
}
