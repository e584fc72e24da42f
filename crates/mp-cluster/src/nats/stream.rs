//! The streams of a cluster in JetStream.

use std::error::Error;

use async_nats::jetstream::context::{
    CreateStreamErrorKind, GetStreamErrorKind, RequestError, RequestErrorKind,
};
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode};

use super::{NatsError, NatsOptions};
use crate::limits::{SNAPSHOT_CHUNK_BYTES, SNAPSHOT_LIFETIME, VALUE_BYTES_MAX};

/// Returns the settings of the directory: those of a key-value bucket, with a value of each key,
/// lifetimes of keys, and reads of several entries by one request.
pub(super) fn directory(options: &NatsOptions) -> Config {
    let (replicas, bytes, _) = options.stream_limits();
    let bucket = options.bucket();
    Config {
        name: format!("KV_{bucket}"),
        description: Some("nodes, rooms and tickets of an mp cluster".to_owned()),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: 1,
        max_message_size: (VALUE_BYTES_MAX + HEADERS_BYTES) as i32,
        max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: usize::from(replicas),
        deny_delete: true,
        allow_direct: true,
        allow_message_ttl: true,
        ..Config::default()
    }
}

/// Returns the settings of the stream of snapshots, which removes those that were not stored again
/// for [`SNAPSHOT_LIFETIME`].
pub(super) fn snapshots(options: &NatsOptions) -> Config {
    let (replicas, _, bytes) = options.stream_limits();
    Config {
        name: options.snapshot_stream(),
        description: Some("snapshots of the rooms of an mp cluster".to_owned()),
        subjects: vec![format!("{}>", options.snapshot_prefix())],
        max_messages_per_subject: 1,
        max_message_size: (SNAPSHOT_CHUNK_BYTES + HEADERS_BYTES) as i32,
        max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        max_age: SNAPSHOT_LIFETIME,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: usize::from(replicas),
        allow_direct: true,
        allow_message_ttl: true,
        ..Config::default()
    }
}

/// Opens a stream. Creates it if it is absent.
///
/// # Errors
///
/// [`NatsError::NoJetStream`] or [`NatsError::Stream`].
pub(super) async fn open(context: &Context, config: Config) -> Result<Stream, NatsError> {
    let name = config.name.clone();
    let found = match find(context, &name).await? {
        Some(stream) => stream,
        None => match create(context, config.clone()).await? {
            Some(stream) => stream,
            // Another node has created it.
            None => find(context, &name).await?.ok_or(NatsError::NoJetStream)?,
        },
    };
    let it = &found.cached_info().config;
    let is_alike = it.allow_message_ttl == config.allow_message_ttl
        && it.allow_direct == config.allow_direct
        && it.max_messages_per_subject == config.max_messages_per_subject
        && it.subjects == config.subjects;
    if !is_alike {
        let why = "it was created with other settings; delete it while no node runs";
        return Err(NatsError::stream(&name, why));
    }
    Ok(found)
}

async fn find(context: &Context, name: &str) -> Result<Option<Stream>, NatsError> {
    match context.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error) => match error.error_code() {
                ErrorCode::STREAM_NOT_FOUND => Ok(None),
                code => Err(refused(name, code, &error)),
            },
            _ => Err(unanswered(name, "INFO", &error)),
        },
    }
}

/// Creates a stream; returns `None` if there is one with other settings.
async fn create(context: &Context, config: Config) -> Result<Option<Stream>, NatsError> {
    let name = config.name.clone();
    match context.create_stream(config).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            CreateStreamErrorKind::JetStream(error) => match error.error_code() {
                ErrorCode::STREAM_NAME_EXIST => Ok(None),
                code => Err(refused(&name, code, &error)),
            },
            CreateStreamErrorKind::JetStreamUnavailable => Err(NatsError::NoJetStream),
            _ => Err(unanswered(&name, "CREATE", &error)),
        },
    }
}

fn refused(name: &str, code: ErrorCode, error: &impl ToString) -> NatsError {
    match code {
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
            NatsError::NoJetStream
        }
        _ => NatsError::stream(name, error.to_string()),
    }
}

/// Returns the error of a request without an answer. No server answers it if JetStream is off; one
/// without permission is dropped.
fn unanswered(name: &str, api: &str, error: &(dyn Error + 'static)) -> NatsError {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<RequestError>());
    if cause.is_some_and(|cause| cause.kind() == RequestErrorKind::NoResponders) {
        return NatsError::NoJetStream;
    }
    let subject = format!("$JS.API.STREAM.{api}.{name}");
    NatsError::stream(name, format!("{error}; allow the user to publish {subject:?}"))
}

/// Bytes of headers of an entry.
const HEADERS_BYTES: usize = 256;
