//! What the mailboxes carry, and how it is sent.

use actix::dev::{SendError, ToEnvelope};
use actix::prelude::*;
use mp_core::{ConnectionId, ConnectionStats, EndpointId, EndpointStats, ToBranch, ToEndpoint};
use mp_host::{Mailbox, TrySendError};

/// A batch for a branch.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BranchMail(pub(crate) ToBranch);

/// A batch for an endpoint.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EndpointMail(pub(crate) ToEndpoint);

/// Asks an endpoint for the figures of a link.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<ConnectionStats>")]
pub(crate) struct AskLink(pub(crate) ConnectionId);

/// Asks an endpoint for its counters.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "EndpointStats")]
pub(crate) struct AskEndpoint;

/// Tells a branch of an endpoint that is about to serve it.
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

    fn send_last(&self, message: ToBranch) {
        control_to(&self.0, BranchMail(message));
    }
}

/// The mailbox of an endpoint, and whom to ask for statistics of its connections.
#[derive(Debug)]
pub(crate) struct EndpointMailbox {
    pub(crate) mail: Recipient<EndpointMail>,
    pub(crate) links: Recipient<AskLink>,
}

impl Mailbox<ToEndpoint> for EndpointMailbox {
    fn try_send(&self, message: ToEndpoint) -> Result<(), TrySendError<ToEndpoint>> {
        self.mail.try_send(EndpointMail(message)).map_err(|error| match error {
            SendError::Full(EndpointMail(message)) => TrySendError::Full(message),
            SendError::Closed(EndpointMail(message)) => TrySendError::Closed(message),
        })
    }

    fn send_last(&self, message: ToEndpoint) {
        control_to(&self.mail, EndpointMail(message));
    }
}

/// Tells a branch to close.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Close;

/// Sends what must arrive however full the mailbox is, and is sent a bounded number of times: the end of an actor, a
/// counted call. Everything that a peer can cause goes by `try_send`.
#[expect(clippy::disallowed_methods, reason = "once in an actor's life, or counted by the caller")]
pub(crate) fn control<A, M>(to: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    to.do_send(message);
}

/// [`control`] for an address that has forgotten its actor.
#[expect(clippy::disallowed_methods, reason = "once in an actor's life, or counted by the caller")]
pub(crate) fn control_to<M>(to: &Recipient<M>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    to.do_send(message);
}
