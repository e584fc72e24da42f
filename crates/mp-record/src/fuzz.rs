//! The body of this crate's fuzz target. It accepts any bytes and panics if a property does not
//! hold. See `fuzz/` in the repository.

use mp_scene::{Branch, BuildError};

use crate::limits::BLOCK_BYTES_MAX;
use crate::{BlockWriter, Facts, RecordingError, RecordingHeader, RecordingReader, Replay};

/// Reads the input as a recording, then as an uncompressed block of one, and replays both.
pub fn recording(data: &[u8]) {
    replay(data);
    let Ok(mut writer) = BlockWriter::new() else { return };
    let (Ok(mut file), Ok(block)) = (RecordingHeader::default().encode(), writer.encode(data))
    else {
        return;
    };
    file.extend(block);
    replay(&file);
}

fn replay(file: &[u8]) {
    let Ok(mut reader) = RecordingReader::new(file) else { return };
    let (mut frames, mut last) = (0, None);
    while let Ok(Some(frame)) = reader.next_frame() {
        frames += 1;
        assert!(Some(frame.at) >= last, "time runs backwards");
        last = Some(frame.at);
    }
    let progress = reader.progress();
    assert_eq!(progress.frames, frames);
    assert!(progress.bytes <= file.len() as u64);
    assert!(frames <= (file.len() as u64 + 1) * BLOCK_BYTES_MAX as u64);
    assert!(matches!(reader.next_frame(), Ok(None)), "frames follow an error");
    let Ok(reader) = RecordingReader::new(file) else { return };
    if let Ok(mut replay) = Replay::new(reader, relay_room) {
        while let Ok(Some(_)) = replay.step(&mut |_, _| {}) {}
    }
}

/// Builds a room without nodes.
fn relay_room(header: &RecordingHeader, _: Facts) -> Result<Branch, FuzzError> {
    Ok(Branch::builder("/root").seed(header.seed).build()?)
}

#[derive(Debug, thiserror::Error)]
enum FuzzError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
}
