//! The seam for another protocol than SceneMultiplayer's, or for one that wraps it.
#![expect(clippy::exhaustive_structs, reason = "protocols of programs build these")]

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use mp_core::{
    DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent, PeerId, Target, ToEndpoint,
    Variant,
};

use crate::tree::{NodeId, NodeTree};
use crate::{RpcError, SceneMultiplayer, Signal};

/// What a branch asks of its protocol (Godot: `MultiplayerAPIExtension`). [`SceneMultiplayer`] is the one that comes with mp; an
/// implementation of your own may hold one and pass on what it does not change.
///
/// An implementation is told what transports report and what becomes of the tree, and queues what it has to say: to endpoints
/// ([`deliver`](Self::deliver)) and to the program ([`next_event`](Self::next_event)). It runs nothing of the program's itself. The
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

    /// The SceneMultiplayer that this is, or is built on.
    fn scene_multiplayer(&self) -> Option<&SceneMultiplayer> {
        None
    }

    /// As [`scene_multiplayer`](Self::scene_multiplayer), to change its settings.
    fn scene_multiplayer_mut(&mut self) -> Option<&mut SceneMultiplayer> {
        None
    }
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

/// Makes the protocol of a branch out of the SceneMultiplayer that its builder has set up.
pub type Interface = fn(SceneMultiplayer) -> Box<dyn MultiplayerApi>;

/// The name under which SceneMultiplayer itself is registered.
pub const SCENE_MULTIPLAYER: &str = "SceneMultiplayer";

/// Registers a protocol under a name, for [`set_default_interface`]. A name that is taken is taken over.
pub fn register_interface(name: &str, interface: Interface) {
    registry().interfaces.insert(name.to_owned(), interface);
}

/// Lets branches that do not say otherwise run the protocol that is registered as `name` (Godot:
/// `MultiplayerAPI.set_default_interface`), in the whole process.
///
/// # Errors
///
/// When there is none of that name.
pub fn set_default_interface(name: &str) -> Result<(), UnknownInterface> {
    let mut registry = registry();
    if name != SCENE_MULTIPLAYER && !registry.interfaces.contains_key(name) {
        return Err(UnknownInterface(name.to_owned()));
    }
    name.clone_into(&mut registry.default);
    Ok(())
}

/// The name of the protocol that branches run unless they say otherwise.
#[doc(alias = "get_default_interface")]
pub fn default_interface() -> String {
    registry().default.clone()
}

/// The protocol that a branch runs unless it says otherwise, made out of `base`.
pub fn create_default_interface(base: SceneMultiplayer) -> Box<dyn MultiplayerApi> {
    let registry = registry();
    let interface = registry.interfaces.get(&registry.default).copied();
    drop(registry);
    match interface {
        Some(interface) => interface(base),
        None => Box::new(base),
    }
}

/// No protocol has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no interface is registered as {0:?}; call register_interface first")]
#[non_exhaustive]
pub struct UnknownInterface(pub String);

struct Registry {
    interfaces: BTreeMap<String, Interface>,
    default: String,
}

fn registry() -> MutexGuard<'static, Registry> {
    static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(|| {
        let default = SCENE_MULTIPLAYER.to_owned();
        Mutex::new(Registry { interfaces: BTreeMap::new(), default })
    });
    // No panic can leave it half changed.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_must_be_registered_before_it_is_the_default() {
        assert_eq!(default_interface(), SCENE_MULTIPLAYER);
        let error = set_default_interface("Nobody's").unwrap_err();
        assert_eq!(error, UnknownInterface("Nobody's".to_owned()));
        assert_eq!(set_default_interface(SCENE_MULTIPLAYER), Ok(()));
    }
}
