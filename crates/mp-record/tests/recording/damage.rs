//! Files that are cut, damaged, made to expand, or of another version.

use mp_core::Rng;
use mp_record::limits::{BLOCK_BYTES_MAX, HEADER_BYTES_MAX};
use mp_record::{
    BlockWriter, Progress, RecordingEnd, RecordingError, RecordingHeader, RecordingReader,
    TimedFrame,
};

use crate::world::{File, Room, World, play};

fn file() -> Vec<u8> {
    let mut world = World::new(Room::Hosted, File::default());
    play(&mut world, 2, 600);
    world.finish(RecordingEnd::BranchEnded)
}

/// Returns the frames of a file, the error at which reading ends, and how much was read.
fn read(file: &[u8]) -> (Vec<TimedFrame>, Option<RecordingError>, Progress) {
    let mut frames = Vec::new();
    let mut reader = match RecordingReader::new(file) {
        Ok(reader) => reader,
        Err(error) => return (frames, Some(error), Progress::default()),
    };
    let error = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert_eq!(reader.progress().frames, frames.len() as u64);
    (frames, error, reader.progress())
}

#[test]
fn cut_files_are_read_up_to_the_last_complete_block() {
    let file = file();
    let (all, error, whole) = read(&file);
    assert!(error.is_none() && whole.blocks >= 3 && all.len() > 1_000, "{whole:?}");
    let mut rng = Rng::seed_from_u64(1);
    for _ in 0..40 {
        let len = rng.below(file.len() as u64) as usize;
        let (frames, error, progress) = read(&file[..len]);
        assert_eq!(frames, all[..frames.len()]);
        assert!(progress.bytes <= len as u64);
        match error {
            Some(RecordingError::Cut { block }) => assert_eq!(block, progress.blocks),
            Some(RecordingError::NotARecording | RecordingError::Header) => assert!(len < 400),
            // The cut is between two blocks: only the last frame is missing.
            None => assert!(frames.len() < all.len()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn damaged_blocks_are_reported_and_frames_before_them_are_read() {
    let file = file();
    let (all, _, _) = read(&file);
    let header = file.len() - body(&file).len();
    let mut rng = Rng::seed_from_u64(2);
    for _ in 0..60 {
        let mut damaged = file.clone();
        let at = rng.below(file.len() as u64) as usize;
        damaged[at] ^= 1 << rng.below(8);
        let (frames, error, _) = read(&damaged);
        assert!(error.is_some(), "byte {at}");
        assert_eq!(frames, all[..frames.len()], "byte {at}");
        assert!(at >= header || frames.is_empty(), "byte {at}");
    }
}

/// Returns the blocks of a file.
fn body(file: &[u8]) -> &[u8] {
    let len = u32::from_le_bytes(file[10..14].try_into().unwrap()) as usize;
    &file[18 + len..]
}

#[test]
fn unknown_versions_and_other_files_are_rejected() {
    let mut file = file();
    file[8] = 3;
    let error = read(&file).1.unwrap();
    assert_eq!(
        error.to_string(),
        "unknown version 3 of the recording; this program reads version 2"
    );
    let error = read(b"GIF89a, and more bytes").1.unwrap();
    assert!(error.to_string().starts_with("not a recording of mp"), "{error}");
    assert!(matches!(read(b"").1, Some(RecordingError::NotARecording)));
    let header =
        RecordingHeader { config: "a".repeat(HEADER_BYTES_MAX), ..RecordingHeader::default() };
    header.encode().unwrap_err();
}

#[test]
fn blocks_that_expand_are_rejected_before_they_are_decompressed() {
    let mut writer = BlockWriter::new().unwrap();
    let header = RecordingHeader::default().encode().unwrap();
    let block = writer.encode(&vec![0; BLOCK_BYTES_MAX]).unwrap();
    assert!(block.len() < 2_000);
    let error = read(&[header.clone(), block.clone()].concat()).1.unwrap();
    let expected = "block 0 of the recording is too large: it expands to more than 1,000 times \
                    its size";
    assert_eq!(error.to_string(), expected);

    // The block names a smaller size than it has.
    let mut small = block;
    small[4..8].copy_from_slice(&64_u32.to_le_bytes());
    let error = read(&[header.clone(), small].concat()).1.unwrap();
    assert!(matches!(error, RecordingError::Damaged { block: 0, .. }), "{error:?}");

    // A length beyond the file, and beyond the limit.
    for (len, is_too_large) in [(1_000_u32, false), (u32::MAX, true)] {
        let head = [len.to_le_bytes(), 1_000_u32.to_le_bytes(), [0; 4]].concat();
        let error = read(&[header.clone(), head].concat()).1.unwrap();
        let found = matches!(error, RecordingError::TooLarge { .. });
        assert_eq!(found, is_too_large, "{error:?}");
    }
}
