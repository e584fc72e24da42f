//! [`Records`]: a stream that has the last message of each subject.

use std::error::Error;
use std::fmt::Display;

use async_nats::HeaderMap;
use async_nats::HeaderValue;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self, Context, ErrorCode};
use bytes::Bytes;

use super::list::{self, Listed};
use crate::directory::Unavailable;

/// A stream that has the last message of each subject, with compare-and-set.
#[derive(Clone, Debug)]
pub(super) struct Records {
    context: Context,
    stream: Stream,
}

impl Records {
    pub(super) fn new(context: Context, stream: Stream) -> Self {
        Self { context, stream }
    }

    /// Reads the message of a subject from the leader of the stream.
    pub(super) async fn last(&self, subject: &str) -> Result<Option<StreamMessage>, Unavailable> {
        match self.stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Writes a message if the last one of its subject has the sequence number `expected`, or, with
    /// 0, if there is none. Returns its number; `None` if the last one is another.
    pub(super) async fn write(
        &self,
        subject: String,
        value: Bytes,
        expected: u64,
        mut headers: HeaderMap,
    ) -> Result<Option<u64>, Unavailable> {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(expected));
        match self.publish(subject, value, headers).await {
            Ok(sequence) => Ok(Some(sequence)),
            Err(error) if has_other_sequence(&error) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Replaces the message of a subject.
    pub(super) async fn replace(&self, subject: String, value: Bytes) -> Result<(), Unavailable> {
        let replaced = self.publish(subject, value, HeaderMap::new()).await;
        replaced.map(drop).map_err(|error| unavailable(&error))
    }

    /// Removes the messages whose subjects match `filter`.
    pub(super) async fn purge(&self, filter: String) -> Result<(), Unavailable> {
        let purged = self.stream.purge().filter(filter).await;
        purged.map(drop).map_err(|error| unavailable(&error))
    }

    /// Returns the messages whose subjects match `filter`, from any replica.
    pub(super) async fn list(&self, filter: &str) -> Result<Vec<Listed>, Unavailable> {
        let name = &self.stream.cached_info().config.name;
        list::messages(&self.context.client(), name, filter).await
    }

    async fn publish(
        &self,
        subject: String,
        value: Bytes,
        headers: HeaderMap,
    ) -> Result<u64, PublishError> {
        let stored = self.context.publish_with_headers(subject, headers, value).await?.await?;
        Ok(stored.sequence)
    }
}

/// Returns whether a message was not stored because the last one of its subject is another.
fn has_other_sequence(error: &PublishError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<jetstream::Error>());
    // The code of a stream on several servers, for writes at the same time.
    let code = ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT;
    error.kind() == PublishErrorKind::WrongLastSequence
        || cause.is_some_and(|cause| cause.error_code() == code)
}

fn unavailable(error: &impl Display) -> Unavailable {
    tracing::debug!("a stream of the cluster: {error}");
    Unavailable
}
