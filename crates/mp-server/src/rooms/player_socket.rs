//! [`PlayerSocket`]: where the socket of a player is.

use mp_actor::{BranchRef, SharedEndpoint};
use mp_core::{DisconnectReason, DisconnectRequest, OutgoingPacket, PeerId, Route};
use mp_rooms::{ListenerConnection, NoticeText, Removal};

use crate::cluster::{ClusterHandle, GuestDecision, ToNode};

/// The socket of a player, on this node or on another one of the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) enum PlayerSocket<'a> {
    Here(&'a SharedEndpoint),
    Elsewhere(&'a ClusterHandle),
}

impl PlayerSocket<'_> {
    /// Rejects a connection that is undecided.
    pub(super) fn reject(self, of: ListenerConnection, reason: DisconnectReason) {
        match self {
            Self::Here(endpoint) => endpoint.decide(of.connection, Route::Reject(reason)),
            Self::Elsewhere(cluster) => decided(cluster, of, GuestDecision::Refuse(reason)),
        }
    }

    /// Assigns an undecided connection to a room.
    pub(super) fn assign(self, of: ListenerConnection, room: &BranchRef) {
        match self {
            Self::Here(endpoint) => endpoint.assign(of.connection, room),
            Self::Elsewhere(cluster) => {
                let authenticates = room.authenticates();
                decided(cluster, of, GuestDecision::Admit { authenticates });
            }
        }
    }

    /// Assigns an undecided connection to a room, where it resumes a session.
    pub(super) fn resume(self, of: ListenerConnection, room: &BranchRef, peer: PeerId) {
        match self {
            Self::Here(endpoint) => endpoint.resume(of.connection, room, peer),
            Self::Elsewhere(cluster) => decided(cluster, of, GuestDecision::Resume(peer)),
        }
    }

    /// Disconnects a player. `text` is for it, in place of the reason's; `notice` is its last
    /// packet. A player of another node receives the text only in the notice.
    pub(super) fn disconnect(
        self,
        of: ListenerConnection,
        removal: Removal,
        text: Option<&NoticeText>,
        notice: Option<OutgoingPacket>,
    ) {
        let reason = removal.disconnect_reason();
        match self {
            Self::Here(endpoint) => {
                let mut request = DisconnectRequest::new(reason);
                if let Some(text) = text {
                    request = request.text(text.as_str());
                }
                if let Some(notice) = notice {
                    request = request.last_packet(notice);
                }
                endpoint.disconnect(of.connection, request);
            }
            Self::Elsewhere(cluster) => {
                cluster.send(ToNode::Remove { guest: of, reason, notice });
            }
        }
    }
}

fn decided(cluster: &ClusterHandle, guest: ListenerConnection, decision: GuestDecision) {
    cluster.send(ToNode::Decided(guest, decision));
}
