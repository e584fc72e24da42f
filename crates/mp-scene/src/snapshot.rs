//! [`Snapshot`]: the state of a room, from which another room goes on.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::SetupError;
use crate::limits::{SNAPSHOT_BYTES_MAX, SNAPSHOT_NAME_BYTES_MAX};

/// The state of a room at one time: bytes of the program, or of its
/// [relay policy](crate::RelayPolicy).
///
/// Its encoding has a version. Any bytes can be decoded: they are a snapshot, or result in an error
/// before memory is allocated for them.
///
/// | part | encoding |
/// |---|---|
/// | the letters `mpsn` | 4 bytes |
/// | version of the format, [`FORMAT`](Self::FORMAT) | u16, little-endian |
/// | name and template of the room, check of its code, content, version of the state, state | postcard |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    room: SnapshotRoom,
    content: SnapshotContent,
    version: u32,
    state: Bytes,
}

/// The room of a [`Snapshot`], for a program that keeps several. Empty unless it is
/// [set](Snapshot::with_room).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "programs construct it")]
pub struct SnapshotRoom {
    /// Name of the room, at most [`SNAPSHOT_NAME_BYTES_MAX`].
    pub name: String,
    /// Name of the settings with which it was created, at most [`SNAPSHOT_NAME_BYTES_MAX`].
    pub template: String,
    /// Hash of the code that players need to join; `None` if they need none.
    pub code: Option<[u8; 32]>,
}

/// The author of the state in a [`Snapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SnapshotContent {
    /// The program, by [`BranchBuilder::on_snapshot`](crate::BranchBuilder::on_snapshot).
    Program,
    /// The relay policy of a room whose host is a client.
    HostedGame,
}

/// The parts after the version of the format.
#[derive(Serialize, Deserialize)]
struct Body<'s> {
    name: &'s str,
    template: &'s str,
    code: Option<[u8; 32]>,
    content: SnapshotContent,
    version: u32,
    state: &'s [u8],
}

const MAGIC: &[u8; 4] = b"mpsn";
/// Size of the parts before [`Body`].
const HEAD: usize = MAGIC.len() + size_of::<u16>();

impl Snapshot {
    /// Version of the format. Snapshots with another one are refused.
    pub const FORMAT: u16 = 1;

    /// Creates a snapshot of a state whose encoding has a version of its own.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::TooLarge`] beyond [`SNAPSHOT_BYTES_MAX`].
    pub fn new(
        content: SnapshotContent,
        version: u32,
        state: impl Into<Bytes>,
    ) -> Result<Self, SnapshotError> {
        let state = state.into();
        check_size(state.len())?;
        Ok(Self { room: SnapshotRoom::default(), content, version, state })
    }

    /// Sets the room. Names are shortened to [`SNAPSHOT_NAME_BYTES_MAX`].
    pub fn with_room(mut self, mut room: SnapshotRoom) -> Self {
        for name in [&mut room.name, &mut room.template] {
            let mut len = name.len().min(SNAPSHOT_NAME_BYTES_MAX);
            while !name.is_char_boundary(len) {
                len -= 1;
            }
            name.truncate(len);
        }
        self.room = room;
        self
    }

    /// Returns the room.
    pub fn room(&self) -> &SnapshotRoom {
        &self.room
    }

    /// Returns the author of the state.
    pub fn content(&self) -> SnapshotContent {
        self.content
    }

    /// Returns the version of the state's encoding.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Returns the state.
    pub fn state(&self) -> &Bytes {
        &self.state
    }

    /// Returns the encoded snapshot.
    pub fn encode(&self) -> Vec<u8> {
        let Self { room: SnapshotRoom { name, template, code }, content, version, state } = self;
        let (content, version) = (*content, *version);
        let body = Body { name, template, code: *code, content, version, state };
        let mut bytes = Vec::with_capacity(HEAD + state.len() + name.len() + template.len() + 64);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&Self::FORMAT.to_le_bytes());
        postcard::to_extend(&body, bytes).unwrap_or_else(|error| {
            mp_core::bug!("a snapshot cannot be encoded: {error}");
            Vec::new()
        })
    }

    /// Decodes a snapshot.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::TooLarge`], [`NotASnapshot`](SnapshotError::NotASnapshot),
    /// [`UnknownFormat`](SnapshotError::UnknownFormat) and
    /// [`Malformed`](SnapshotError::Malformed).
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        check_size(bytes.len().saturating_sub(OVERHEAD_MAX))?;
        let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::NotASnapshot)?;
        let (format, body) = rest.split_first_chunk().ok_or(SnapshotError::NotASnapshot)?;
        let format = u16::from_le_bytes(*format);
        if format != Self::FORMAT {
            return Err(SnapshotError::UnknownFormat { found: format });
        }
        let malformed = SnapshotError::Malformed;
        let (body, rest): (Body<'_>, &[u8]) =
            postcard::take_from_bytes(body).map_err(|_| malformed("its head"))?;
        let Body { name, template, code, content, version, state } = body;
        if !rest.is_empty() {
            return Err(malformed("bytes after its end"));
        }
        if name.len().max(template.len()) > SNAPSHOT_NAME_BYTES_MAX {
            return Err(malformed("a name is too long"));
        }
        let (name, template) = (name.to_owned(), template.to_owned());
        let snapshot = Self::new(content, version, Bytes::copy_from_slice(state))?;
        Ok(snapshot.with_room(SnapshotRoom { name, template, code }))
    }
}

