//! [`ChannelActor`]: a typed stream of messages between the branches of peers.
#![expect(
    clippy::exhaustive_structs,
    reason = "actor messages, which programs construct and destructure"
)]

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::Poll;

use actix::prelude::*;
use bytes::Bytes;
use futures_core::Stream;
use mp_core::limits::MAILBOX_BATCHES;
use mp_core::{Channel, PeerId, Target, TransferMode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::branch_ref::BranchCaller;
use crate::channel_routes::{ChannelRoute, header};
use crate::error::{CallError, ChannelError, PublishError};
use crate::limits::{CHANNEL_NAME_BYTES_MAX, CHANNEL_QUEUE_MESSAGES_MAX};

/// A message that a channel can carry: any type that serde serializes and deserializes.
pub trait ChannelMessage: Serialize + DeserializeOwned + Clone + Send + Unpin + 'static {}

impl<M: Serialize + DeserializeOwned + Clone + Send + Unpin + 'static> ChannelMessage for M {}

/// A channel of a branch. It is opened with [`BranchRef::channel`](crate::BranchRef::channel).
///
/// Queues are bounded: up to [`CHANNEL_QUEUE_MESSAGES_MAX`] messages for each subscriber. A slow
/// subscriber misses the newest ones, which [`ChannelStats::missed`] counts.
///
/// # Wire format
///
/// Messages are sent as packets of the program (`send_bytes`, `peer_packet`). `peer_packet` does
/// not report the transfer channel, and WebSocket has only one. Therefore each message has a header
/// that names its channel:
///
/// | bytes | content |
/// |---|---|
/// | 0 to 1 | `6D 70`: "mp" |
/// | 2 | `01`: version of this layout |
/// | 3 | length of the name in bytes, 1 to 32 |
/// | 4… | the name, UTF-8 |
/// | rest | the message in postcard |
///
/// A packet of this form with the name of an open channel goes to the channel and is not reported
/// as a [signal](crate::Signals). The builder's `on_peer_packet` still receives it. A GDScript peer
/// sends a `String` as follows (ASCII, fewer than 128 characters: postcard encodes lengths as
/// varints):
///
/// ```gdscript
/// var header := PackedByteArray([0x6d, 0x70, 1, name.length()]) + name.to_utf8_buffer()
/// var message := PackedByteArray([text.length()]) + text.to_utf8_buffer()
/// multiplayer.send_bytes(header + message, id)
/// ```
pub struct ChannelActor<M: ChannelMessage> {
    header: Vec<u8>,
    mode: TransferMode,
    channel: Channel,
    branch: BranchCaller,
    subscribers: Vec<mpsc::Sender<Received<M>>>,
    stats: ChannelStats,
}

/// A message received from a peer.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Received<M> {
    /// Sender.
    pub from: PeerId,
    /// The message.
    pub message: M,
}

/// A message to send to peers.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "Result<(), PublishError>")]
pub struct Publish<M> {
    /// Receivers.
    pub target: Target,
    /// The message.
    pub message: M,
}

/// A subscription of an actor to the messages of peers. The actor receives the next message when it
/// has handled the last.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Subscribe<M: Send>(pub Recipient<Received<M>>);

/// Statistics of a channel since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Messages received from peers.
    pub received: u64,
    /// Messages of peers that could not be decoded as `M`.
    pub malformed: u64,
    /// Messages that slow subscribers missed because their queue was full.
    pub missed: u64,
}

/// A request for the statistics of a channel.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "ChannelStats")]
struct GetStats;

/// A request for a new subscription.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "mpsc::Receiver<Received<M>>")]
struct OpenSubscription<M: Send + 'static>(PhantomData<M>);

/// The message that the branch has ended, which stops the channel.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BranchEnded;

/// Packets that a branch received for one channel.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ChannelPackets(pub(crate) Vec<(PeerId, Bytes)>);

impl<M: ChannelMessage> ChannelActor<M> {
    fn open_subscription(&mut self) -> mpsc::Receiver<Received<M>> {
        let (sender, receiver) = mpsc::channel(CHANNEL_QUEUE_MESSAGES_MAX);
        self.subscribers.push(sender);
        receiver
    }

    fn receive(&mut self, from: PeerId, payload: &[u8]) {
        let message = match postcard::take_from_bytes::<M>(payload) {
            Ok((message, [])) => message,
            Ok((_, rest)) => {
                tracing::debug!(%from, rest = rest.len(), "trailing bytes after a channel message");
                self.stats.malformed += 1;
                return;
            }
            Err(error) => {
                tracing::debug!(%from, %error, "malformed channel message");
                self.stats.malformed += 1;
                return;
            }
        };
        self.stats.received += 1;
        let missed = &mut self.stats.missed;
        self.subscribers.retain(|subscriber| {
            match subscriber.try_send(Received { from, message: message.clone() }) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    *missed += 1;
                    true
                }
                Err(TrySendError::Closed(_)) => false,
            }
        });
    }
}

impl<M: ChannelMessage> Actor for ChannelActor<M> {
    type Context = Context<Self>;
}

impl<M: ChannelMessage> Handler<ChannelPackets> for ChannelActor<M> {
    type Result = ();

    fn handle(&mut self, ChannelPackets(packets): ChannelPackets, _: &mut Context<Self>) {
        for (from, payload) in packets {
            self.receive(from, &payload);
        }
    }
}

impl<M: ChannelMessage> Handler<BranchEnded> for ChannelActor<M> {
    type Result = ();

