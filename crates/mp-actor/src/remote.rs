//! [`RemoteBranch`] and [`RemoteEndpoint`]: branches and endpoints of other processes, for a
//! gateway that passes their messages on.

use std::fmt;
use std::sync::Arc;

use actix::prelude::*;
use mp_core::limits::MAILBOX_BATCHES;
use mp_core::{BranchId, CloseMode, DisconnectReason, EndpointId, ToBranch, ToEndpoint};
use mp_host::{Mailbox, TrySendError};
use mp_scene::Handover;
use tokio::sync::{mpsc, watch};

use crate::branch_ref::{BranchRef, next_number};
use crate::error::CallError;
use crate::mail::{
    Attach, BranchMail, BranchMailbox, EndpointMail, EndpointMailbox, Redirect, ServeRemote,
    control, control_to,
};
use crate::remote_wake::{MailboxId, Mailed, RemoteWake};
use crate::shared_endpoint::SharedEndpoint;

/// A branch of another process, at an endpoint of this one. A gateway receives the endpoint's
/// messages from it, and sends those of the branch. Dropping it leaves the endpoint, as a branch
/// that closes does. [`SharedEndpoint::serve_remote`] returns one.
pub struct RemoteBranch {
    id: BranchId,
    mailbox: MailboxId,
    inbox: mpsc::Receiver<ToBranch>,
    endpoint: Recipient<EndpointMail>,
    has_left: bool,
}

/// An endpoint of another process, at a branch of this one. A gateway receives the branch's
/// messages from it, and sends those of the endpoint. Dropping it closes the endpoint for the
/// branch. [`BranchRef::attach_remote`] returns one.
pub struct RemoteEndpoint {
    id: EndpointId,
    mailbox: MailboxId,
    inbox: mpsc::Receiver<ToEndpoint>,
    branch: Recipient<BranchMail>,
    is_closed: bool,
    /// Notifies the branch's handles, by being dropped, that its peers are disconnected.
    _alive: watch::Receiver<()>,
}

/// The next message for a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a mailbox has a message, or none now, or ended")]
pub enum RemoteInput<T> {
    /// A message.
    Message(T),
    /// There is no message now. The gateway's [`RemoteWake`] is notified of the next one.
    Empty,
    /// The sender has ended without its last message.
    Ended,
}

impl SharedEndpoint {
    /// Starts to serve a branch of another process. Afterwards [`decide`](Self::decide) assigns
    /// connections to its [`id`](RemoteBranch::id). `wake` is notified of messages.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the endpoint has ended.
    pub async fn serve_remote(&self, wake: Arc<RemoteWake>) -> Result<RemoteBranch, CallError> {
        let id = BranchId(next_number());
        let (mailbox, inbox, of) = RemoteMailbox::new(wake);
        let serve = ServeRemote(id, BranchMailbox::Remote(mailbox));
        let endpoint = self.serve_remote.send(serve).await.map_err(|_| CallError::Ended)?;
        Ok(RemoteBranch { id, mailbox: of, inbox, endpoint, has_left: false })
    }
}

impl SharedEndpoint {
    /// Receives the messages of the endpoint for a branch in its place, because the branch moves to
    /// another process. The branch has received all earlier ones. `None` if the endpoint does not
    /// serve the branch. `wake` is notified of messages.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the endpoint has ended.
    pub async fn redirect(
        &self,
        id: BranchId,
        wake: Arc<RemoteWake>,
    ) -> Result<Option<RemoteBranch>, CallError> {
        let (mailbox, inbox, of) = RemoteMailbox::new(wake);
        let redirect = Redirect(id, BranchMailbox::Remote(mailbox));
        let endpoint = self.redirect.send(redirect).await.map_err(|_| CallError::Ended)?;
        Ok(endpoint.map(|endpoint| RemoteBranch {
            id,
            mailbox: of,
            inbox,
            endpoint,
            has_left: false,
        }))
    }
}

impl BranchRef {
    /// Ends the part of a branch that moves to another process: returns its peers, and leaves its
    /// endpoints without notifying them. `None`, and nothing happens, while output is queued, or if
    /// the branch has no [`handover`](mp_scene::Branch::handover). Afterwards the program closes
    /// the branch.
    ///
    /// # Errors
    ///
    /// Same as [`with`](Self::with).
    pub async fn hand_over(&self) -> Result<Option<Handover>, CallError> {
        let call = self.caller().call(|actor, ctx| {
            actor.guarded(ctx, |branch, host| {
                let branch = branch.machine();
                let handover = (!branch.has_output()).then(|| branch.handover()).flatten()?;
                host.detach_all();
                Some(handover)
            })
        });
        call.await
    }

    /// Attaches an endpoint of another process, whose id no other endpoint of this process has.
    /// `wake` is notified of messages. Statistics of its connections are not available, and its
    /// peers do not move to other branches.
    pub fn attach_remote(&self, id: EndpointId, wake: Arc<RemoteWake>) -> RemoteEndpoint {
        self.attach(id, wake, false)
    }

    /// Attaches an endpoint of another process as [`attach_remote`](Self::attach_remote) does, with
    /// which the branch was restored ([`Branch::restore_handover`]): it sends no
    /// [`Opened`](ToBranch::Opened).
    ///
    /// [`Branch::restore_handover`]: mp_scene::Branch::restore_handover
    pub fn attach_restored(&self, id: EndpointId, wake: Arc<RemoteWake>) -> RemoteEndpoint {
        self.attach(id, wake, true)
    }

