//! [`NatsSnapshots`]: the snapshots of rooms, in a stream of JetStream.

use std::time::Duration;

use async_nats::header::NATS_MESSAGE_TTL;
use async_nats::{HeaderMap, HeaderValue};
use bytes::{Bytes, BytesMut};
use mp_rooms::RoomName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::NatsOptions;
use super::records::Records;
use crate::id::Epoch;
use crate::limits::{SNAPSHOT_BYTES_MAX, SNAPSHOT_CHUNK_BYTES};
use crate::snapshots::{SnapshotStoreError, Snapshots, StoredSnapshot};

/// The newest snapshot of each room, in a stream of JetStream.
///
/// A snapshot is stored in chunks. When all of them are acknowledged, a head is written that names
/// them, with compare-and-set. So a reader receives the newest complete snapshot, or none, and a
/// node that has lost a room does not replace the snapshot of the room's later owner.
#[derive(Clone, Debug)]
pub struct NatsSnapshots {
    records: Records,
    /// First part of the subjects.
    prefix: String,
}

/// The message that names the chunks of a room's newest snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    epoch: Epoch,
    /// Number of the snapshot among those of the epoch.
    number: u64,
    /// Number of chunks; 0 if the snapshot was removed.
    chunks: u32,
    bytes: u64,
    hash: [u8; 32],
}

impl NatsSnapshots {
    pub(super) fn new(records: Records, options: &NatsOptions) -> Self {
        Self { records, prefix: options.snapshot_prefix() }
    }

