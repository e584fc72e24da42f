//! [`ClusterHandle`]: the way from the task that owns the rooms to that of the cluster.

use std::sync::Arc;

use mp_actor::{BranchRef, RemoteEndpoint, SharedEndpoint};
use mp_cluster::directory::{BanRecord, NodeContact};
use mp_cluster::{ClusterNodeId, NodeCall, NodeReply, NodeRequestId, PlayerTicket};
use mp_core::{DisconnectReason, OutgoingPacket, PeerId};
use mp_identity::{Identity, Subject};
use mp_rooms::{
    Join, JoinRefusal, ListenerConnection, ListenerId, RoomId, RoomName, TicketHash, TicketOffer,
};
use tokio::sync::{mpsc, oneshot};

use super::lists::RoomLists;
use super::servers::ServerList;
use super::stats::SharedStats;

/// The sender of messages to the task of the cluster. Clones share its queue.
#[derive(Clone, Debug)]
pub(crate) struct ClusterHandle {
    node: ClusterNodeId,
    sender: mpsc::Sender<ToNode>,
    pub(super) stats: SharedStats,
    pub(super) lists: Arc<RoomLists>,
}

/// A message of the task that owns the rooms.
#[derive(Debug)]
pub(crate) enum ToNode {
    /// An endpoint of this node.
    Listening(ListenerId, SharedEndpoint),
    /// A player joins a room that does not exist here.
    Join(Box<Applicant>),
    /// A player has shown a ticket that is not of a room of this node.
    ShowTicket(Box<TicketHolder>),
    /// A ticket of a room of this node is valid.
    OfferTicket(TicketHash, TicketOffer),
    /// A ticket is not valid any more.
    WithdrawTicket(TicketHash),
    /// The server is about to end: other nodes disconnect its players from their rooms.
    Leaving,
    /// The addresses at which players reach this node.
    Advertise(NodeContact),
    /// A connection of this node has ended.
    Left(ListenerConnection),
    /// The decision about a player of another node.
    Decided(ListenerConnection, GuestDecision),
    /// A player of another node is removed.
    Remove { guest: ListenerConnection, reason: DisconnectReason, notice: Option<OutgoingPacket> },
    /// A room has opened. `restored`: endpoints of other nodes with which it goes on.
    Opened { room: RoomId, name: RoomName, branch: BranchRef, restored: Vec<RemoteEndpoint> },
    /// Players have joined or left a room.
    Changed(RoomName),
    /// A room has ended. `exists`: there is another one of this name.
    Ended { room: RoomId, name: RoomName, exists: bool },
    /// A call of the cluster about a room was handled. `exists`: there is such a room now.
    Settled { name: RoomName, exists: bool },
    /// A room is about to be created here.
    Claim { name: RoomName, template: RoomName, reply: oneshot::Sender<ClaimOutcome> },
    /// The creation that followed a claim has ended.
    Unclaim { name: RoomName, exists: bool },
    /// Another node is called. Without a reply the sender is dropped.
    Call { to: ClusterNodeId, call: NodeCall, reply: oneshot::Sender<NodeReply> },
    /// The reply to a call of another node.
    Reply(RemoteRequest, NodeReply),
    /// The node of a room is looked for. If there is none, the sender is dropped.
    Find { room: RoomName, reply: oneshot::Sender<ClusterNodeId> },
    /// A player was admitted to a room of this node, whose other connections are replaced. Joins
    /// have ascending numbers.
    PlayerJoined { player: Subject, number: u64 },
    /// Bans of this node that the others do not have.
    Bans(Vec<BanRecord>),
    /// The server accepts no rooms any more, because it is about to end. `moves`: its rooms go on
    /// on other nodes.
    Draining { moves: bool },
}

/// A player of this node whose room does not exist here.
#[derive(Debug)]
pub(crate) struct Applicant {
    pub(crate) join: Join,
    /// Name of the room.
    pub(crate) room: RoomName,
    pub(crate) identity: Arc<Identity>,
    /// Template from which the join creates the room if no node has it, or the reason why it does
    /// not.
    pub(crate) template: Result<RoomName, JoinRefusal>,
    /// Hash of the player's token, if it may be the host key of the room.
    pub(crate) host_key: Option<[u8; 32]>,
    /// The ticket that the player has shown.
    pub(crate) ticket: Option<PlayerTicket>,
}

/// A player of this node with a ticket that is not of a room of this node.
#[derive(Debug)]
pub(crate) struct TicketHolder {
    pub(crate) join: Join,
    pub(crate) identity: Arc<Identity>,
    pub(crate) ticket: PlayerTicket,
}

/// The decision about a player of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestDecision {
    Admit { authenticates: bool },
    Resume(PeerId),
    Refuse(DisconnectReason),
}

/// The outcome of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimOutcome {
    /// This node owns the name.
    Owned,
    /// Another node has a room of this name.
    Taken,
    /// The directory does not respond.
    Unavailable,
}

impl ClusterHandle {
    pub(super) fn new(node: ClusterNodeId, stats: SharedStats) -> (Self, mpsc::Receiver<ToNode>) {
        let (sender, inbox) = mpsc::channel(QUEUE_MAX);
        (Self { node, sender, stats, lists: Arc::default() }, inbox)
    }

    /// Returns this node.
    pub(crate) fn node(&self) -> ClusterNodeId {
        self.node
    }

    /// Queues a message. Returns false, and counts it, if the queue is full.
    pub(crate) fn send(&self, message: ToNode) -> bool {
        let sent = self.sender.try_send(message);
        if let Err(mpsc::error::TrySendError::Full(_)) = sent {
            self.stats.count_dropped();
        }
        sent.is_ok()
    }

    /// Returns the servers at which players connect if theirs is lost.
    pub(crate) fn servers(&self) -> ServerList {
        self.stats.servers()
    }

    /// Claims the name of a room that is about to be created.
    pub(crate) async fn claim(&self, name: RoomName, template: RoomName) -> ClaimOutcome {
        let (reply, response) = oneshot::channel();
        if !self.send(ToNode::Claim { name, template, reply }) {
            return ClaimOutcome::Unavailable;
        }
        response.await.unwrap_or(ClaimOutcome::Unavailable)
    }
}

/// A request of another node, which that node has numbered.
pub(crate) type RemoteRequest = (ClusterNodeId, NodeRequestId);

/// Capacity of the queue: a join, a decision and an end of each connection of
/// [`JoinQueue`](crate::rooms::JoinQueue), and the changes of all rooms. Beyond it joins are
/// refused; other messages are lost, and times out what waits for them.
const QUEUE_MAX: usize = 4 * 65_536;
