//! [`NatsBus`]: the bus of a cluster on subjects of NATS.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_nats::{Client, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::connection::SETUP_TIME;
use super::{NatsError, NatsOptions};
use crate::bus::inbox::Inbox;
use crate::bus::{Bus, BusEvent, BusMessageKind, BusStats};
use crate::id::ClusterNodeId;
use crate::limits::{
    BUS_QUEUE_BYTES_MAX, BUS_QUEUE_MESSAGES_MAX, BUS_SEND_TIME_MAX, FRAME_BYTES_MAX,
};

/// The bus of a cluster on core subjects of NATS: `mp.CLUSTER.node.NODE.KIND`.
///
/// While the connection is lost, messages are dropped and counted. When it is dropped, queued
/// messages are still sent.
#[derive(Debug)]
pub struct NatsBus {
    inbox: Inbox,
    outgoing: mpsc::Sender<Outgoing>,
    queued_bytes: Arc<AtomicUsize>,
    options: NatsOptions,
    receiver: JoinHandle<()>,
}

/// A message that waits for the client.
#[derive(Debug)]
struct Outgoing {
    subject: String,
    bytes: Bytes,
    queued: Instant,
}

impl NatsBus {
    /// Subscribes the subjects of the node, and starts the tasks that send and receive.
    ///
    /// # Errors
    ///
    /// [`NatsError::NotDelivered`].
    pub(super) async fn start(
        client: Client,
        options: NatsOptions,
        node: ClusterNodeId,
        inbox: Inbox,
    ) -> Result<Self, NatsError> {
        let subjects = options.subjects(node);
        let not_delivered = || {
            let (subject, _) = subjects.split_once(".node.").unwrap_or_default();
            NatsError::NotDelivered { subject: format!("{subject}.node.>") }
        };
        let subscriber = client.subscribe(subjects.clone()).await;
        let mut subscriber = subscriber.map_err(|_| not_delivered())?;
        let probe = subjects.replace('*', "probe");
        let sent = client.publish(probe.clone(), Bytes::new()).await;
        sent.map_err(|_| not_delivered())?;
        let is_delivered = async {
            while let Some(message) = subscriber.next().await {
                if *message.subject == *probe {
                    return true;
                }
            }
            false
        };
        if !timeout(SETUP_TIME, is_delivered).await.unwrap_or(false) {
            return Err(not_delivered());
        }
        let (outgoing, queue) = mpsc::channel(BUS_QUEUE_MESSAGES_MAX);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        tokio::spawn(send(client, queue, inbox.clone(), queued_bytes.clone()));
        let receiver = tokio::spawn(receive(subscriber, inbox.clone()));
        Ok(Self { inbox, outgoing, queued_bytes, options, receiver })
    }
}

impl Bus for NatsBus {
    fn publish(&mut self, to: ClusterNodeId, kind: BusMessageKind, bytes: Bytes) {
        let len = bytes.len();
        if len > FRAME_BYTES_MAX {
            return self.inbox.count(|stats| stats.too_long += 1);
        }
        if !self.inbox.is_connected() {
            return self.inbox.count(|stats| stats.not_connected += 1);
        }
        // The task that sends only decreases the number.
        let has_capacity = self.queued_bytes.load(Ordering::Relaxed) + len <= BUS_QUEUE_BYTES_MAX;
        let subject = self.options.subject(to, kind);
        let outgoing = Outgoing { subject, bytes, queued: Instant::now() };
        self.queued_bytes.fetch_add(len, Ordering::Relaxed);
        if !has_capacity || self.outgoing.try_send(outgoing).is_err() {
            self.queued_bytes.fetch_sub(len, Ordering::Relaxed);
            self.inbox.count(|stats| stats.send_queue_full += 1);
        }
    }

    fn recv(&mut self) -> impl Future<Output = BusEvent> + Send {
        self.inbox.recv()
    }

    fn stats(&self) -> BusStats {
        self.inbox.stats()
    }
}

impl Drop for NatsBus {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

/// Passes queued messages to the client, until the bus is dropped and the queue is empty.
async fn send(
    client: Client,
    mut queue: mpsc::Receiver<Outgoing>,
    inbox: Inbox,
    queued_bytes: Arc<AtomicUsize>,
) {
    while let Some(Outgoing { subject, bytes, queued }) = queue.recv().await {
        let len = bytes.len();
        queued_bytes.fetch_sub(len, Ordering::Relaxed);
        let is_late = queued.elapsed() > BUS_SEND_TIME_MAX || !inbox.is_connected();
        if is_late || client.publish(subject, bytes).await.is_err() {
            inbox.count(|stats| stats.not_connected += 1);
        } else {
            inbox.count(|stats| {
                stats.sent_messages += 1;
                stats.sent_bytes += len as u64;
            });
        }
    }
    // Dropping the client drops what it has not written.
    drop(client.flush().await);
}

/// Passes received messages to the queue of the node.
async fn receive(mut subscriber: Subscriber, inbox: Inbox) {
    while let Some(message) = subscriber.next().await {
        let kind = message.subject.rsplit('.').next().unwrap_or_default();
        if let Some(kind) = BusMessageKind::ALL.into_iter().find(|it| it.as_str() == kind) {
            inbox.push(kind, message.payload);
        }
    }
    inbox.set_connected(false);
}
