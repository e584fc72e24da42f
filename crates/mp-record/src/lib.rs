//! Recordings of branches: the input of a branch with its times in a compressed file, from which
//! the branch can be replayed.
//!
//! ```text
//!  host ─► Recorded (mp-host) ─► branch      file ─► RecordingReader ─► Replay ─► branch
//!             └─► Recording ─► BlockSink ─► file                          └─► difference
//! ```
//!
//! * A [`Recording`] encodes the input of a branch on its thread, and passes blocks to a
//!   [`BlockSink`], which compresses and writes them elsewhere. It never blocks the branch: if the
//!   sink does not accept a block, the recording ends.
//! * A [`RecordingReader`] reads a file that may contain anything.
//! * A [`Replay`] feeds an equal branch and compares the output of each turn.
//!
//! # Contents
//!
//! A recording contains all packets that the branch received, **chat and other texts of players
//! included**. It does not contain:
//!
//! * addresses of players, and the URLs that they requested, with the tokens and codes in them: a
//!   recorded connection comes from `0.0.0.0:0`;
//! * bytes of authentications (AUTH), which are replaced with zeros;
//! * tickets, keys and identities: the server handles them before the branch. Answers to questions
//!   of the branch about a player ([`Facts`]) are recorded as numbers.
//!
//! The digest of the output does not reveal it.
//!
//! # Rings
//!
//! A [ring](Recording::ring) of minutes has a [`Checkpoint`] at intervals: the state of the branch,
//! from which a replay can start. Such a frame begins a block. So a file may drop all blocks
//! between its header and a block that [is a start](RecordedBlock::is_start).
//!
//! The crate reads no clock and opens no file.

mod block;
mod checkpoint;
mod digest;
mod error;
mod facts;
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod header;
pub mod limits;
mod mask;
mod reader;
mod recording;
mod replay;
mod sequence;
mod watch;

pub use block::BlockWriter;
pub use checkpoint::Checkpoint;
pub use error::RecordingError;
pub use facts::Facts;
pub use frame::{Frame, OutputDigest, RecordingEnd, TimedFrame, TurnOutput};
pub use header::{MAGIC, RecordingHeader, VERSION};
pub use reader::{Progress, RecordingReader};
pub use recording::{BlockSink, RecordedBlock, Recording, WeakRecording, end_block};
pub use replay::{Difference, Replay};
pub use watch::{OpenRecording, WatchControl, WatchEvent, WatchSeat, WatchStatus, WatchedReplay};
