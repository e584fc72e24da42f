//! [`ChannelActor`]: a typed stream of messages between the branches of peers.
#![expect(
    clippy::exhaustive_structs,
    reason = "messages of actors: programs build them and take them apart"
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
use crate::limits::{CHANNEL_MESSAGES_WAITING_MAX, CHANNEL_NAME_BYTES_MAX};

/// What a channel can carry: anything that serde knows.
pub trait ChannelMessage: Serialize + DeserializeOwned + Clone + Send + Unpin + 'static {}

impl<M: Serialize + DeserializeOwned + Clone + Send + Unpin + 'static> ChannelMessage for M {}

/// A channel of a branch. Opened with [`BranchRef::channel`](crate::BranchRef::channel).
///
/// Bounds: [`CHANNEL_MESSAGES_WAITING_MAX`] messages wait for each subscriber. Nobody waits for a slow one: it misses the
/// newest, and [`ChannelStats::missed`] counts them.
///
/// # On the wire
///
/// Messages travel as packets of the program's own (`send_bytes`, `peer_packet`). As `peer_packet` has no channel, and
/// WebSocket has only one, a message says itself which channel it belongs to:
///
/// | bytes | what |
/// |---|---|
/// | 0 to 1 | `6D 70`: "mp" |
/// | 2 | `01`: the version of this layout |
/// | 3 | length of the name in bytes, 1 to 32 |
/// | 4… | the name, UTF-8 |
/// | rest | the message in postcard |
///
/// What has this form and the name of an open channel goes to the channel and is no [signal](crate::Signals) any more (the
/// builder's `on_peer_packet` sees it still). A GDScript peer sends a `String` (ASCII, fewer than 128 characters: postcard
/// writes lengths as varints) so:
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

/// A message that a peer published.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Received<M> {
    /// The peer.
    pub from: PeerId,
    /// What it said.
    pub message: M,
}

/// Sends a message to peers.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "Result<(), PublishError>")]
pub struct Publish<M> {
    /// Whom it is for.
    pub target: Target,
    /// What it says.
    pub message: M,
}

/// Hands what peers publish to an actor, one message after the other: the next when it has handled the last.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Subscribe<M: Send>(pub Recipient<Received<M>>);

/// Counters of a channel since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Messages of peers.
    pub received: u64,
    /// Messages of peers that were no `M`.
    pub malformed: u64,
    /// Messages that a slow subscriber did not get.
    pub missed: u64,
}

/// Asks for the counters.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "ChannelStats")]
struct AskStats;

/// Asks for a subscription.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "mpsc::Receiver<Received<M>>")]
struct Listen<M: Send + 'static>(PhantomData<M>);

/// The branch has ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ended;

/// What a branch's turn brought for one channel.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Arrivals(pub(crate) Vec<(PeerId, Bytes)>);

impl<M: ChannelMessage> ChannelActor<M> {
    fn listen(&mut self) -> mpsc::Receiver<Received<M>> {
        let (sender, receiver) = mpsc::channel(CHANNEL_MESSAGES_WAITING_MAX);
        self.subscribers.push(sender);
        receiver
    }

    fn arrive(&mut self, from: PeerId, payload: &[u8]) {
        let message = match postcard::take_from_bytes::<M>(payload) {
            Ok((message, [])) => message,
            Ok((_, rest)) => {
                tracing::debug!(%from, rest = rest.len(), "bytes behind a channel's message");
                self.stats.malformed += 1;
                return;
            }
            Err(error) => {
                tracing::debug!(%from, %error, "not a message of this channel");
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

impl<M: ChannelMessage> Handler<Arrivals> for ChannelActor<M> {
    type Result = ();

    fn handle(&mut self, Arrivals(packets): Arrivals, _: &mut Context<Self>) {
        for (from, payload) in packets {
            self.arrive(from, &payload);
        }
    }
}

impl<M: ChannelMessage> Handler<Ended> for ChannelActor<M> {
    type Result = ();

    fn handle(&mut self, _: Ended, ctx: &mut Context<Self>) {
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
            let packet = packet.map_err(|error| PublishError::Encode(error.to_string()))?;
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
        let mut messages = self.listen();
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

impl<M: ChannelMessage> Handler<Listen<M>> for ChannelActor<M> {
    type Result = MessageResult<Listen<M>>;

    fn handle(&mut self, _: Listen<M>, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.listen())
    }
}

impl<M: ChannelMessage> Handler<AskStats> for ChannelActor<M> {
    type Result = MessageResult<AskStats>;

    fn handle(&mut self, _: AskStats, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.stats)
    }
}

/// Addresses a channel. It does not keep the branch open; the channel ends with it.
pub struct ChannelRef<M: ChannelMessage> {
    address: Addr<ChannelActor<M>>,
}

impl<M: ChannelMessage> ChannelRef<M> {
    /// Sends a message to `target`: a [`PeerId`] or a [`Target`].
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub async fn publish(&self, target: impl Into<Target>, message: M) -> Result<(), PublishError> {
        let publish = Publish { target: target.into(), message };
        self.address.send(publish).await.unwrap_or(Err(PublishError::Call(CallError::Ended)))
    }

    /// Subscribes to what peers publish from now on.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn messages(&self) -> Result<Messages<M>, CallError> {
        let messages = self.address.send(Listen(PhantomData)).await;
        messages.map(Messages).map_err(|_| CallError::Ended)
    }

    /// Subscribes an actor to what peers publish from now on: see [`Subscribe`].
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn subscribe(&self, actor: Recipient<Received<M>>) -> Result<(), CallError> {
        self.address.send(Subscribe(actor)).await.map_err(|_| CallError::Ended)
    }

    /// The counters.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn stats(&self) -> Result<ChannelStats, CallError> {
        self.address.send(AskStats).await.map_err(|_| CallError::Ended)
    }

    /// The actor itself, for actors that send it [`Publish`].
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

/// A subscription to a channel, in order. It ends with the branch.
#[derive(Debug)]
pub struct Messages<M>(mpsc::Receiver<Received<M>>);

impl<M> Messages<M> {
    /// The next message; `None` when the branch has ended. Dropping the future loses none.
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

/// Opens a channel on the branch's thread.
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
                return Some(Err(ChannelError::Taken(name)));
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
            let route = ChannelRoute { mail, end, waiting: Vec::new() };
            actor.channels.0.insert(name, route);
            Some(Ok(ChannelRef { address }))
        })
        .await?
}

/// What SceneMultiplayer puts in front of a program's bytes: a command, and the relay's 6.
const ENVELOPE_BYTES_MAX: usize = 7;