    fn handle(&mut self, _: BranchEnded, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl<M: ChannelMessage> Handler<Publish<M>> for ChannelActor<M> {
    type Result = ResponseFuture<Result<(), PublishError>>;

    fn handle(&mut self, publish: Publish<M>, _: &mut Context<Self>) -> Self::Result {
        let Publish { target, message } = publish;
        let packet = postcard::to_extend(&message, self.header.clone());
        let (branch, mode, channel) = (self.branch.clone(), self.mode, self.channel);
        Box::pin(async move {
            let packet = packet.map_err(PublishError::Encode)?;
            branch
                .with(move |scene| {
                    let endpoints = scene.multiplayer().endpoints();
                    let len = packet.len() + ENVELOPE_BYTES_MAX;
                    match endpoints.map(|(_, info)| info.max_packet_size).min() {
                        Some(max) if len > max => Err(PublishError::TooLarge { len, max }),
                        _ => Ok(scene.send_bytes(&packet, target, mode, channel)?),
                    }
                })
                .await?
        })
    }
}

impl<M: ChannelMessage> Handler<Subscribe<M>> for ChannelActor<M> {
    type Result = ();

    fn handle(&mut self, Subscribe(recipient): Subscribe<M>, ctx: &mut Context<Self>) {
        let mut messages = self.open_subscription();
        let forward = async move {
            while let Some(received) = messages.recv().await {
                if recipient.send(received).await.is_err() {
                    return;
                }
            }
        };
        ctx.spawn(fut::wrap_future(forward));
    }
}

impl<M: ChannelMessage> Handler<OpenSubscription<M>> for ChannelActor<M> {
    type Result = MessageResult<OpenSubscription<M>>;

    fn handle(&mut self, _: OpenSubscription<M>, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.open_subscription())
    }
}

impl<M: ChannelMessage> Handler<GetStats> for ChannelActor<M> {
    type Result = MessageResult<GetStats>;

    fn handle(&mut self, _: GetStats, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.stats)
    }
}

/// A handle to a channel. It does not keep the branch open; the channel ends with the branch.
pub struct ChannelRef<M: ChannelMessage> {
    address: Addr<ChannelActor<M>>,
}

impl<M: ChannelMessage> ChannelRef<M> {
    /// Sends a message to `target`, a [`PeerId`] or a [`Target`].
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub async fn publish(&self, target: impl Into<Target>, message: M) -> Result<(), PublishError> {
        let publish = Publish { target: target.into(), message };
        self.address.send(publish).await.unwrap_or(Err(PublishError::Call(CallError::Ended)))
    }

    /// Subscribes to messages of peers from now on.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn messages(&self) -> Result<Messages<M>, CallError> {
        let messages = self.address.send(OpenSubscription(PhantomData)).await;
        messages.map(Messages).map_err(|_| CallError::Ended)
    }

    /// Subscribes an actor to messages of peers from now on; see [`Subscribe`].
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn subscribe(&self, actor: Recipient<Received<M>>) -> Result<(), CallError> {
        self.address.send(Subscribe(actor)).await.map_err(|_| CallError::Ended)
    }

    /// Returns the statistics.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn stats(&self) -> Result<ChannelStats, CallError> {
        self.address.send(GetStats).await.map_err(|_| CallError::Ended)
    }

    /// Returns the address of the actor, for actors that send it [`Publish`].
    pub fn address(&self) -> &Addr<ChannelActor<M>> {
        &self.address
    }
}

impl<M: ChannelMessage> Clone for ChannelRef<M> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone() }
    }
}

impl<M: ChannelMessage> std::fmt::Debug for ChannelRef<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ChannelRef").field(&std::any::type_name::<M>()).finish()
    }
}

/// A subscription to a channel. Messages are in order, and end with the branch.
#[derive(Debug)]
pub struct Messages<M>(mpsc::Receiver<Received<M>>);

impl<M> Messages<M> {
    /// Returns the next message, or `None` when the branch has ended. Cancel safe: dropping the
    /// future loses no message.
    pub async fn next(&mut self) -> Option<Received<M>> {
        self.0.recv().await
    }
}

/// Same as [`next`](Self::next).
impl<M> Stream for Messages<M> {
    type Item = Received<M>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Received<M>>> {
        self.get_mut().0.poll_recv(cx)
    }
}

/// Opens a channel, on the branch's thread.
pub(crate) async fn open_channel<M: ChannelMessage>(
    branch: &BranchCaller,
    name: &str,
    mode: TransferMode,
    channel: Channel,
) -> Result<ChannelRef<M>, ChannelError> {
    if !(1..=CHANNEL_NAME_BYTES_MAX).contains(&name.len()) {
        return Err(ChannelError::Name(name.to_owned()));
    }
    let name = name.to_owned();
    branch
        .call(move |actor, ctx| {
            if actor.channels.0.contains_key(&name) {
                return Some(Err(ChannelError::AlreadyOpen(name)));
            }
            let branch = actor.caller(ctx);
            let address = ChannelActor::create(|ctx| {
                ctx.set_mailbox_capacity(MAILBOX_BATCHES);
                ChannelActor {
                    header: header(&name),
                    mode,
                    channel,
                    branch,
                    subscribers: Vec::new(),
                    stats: ChannelStats::default(),
                }
            });
            let (mail, end) = (address.clone().recipient(), address.clone().recipient());
            let route = ChannelRoute { mail, end, pending: Vec::new() };
            actor.channels.0.insert(name, route);
            Some(Ok(ChannelRef { address }))
        })
        .await?
}

/// Bytes that SceneMultiplayer adds before a program's bytes: 1 for the command and 6 for the relay
/// header.
const ENVELOPE_BYTES_MAX: usize = 7;
