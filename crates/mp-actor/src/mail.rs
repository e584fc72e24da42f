//! The messages between actors, and how they are sent.

use actix::dev::{SendError, ToEnvelope};
use actix::prelude::*;
use mp_core::{
    AddressPrefix, BranchId, ConnectionId, ConnectionStats, DisconnectRequest, EndpointId,
    EndpointStats, PeerId, ReceiveLimits, Route, ToBranch, ToEndpoint,
};
use mp_host::{Mailbox, TrySendError};

use crate::branch_ref::BranchCaller;

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
}

/// The mailbox of a branch.
#[derive(Debug)]
pub(crate) struct BranchMailbox(pub(crate) Recipient<BranchMail>);

impl Mailbox<ToBranch> for BranchMailbox {
    fn try_send(&self, message: ToBranch) -> Result<(), TrySendError<ToBranch>> {
        self.0.try_send(BranchMail(message)).map_err(|error| match error {
            SendError::Full(BranchMail(message)) => TrySendError::Full(message),
            SendError::Closed(BranchMail(message)) => TrySendError::Closed(message),
        })
    }

    fn send_unbounded(&self, message: ToBranch) {
        control_to(&self.0, BranchMail(message));
    }
}

/// The mailbox of an endpoint for one branch, and recipients of requests to the endpoint.
#[derive(Debug)]
pub(crate) struct EndpointMailbox {
    pub(crate) branch: BranchId,
    pub(crate) mail: Recipient<EndpointMail>,
    pub(crate) connection_stats: Recipient<GetConnectionStats>,
    pub(crate) serve: Recipient<Serve>,
}

impl Mailbox<ToEndpoint> for EndpointMailbox {
    fn try_send(&self, message: ToEndpoint) -> Result<(), TrySendError<ToEndpoint>> {
        self.mail.try_send(EndpointMail(self.branch, message)).map_err(|error| match error {
            SendError::Full(EndpointMail(_, message)) => TrySendError::Full(message),
            SendError::Closed(EndpointMail(_, message)) => TrySendError::Closed(message),
        })
    }

    fn send_unbounded(&self, message: ToEndpoint) {
        control_to(&self.mail, EndpointMail(self.branch, message));
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
