//! [`Identities`]: the identities of a room's players, for the room's code.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mp_core::PeerId;
use mp_identity::Identity;
use mp_rooms::ListenerConnection;

/// The identities of a room's players by peer id. Clones refer to the same room: the registry's
/// thread writes them, and the room's thread reads them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identities(Arc<Mutex<ByPeer>>);

/// The connection and the identity of each player.
type ByPeer = BTreeMap<PeerId, (ListenerConnection, Arc<Identity>)>;

impl Identities {
    /// Adds a player, before the room receives its connection.
    pub(super) fn insert(
        &self,
        peer: PeerId,
        connection: ListenerConnection,
        identity: Arc<Identity>,
    ) {
        self.lock().insert(peer, (connection, identity));
    }

    /// Removes a player whose connection has ended.
    pub(super) fn remove(&self, connection: ListenerConnection) {
        self.lock().retain(|_, (of, _)| *of != connection);
    }

    pub(crate) fn get(&self, peer: PeerId) -> Option<Arc<Identity>> {
        self.lock().get(&peer).map(|(_, identity)| Arc::clone(identity))
    }

    fn lock(&self) -> MutexGuard<'_, ByPeer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
