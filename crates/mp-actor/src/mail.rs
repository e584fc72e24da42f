//! The messages between actors, and how they are sent.

use actix::dev::{SendError, ToEnvelope};
use actix::prelude::*;
use mp_core::{
    AddressPrefix, BranchId, ConnectionId, ConnectionStats, DisconnectRequest, EndpointId,
    EndpointStats, PeerId, ReceiveLimits, Route, ToBranch, ToEndpoint,
};
use mp_host::{Mailbox, TrySendError};

use crate::branch_ref::BranchCaller;
use crate::remote::RemoteMailbox;

/// A batch for a branch.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BranchMail(pub(crate) ToBranch);

/// A batch of a branch for an endpoint.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EndpointMail(pub(crate) BranchId, pub(crate) ToEndpoint);

/// A request for the statistics of connections, which are returned in the same order. The sender
/// limits their number.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Vec<Option<ConnectionStats>>")]
pub(crate) struct GetConnectionStats(pub(crate) Vec<ConnectionId>);

/// A request for an endpoint's statistics.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "EndpointStats")]
pub(crate) struct GetEndpointStats;

/// A branch that the endpoint is to serve.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Serve(pub(crate) BranchCaller);

/// A branch of another process that the endpoint is to serve. The response is the endpoint's
/// mailbox.
#[derive(Message)]
#[rtype(result = "Recipient<EndpointMail>")]
pub(crate) struct ServeRemote(pub(crate) BranchId, pub(crate) BranchMailbox);

/// The mailbox of a gateway for a branch that moves to another process. The response is the
/// endpoint's mailbox; `None` if the endpoint does not serve the branch.
#[derive(Message)]
#[rtype(result = "Option<Recipient<EndpointMail>>")]
pub(crate) struct Redirect(pub(crate) BranchId, pub(crate) BranchMailbox);

/// The branch of an undecided connection, which the endpoint is to serve.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Assign {
    pub(crate) connection: ConnectionId,
    pub(crate) branch: BranchCaller,
    /// The peer whose session the connection resumes.
    pub(crate) resumed: Option<PeerId>,
}

/// A request to refuse new connections in the transport, or to accept them again.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RefuseConnections(pub(crate) bool);

/// A request to limit the rate at which connections send.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetReceiveLimits(pub(crate) ReceiveLimits);

/// A request to disconnect the connections from some addresses.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "usize")]
pub(crate) struct DisconnectAddresses(pub(crate) AddressPrefix);

/// A request to disconnect a connection.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct DisconnectConnection(pub(crate) ConnectionId, pub(crate) DisconnectRequest);

/// The decision about an undecided connection.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Decide(pub(crate) ConnectionId, pub(crate) Route);

/// A request to close the endpoint.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseEndpoint;

/// An endpoint that is about to serve the branch.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Attach {
    pub(crate) endpoint: EndpointId,
    pub(crate) mailbox: EndpointMailbox,
    /// True if the branch was restored with the endpoint.
    pub(crate) is_restored: bool,
}

/// The mailbox of a branch.
#[derive(Debug)]
pub(crate) enum BranchMailbox {
    /// The mailbox of an actor.
    Actor(Recipient<BranchMail>),
    /// The mailbox of a gateway to another process.
    Remote(RemoteMailbox<ToBranch>),
}

impl Mailbox<ToBranch> for BranchMailbox {
    fn try_send(&self, message: ToBranch) -> Result<(), TrySendError<ToBranch>> {
        match self {
            Self::Actor(actor) => {
                actor.try_send(BranchMail(message)).map_err(|error| match error {
                    SendError::Full(BranchMail(message)) => TrySendError::Full(message),
                    SendError::Closed(BranchMail(message)) => TrySendError::Closed(message),
                })
            }
            Self::Remote(gateway) => gateway.try_send(message),
        }
    }

    fn send_unbounded(&self, message: ToBranch) {
        match self {
            Self::Actor(actor) => control_to(actor, BranchMail(message)),
            Self::Remote(gateway) => gateway.send_unbounded(message),
        }
    }
}

/// The mailbox of an endpoint for one branch.
#[derive(Debug)]
pub(crate) enum EndpointMailbox {
    /// The mailbox of an actor, with recipients of requests to it.
    Actor {
        branch: BranchId,
        mail: Recipient<EndpointMail>,
        connection_stats: Recipient<GetConnectionStats>,
        serve: Recipient<Serve>,
    },
    /// The mailbox of a gateway to another process.
    Remote(RemoteMailbox<ToEndpoint>),
}

impl EndpointMailbox {
    /// Returns the recipient of requests for statistics of connections; `None` for an endpoint of
    /// another process.
    pub(crate) fn connection_stats(&self) -> Option<&Recipient<GetConnectionStats>> {
        match self {
            Self::Actor { connection_stats, .. } => Some(connection_stats),
            Self::Remote(_) => None,
        }
    }

    /// Returns the recipient of branches that the endpoint is to serve; `None` for an endpoint of
    /// another process.
    pub(crate) fn serve(&self) -> Option<&Recipient<Serve>> {
        match self {
            Self::Actor { serve, .. } => Some(serve),
            Self::Remote(_) => None,
        }
    }
}

impl Mailbox<ToEndpoint> for EndpointMailbox {
    fn try_send(&self, message: ToEndpoint) -> Result<(), TrySendError<ToEndpoint>> {
        match self {
            Self::Actor { branch, mail, .. } => {
                mail.try_send(EndpointMail(*branch, message)).map_err(|error| match error {
                    SendError::Full(EndpointMail(_, message)) => TrySendError::Full(message),
                    SendError::Closed(EndpointMail(_, message)) => TrySendError::Closed(message),
                })
            }
            Self::Remote(gateway) => gateway.try_send(message),
        }
    }

    fn send_unbounded(&self, message: ToEndpoint) {
        match self {
            Self::Actor { branch, mail, .. } => control_to(mail, EndpointMail(*branch, message)),
            Self::Remote(gateway) => gateway.send_unbounded(message),
        }
    }
}

/// A request to close the branch.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Close;

/// Sends a message even if the mailbox is full. Only for messages whose number is bounded: one in
/// an actor's life, or counted by the caller. Everything that a peer can cause is sent with
/// `try_send`.
#[expect(clippy::disallowed_methods, reason = "at most once per actor, or counted by the caller")]
pub(crate) fn control<A, M>(to: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    to.do_send(message);
}

/// Same as [`control`], for a recipient.
#[expect(clippy::disallowed_methods, reason = "at most once per actor, or counted by the caller")]
pub(crate) fn control_to<M>(to: &Recipient<M>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    to.do_send(message);
}