/// Maximum size of an encoded snapshot besides its state: the head, two names, a code, the content,
/// a version and lengths.
const OVERHEAD_MAX: usize = HEAD + 2 * (SNAPSHOT_NAME_BYTES_MAX + 2) + 33 + 5 + 5 + 5;

fn check_size(bytes: usize) -> Result<(), SnapshotError> {
    match bytes > SNAPSHOT_BYTES_MAX {
        true => Err(SnapshotError::TooLarge { bytes }),
        false => Ok(()),
    }
}

/// The reason why a state cannot be kept in a [`Snapshot`] or restored from one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The state is too large.
    #[error(
        "the state of {bytes} bytes exceeds {SNAPSHOT_BYTES_MAX}; keep less, or keep a reference"
    )]
    TooLarge {
        /// Size of the state in bytes.
        bytes: usize,
    },
    /// The bytes do not begin as a snapshot.
    #[error("the bytes are no snapshot: they do not begin with \"mpsn\" and a version")]
    NotASnapshot,
    /// The format is of another version of mp.
    #[error(
        "the snapshot has format {found}, and this program reads format {}; use the version of mp that \
         has written it, or remove it",
        Snapshot::FORMAT
    )]
    UnknownFormat {
        /// The format in the snapshot.
        found: u16,
    },
    /// The state has a version that its reader does not know.
    #[error("the state has version {found}, and this program reads version {supported}")]
    UnknownVersion {
        /// The version in the snapshot.
        found: u32,
        /// The version that is supported.
        supported: u32,
    },
    /// The bytes are damaged.
    #[error("the snapshot is damaged: {0}")]
    Malformed(&'static str),
    /// The state is of another kind of room.
    #[error("the snapshot has a state of the kind {0:?}, which this room cannot restore")]
    OtherContent(SnapshotContent),
    /// The room has players.
    #[error("only a room without players can be restored")]
    InUse,
    /// A hook of the program has refused the state.
    #[error("the program refuses the state")]
    Refused(#[source] SetupError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let snapshot = Snapshot::new(SnapshotContent::Program, 7, &b"state"[..]).unwrap();
        let (name, template) = ("arena".to_owned(), "default".to_owned());
        snapshot.with_room(SnapshotRoom { name, template, code: Some([9; 32]) })
    }

    #[test]
    fn snapshot_is_decoded_as_it_was_encoded() {
        assert_eq!(Snapshot::decode(&snapshot().encode()).unwrap(), snapshot());
    }

    #[test]
    fn snapshot_of_another_format_is_refused_with_both_versions() {
        let mut bytes = snapshot().encode();
        bytes[4] = 2;
        let error = Snapshot::decode(&bytes).unwrap_err().to_string();
        let expected = "the snapshot has format 2, and this program reads format 1; use the \
                        version of mp that has written it, or remove it";
        assert_eq!(error, expected);
    }

    #[test]
    fn each_part_of_a_snapshot_and_other_bytes_are_refused() {
        let bytes = snapshot().encode();
        for len in 0..bytes.len() {
            Snapshot::decode(&bytes[..len]).unwrap_err();
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(Snapshot::decode(&longer), Err(SnapshotError::Malformed(_))));
        assert!(matches!(Snapshot::decode(b"[room]"), Err(SnapshotError::NotASnapshot)));
    }

    #[test]
    fn sizes_are_bounded_in_both_directions() {
        let largest = vec![0; SNAPSHOT_BYTES_MAX];
        let program = SnapshotContent::Program;
        let largest = Snapshot::new(program, u32::MAX, largest).unwrap();
        let long = "x".repeat(2 * SNAPSHOT_NAME_BYTES_MAX);
        let room = SnapshotRoom { name: long.clone(), template: long, code: Some([1; 32]) };
        let largest = largest.with_room(room);
        assert_eq!(largest.room().name.len(), SNAPSHOT_NAME_BYTES_MAX);
        assert_eq!(Snapshot::decode(&largest.encode()).unwrap(), largest);
        let error = Snapshot::new(program, 1, vec![0; SNAPSHOT_BYTES_MAX + 1]).unwrap_err();
        assert!(matches!(error, SnapshotError::TooLarge { .. }));
        let too_large = vec![b'm'; SNAPSHOT_BYTES_MAX + OVERHEAD_MAX + 1];
        assert!(matches!(Snapshot::decode(&too_large), Err(SnapshotError::TooLarge { .. })));
    }
}
