//! [`NatsDirectory`]: the directory in a key-value bucket of JetStream.

use std::future::Future;
use std::time::Duration;

use async_nats::header::{NATS_MARKER_REASON, NATS_MESSAGE_TTL};
use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use mp_core::Instant;

use super::NatsOptions;
use super::records::Records;
use crate::directory::{
    Directory, Entry, EntryKey, Operation, OperationOutcome, Revision, Unavailable,
};
use crate::limits::{REQUEST_TIMEOUT, VALUE_BYTES_MAX};

/// The directory of a cluster in a key-value bucket of JetStream, `mp_CLUSTER`. The revision of an
/// entry is its sequence number in the stream.
///
/// Entries are read from the leader of the stream, so that a node that has read a registration as
/// absent may rely on it; lists are read from any replica. An operation without an answer within
/// [`REQUEST_TIMEOUT`] is [`Unavailable`].
#[derive(Clone, Debug)]
pub struct NatsDirectory {
    records: Records,
    /// First part of the subjects of entries.
    prefix: String,
}

impl NatsDirectory {
    pub(super) fn new(records: Records, options: &NatsOptions) -> Self {
        let prefix = format!("$KV.{}.", options.bucket());
        Self { records, prefix }
    }

    async fn carry_out(&self, operation: Operation) -> Result<OperationOutcome, Unavailable> {
        match operation {
            Operation::Get(key) => {
                let message = self
                    .records
                    .last(&self.subject(&key))
                    .await?
                    .filter(|message| !is_marker(message));
                let entry = message.map(|it| entry(it.payload, it.sequence));
                Ok(OperationOutcome::Entry(entry))
            }
            Operation::Put { key, value, expected, lifetime } => {
                if value.len() > VALUE_BYTES_MAX {
                    return Ok(OperationOutcome::Conflict);
                }
                match expected {
                    Some(expected) => self.write(&key, value, expected.get(), lifetime).await,
                    None => self.create(&key, value, lifetime).await,
                }
            }
            Operation::Remove { key, expected } => {
                let mut headers = HeaderMap::new();
                headers.insert(KV_OPERATION, "DEL");
                headers.insert(NATS_MESSAGE_TTL, HeaderValue::from(MARKER_TIME.as_secs()));
                let subject = self.subject(&key);
                let removed =
                    self.records.write(subject, Bytes::new(), expected.get(), headers).await?;
                Ok(removed.map_or(OperationOutcome::Conflict, |_| OperationOutcome::Removed))
            }
            Operation::List(kind) => {
                let filter = format!("{}{}>", self.prefix, kind.prefix());
                let messages = self.records.list(&filter).await?;
                let live = messages.into_iter().filter(|it| !has_marker(&it.headers));
                let entries = live.filter_map(|it| {
                    let key = it.subject.strip_prefix(&self.prefix)?.parse().ok()?;
                    Some((key, entry(it.payload, it.sequence)))
                });
                let mut entries: Vec<(EntryKey, Entry)> = entries.collect();
                entries.sort_by(|(one, _), (other, _)| one.cmp(other));
                Ok(OperationOutcome::Entries(entries))
            }
        }
    }

    /// Writes an entry if there is none. A removed one leaves a marker for a time, which is
    /// replaced.
    async fn create(
        &self,
        key: &EntryKey,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> Result<OperationOutcome, Unavailable> {
        let outcome = self.write(key, value.clone(), 0, lifetime).await?;
        if outcome != OperationOutcome::Conflict {
            return Ok(outcome);
        }
        match self.records.last(&self.subject(key)).await? {
            Some(message) if is_marker(&message) => {
                self.write(key, value, message.sequence, lifetime).await
            }
            _ => Ok(OperationOutcome::Conflict),
        }
    }

    async fn write(
        &self,
        key: &EntryKey,
        value: Bytes,
        expected: u64,
        lifetime: Option<Duration>,
    ) -> Result<OperationOutcome, Unavailable> {
        let mut headers = HeaderMap::new();
        if let Some(lifetime) = lifetime {
            // Lifetimes are whole seconds.
            let seconds = lifetime.as_secs() + u64::from(lifetime.subsec_nanos() > 0);
            headers.insert(NATS_MESSAGE_TTL, HeaderValue::from(seconds.max(1)));
        }
        let written = self.records.write(self.subject(key), value, expected, headers).await?;
        Ok(written.map_or(OperationOutcome::Conflict, |revision| {
            OperationOutcome::Written(Revision::new(revision))
        }))
    }

    fn subject(&self, key: &EntryKey) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl Directory for NatsDirectory {
    fn apply(
        &self,
        _now: Instant,
        operation: Operation,
    ) -> impl Future<Output = Result<OperationOutcome, Unavailable>> + Send {
        let outcome = tokio::time::timeout(REQUEST_TIMEOUT, self.carry_out(operation));
        async { outcome.await.unwrap_or(Err(Unavailable)) }
    }
}

fn entry(value: Bytes, sequence: u64) -> Entry {
    Entry { value, revision: Revision::new(sequence) }
}

fn is_marker(message: &StreamMessage) -> bool {
    has_marker(&message.headers)
}

/// Returns whether a message says that its key was removed.
fn has_marker(headers: &HeaderMap) -> bool {
    headers.get(KV_OPERATION).is_some() || headers.get(NATS_MARKER_REASON).is_some()
}

/// Header of a message that removes its key; `nats kv` has the same.
const KV_OPERATION: &str = "KV-Operation";

/// Time for which the marker of a removed entry stays, so that tools that watch the bucket see it.
const MARKER_TIME: Duration = Duration::from_secs(60);