    fn attach(&self, id: EndpointId, wake: Arc<RemoteWake>, is_restored: bool) -> RemoteEndpoint {
        let (mailbox, inbox, of) = RemoteMailbox::new(wake);
        let branch = self.caller().address();
        // `Attach` is in the branch's mailbox before the endpoint's first message.
        let mailbox = EndpointMailbox::Remote(mailbox);
        control(branch, Attach { endpoint: id, mailbox, is_restored });
        let alive = self.caller().alive();
        let branch = branch.clone().recipient();
        RemoteEndpoint { id, mailbox: of, inbox, branch, is_closed: false, _alive: alive }
    }
}

impl RemoteBranch {
    /// Returns the id under which the endpoint serves the branch.
    pub fn id(&self) -> BranchId {
        self.id
    }

    /// Returns the number by which [`RemoteWake`] names the mailbox for messages of the endpoint.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// Returns the next message of the endpoint.
    pub fn try_recv(&mut self) -> RemoteInput<ToBranch> {
        let input = received(self.inbox.try_recv());
        // The last message: there is no endpoint to leave.
        self.has_left |= !matches!(
            input,
            RemoteInput::Empty | RemoteInput::Message(ToBranch::Opened(..) | ToBranch::Events(..))
        );
        input
    }

    /// Sends a message of the branch to the endpoint.
    ///
    /// # Errors
    ///
    /// Returns the message if the mailbox of the endpoint is full. A message for an endpoint that
    /// has ended is dropped.
    pub fn try_send(&mut self, message: ToEndpoint) -> Result<(), ToEndpoint> {
        let is_last = matches!(message, ToEndpoint::Leave { .. });
        match self.endpoint.try_send(EndpointMail(self.id, message)) {
            Err(SendError::Full(EndpointMail(_, message))) => Err(message),
            Ok(()) | Err(SendError::Closed(_)) => {
                self.has_left |= is_last;
                Ok(())
            }
        }
    }
}

impl Drop for RemoteBranch {
    fn drop(&mut self) {
        if !self.has_left {
            let (reason, close_mode) = (DisconnectReason::Closed, CloseMode::Drain);
            let leave = ToEndpoint::Leave { reason, close_mode };
            control_to(&self.endpoint, EndpointMail(self.id, leave));
        }
    }
}

impl RemoteEndpoint {
    /// Returns the id.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// Returns the number by which [`RemoteWake`] names the mailbox for messages of the branch.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// Returns the next message of the branch.
    pub fn try_recv(&mut self) -> RemoteInput<ToEndpoint> {
        received(self.inbox.try_recv())
    }

    /// Sends a message of the endpoint to the branch.
    ///
    /// # Errors
    ///
    /// Returns the message if the mailbox of the branch is full. A message for a branch that has
    /// ended is dropped.
    pub fn try_send(&mut self, message: ToBranch) -> Result<(), ToBranch> {
        let is_last = matches!(message, ToBranch::Closed(..));
        match self.branch.try_send(BranchMail(message)) {
            Err(SendError::Full(BranchMail(message))) => Err(message),
            Ok(()) | Err(SendError::Closed(_)) => {
                self.is_closed |= is_last;
                Ok(())
            }
        }
    }
}

impl Drop for RemoteEndpoint {
    fn drop(&mut self) {
        if !self.is_closed {
            let closed = ToBranch::Closed(self.id, DisconnectReason::Closed);
            control_to(&self.branch, BranchMail(closed));
        }
    }
}

impl fmt::Debug for RemoteBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteBranch").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for RemoteEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteEndpoint").field("id", &self.id).finish_non_exhaustive()
    }
}

fn received<T>(received: Result<T, mpsc::error::TryRecvError>) -> RemoteInput<T> {
    match received {
        Ok(message) => RemoteInput::Message(message),
        Err(mpsc::error::TryRecvError::Empty) => RemoteInput::Empty,
        Err(mpsc::error::TryRecvError::Disconnected) => RemoteInput::Ended,
    }
}

/// The mailbox of a gateway for one branch or endpoint.
#[derive(Debug)]
pub(crate) struct RemoteMailbox<T> {
    /// `None` only while the mailbox is dropped.
    sender: Option<mpsc::Sender<T>>,
    mailed: Mailed,
}

impl<T> RemoteMailbox<T> {
    fn new(wake: Arc<RemoteWake>) -> (Self, mpsc::Receiver<T>, MailboxId) {
        let (sender, inbox) = mpsc::channel(MAILBOX_BATCHES);
        let mailed = Mailed::new(wake);
        let id = mailed.id();
        (Self { sender: Some(sender), mailed }, inbox, id)
    }
}

impl<T> Mailbox<T> for RemoteMailbox<T> {
    fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let Some(sender) = &self.sender else { return Err(TrySendError::Closed(message)) };
        sender.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(message) => TrySendError::Full(message),
            mpsc::error::TrySendError::Closed(message) => TrySendError::Closed(message),
        })?;
        self.mailed.notify();
        Ok(())
    }

    /// Sends the last message. If it does not fit, the receiver is notified by the end of the
    /// mailbox, which follows.
    fn send_unbounded(&self, message: T) {
        let _ = self.try_send(message);
    }
}

impl<T> Drop for RemoteMailbox<T> {
    fn drop(&mut self) {
        self.sender = None;
        self.mailed.notify();
    }
}