    /// Stores a snapshot of a room, which this node owns in `epoch`, instead of the earlier one,
    /// which stays if this fails. Store those of a room one after another.
    ///
    /// # Errors
    ///
    /// [`SnapshotStoreError`].
    pub async fn store(
        &self,
        room: &RoomName,
        epoch: Epoch,
        bytes: &Bytes,
    ) -> Result<(), SnapshotStoreError> {
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotStoreError::TooLong { bytes: bytes.len() });
        }
        let (earlier, _) = self.head(room, epoch).await?;
        let number = earlier.filter(|it| it.epoch == epoch).map_or(1, |it| it.number + 1);
        let chunks = bytes.len().div_ceil(SNAPSHOT_CHUNK_BYTES).max(1);
        let hash = Sha256::digest(bytes).into();
        let head = Head { epoch, number, chunks: chunks as u32, bytes: bytes.len() as u64, hash };
        for chunk in 0..chunks {
            let end = bytes.len().min((chunk + 1) * SNAPSHOT_CHUNK_BYTES);
            let subject = format!("{}{chunk:05}", self.chunks(room, &head));
            self.records.replace(subject, bytes.slice(chunk * SNAPSHOT_CHUNK_BYTES..end)).await?;
        }
        self.write_head(room, &head, HeaderMap::new()).await
    }

    /// Reads the newest snapshot of a room; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`SnapshotStoreError::Unavailable`].
    pub async fn load(
        &self,
        room: &RoomName,
    ) -> Result<Option<StoredSnapshot>, SnapshotStoreError> {
        // Another node may replace the snapshot while it is read.
        for _ in 0..LOADS {
            let (head, _) = self.head(room, Epoch::new(u64::MAX)).await?;
            let Some(head) = head.filter(|head| head.chunks > 0) else { return Ok(None) };
            if let Some(bytes) = self.read(room, &head).await? {
                return Ok(Some(StoredSnapshot { epoch: head.epoch, bytes }));
            }
        }
        Err(SnapshotStoreError::Unavailable)
    }

    /// Removes the snapshot of a room, which has ended on this node in `epoch`.
    ///
    /// # Errors
    ///
    /// [`SnapshotStoreError`].
    pub async fn remove(&self, room: &RoomName, epoch: Epoch) -> Result<(), SnapshotStoreError> {
        let (earlier, _) = self.head(room, epoch).await?;
        let Some(earlier) = earlier.filter(|head| head.chunks > 0) else { return Ok(()) };
        let number = if earlier.epoch == epoch { earlier.number + 1 } else { 1 };
        let removed = Head { epoch, number, chunks: 0, bytes: 0, hash: [0; 32] };
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_TTL, HeaderValue::from(MARKER_TIME.as_secs()));
        self.write_head(room, &removed, headers).await
    }

    /// Writes a head, and removes the chunks of the earlier one.
    async fn write_head(
        &self,
        room: &RoomName,
        head: &Head,
        headers: HeaderMap,
    ) -> Result<(), SnapshotStoreError> {
        let value = Bytes::from(postcard::to_stdvec(head).unwrap_or_default());
        // An earlier owner may write its last head meanwhile.
        for _ in 0..LOADS {
            let (earlier, sequence) = self.head(room, head.epoch).await?;
            let (subject, value) = (self.head_subject(room), value.clone());
            let written = self.records.write(subject, value, sequence, headers.clone()).await?;
            if written.is_none() {
                continue;
            }
            if let Some(earlier) = earlier.filter(|earlier| earlier.chunks > 0) {
                self.records.purge(format!("{}*", self.chunks(room, &earlier))).await?;
            }
            return Ok(());
        }
        Err(SnapshotStoreError::Unavailable)
    }

    /// Reads the head of a room, and its sequence number; 0 if there is none.
    ///
    /// # Errors
    ///
    /// [`SnapshotStoreError::StaleEpoch`] if its epoch is later than `epoch`.
    async fn head(
        &self,
        room: &RoomName,
        epoch: Epoch,
    ) -> Result<(Option<Head>, u64), SnapshotStoreError> {
        let Some(message) = self.records.last(&self.head_subject(room)).await? else {
            return Ok((None, 0));
        };
        // A marker of the server, or a head of a later version, has no chunks that can be read.
        let head: Option<Head> = postcard::from_bytes(&message.payload).ok();
        if head.as_ref().is_some_and(|head| head.epoch > epoch) {
            return Err(SnapshotStoreError::StaleEpoch);
        }
        Ok((head, message.sequence))
    }

    /// Reads the chunks of a head; `None` if they are not complete.
    async fn read(
        &self,
        room: &RoomName,
        head: &Head,
    ) -> Result<Option<Bytes>, SnapshotStoreError> {
        let is_bounded = head.bytes <= SNAPSHOT_BYTES_MAX as u64;
        let mut chunks = self.records.list(&format!("{}*", self.chunks(room, head))).await?;
        let len: u64 = chunks.iter().map(|chunk| chunk.payload.len() as u64).sum();
        if !is_bounded || len != head.bytes || chunks.len() as u64 != u64::from(head.chunks) {
            return Ok(None);
        }
        chunks.sort_by(|one, other| one.subject.cmp(&other.subject));
        let mut bytes = BytesMut::with_capacity(len as usize);
        chunks.iter().for_each(|chunk| bytes.extend_from_slice(&chunk.payload));
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        Ok((hash == head.hash).then(|| bytes.freeze()))
    }

    fn head_subject(&self, room: &RoomName) -> String {
        format!("{}{}.head", self.prefix, token(room))
    }

    /// Returns the first part of the subjects of chunks.
    fn chunks(&self, room: &RoomName, head: &Head) -> String {
        format!("{}{}.{}.{}.", self.prefix, token(room), head.epoch, head.number)
    }
}

impl Snapshots for NatsSnapshots {
    async fn store(
        &self,
        room: &RoomName,
        epoch: Epoch,
        bytes: &Bytes,
    ) -> Result<(), SnapshotStoreError> {
        Self::store(self, room, epoch, bytes).await
    }

    async fn load(&self, room: &RoomName) -> Result<Option<StoredSnapshot>, SnapshotStoreError> {
        Self::load(self, room).await
    }

    async fn remove(&self, room: &RoomName, epoch: Epoch) -> Result<(), SnapshotStoreError> {
        Self::remove(self, room, epoch).await
    }
}

/// Returns the name of a room as a part of a subject, as in keys of the directory.
fn token(room: &RoomName) -> String {
    room.as_str().replace('.', "=")
}

/// Attempts to read or write a snapshot that others replace meanwhile.
const LOADS: usize = 5;

/// Time for which a removed snapshot leaves a head, which refuses those of earlier owners.
const MARKER_TIME: Duration = Duration::from_secs(60 * 60);
