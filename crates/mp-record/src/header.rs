//! [`RecordingHeader`]: the description of a recorded branch.
#![expect(clippy::exhaustive_structs, reason = "programs construct it")]

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::RecordingError;
use crate::limits::HEADER_BYTES_MAX;

/// The first bytes of a recording.
pub const MAGIC: &[u8; 8] = b"mprecord";

/// The version of the format. It changes with each change of the header or of a frame, also of the
/// types of mp-core that they contain.
pub const VERSION: u16 = 2;

/// The description of a recorded branch: what is needed to build an equal one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingHeader {
    /// Name and version of the program, such as `mp-server 0.1.0`. Another version may behave
    /// differently.
    pub program: String,
    /// Seed of the branch's random numbers
    /// ([`BranchBuilder::seed`](mp_scene::BranchBuilder::seed)).
    pub seed: [u8; 32],
    /// The kind of branch, such as the type of a room.
    pub kind: String,
    /// The settings of the branch, in a format of the program.
    pub config: String,
    /// Checksum of what else determines the behavior of the branch, such as its tables of methods
    /// and properties; 0 if there is nothing else.
    pub tables: u64,
    /// Time at which the recording began, in seconds since 1970-01-01 UTC.
    pub began: mp_core::UnixSeconds,
    /// Name of the branch for people, such as that of a room.
    pub name: String,
}

impl RecordingHeader {
    /// Returns the first bytes of a file: magic, version, and the header with its length.
    ///
    /// # Errors
    ///
    /// If the header has more than [`HEADER_BYTES_MAX`] bytes.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let body = postcard::to_stdvec(self).map_err(io::Error::other)?;
        if body.len() > HEADER_BYTES_MAX {
            return Err(io::Error::other("the configuration is too long for a recording"));
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
        Ok(bytes)
    }

    /// Reads the first bytes of a file.
    pub(crate) fn read(source: &mut impl Read) -> Result<Self, RecordingError> {
        let mut magic = [0; MAGIC.len()];
        exact(source, &mut magic, RecordingError::NotARecording)?;
        if magic != *MAGIC {
            return Err(RecordingError::NotARecording);
        }
        let mut version = [0; 2];
        exact(source, &mut version, RecordingError::Header)?;
        let found = u16::from_le_bytes(version);
        if found != VERSION {
            return Err(RecordingError::UnknownVersion { found });
        }
        let (mut len, mut checksum) = ([0; 4], [0; 4]);
        exact(source, &mut len, RecordingError::Header)?;
        exact(source, &mut checksum, RecordingError::Header)?;
        let len = u32::from_le_bytes(len) as usize;
        if len > HEADER_BYTES_MAX {
            return Err(RecordingError::Header);
        }
        let mut body = vec![0; len];
        exact(source, &mut body, RecordingError::Header)?;
        if crc32fast::hash(&body) != u32::from_le_bytes(checksum) {
            return Err(RecordingError::Header);
        }
        postcard::from_bytes(&body).map_err(|_| RecordingError::Header)
    }
}

/// Fills `buffer`. Returns `cut` if the source ends before.
fn exact(
    source: &mut impl Read,
    buffer: &mut [u8],
    cut: RecordingError,
) -> Result<(), RecordingError> {
    source.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => cut,
        _ => RecordingError::Io(error),
    })
}
