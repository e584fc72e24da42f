//! [`Ring`]: the blocks of a file with which a replay can start, so that its beginning is dropped.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use mp_core::Instant;
use mp_record::{RecordedBlock, RecordingHeader};

use super::directory;

/// Number of steps in which the time of a ring is dropped. A file has up to one step more than the
/// time, and at each step the rest of it is copied.
pub(super) const STEPS: u32 = 2;

/// The starts of a file.
pub(super) struct Ring {
    /// Time that is kept.
    time: Duration,
    header: RecordingHeader,
    /// Time of the first frame that was recorded.
    began: Option<Instant>,
    /// Times and positions of the starts, except the beginning of the file.
    starts: VecDeque<(Instant, u64)>,
}

/// A start with which a file shall begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    at: Instant,
    position: u64,
}

impl Start {
    pub(super) fn at(self) -> Instant {
        self.at
    }

    /// Returns the number of bytes of a file with `len` bytes that are kept.
    pub(super) fn kept(self, len: u64) -> u64 {
        len - self.position
    }
}

impl Ring {
    pub(super) fn new(time: Duration, header: RecordingHeader) -> Self {
        Self { time, header, began: None, starts: VecDeque::new() }
    }

    /// Adds a block that is written at `position`. Returns the start before which the file has
    /// nothing to keep.
    pub(super) fn add(&mut self, block: &RecordedBlock, position: u64) -> Option<Start> {
        self.began.get_or_insert(block.first);
        if !block.is_start {
            return None;
        }
        self.starts.push_back((block.first, position));
        let is_old = |(at, _): &&(Instant, u64)| block.first - *at >= self.time;
        let &(at, position) = self.starts.iter().rev().find(is_old)?;
        Some(Start { at, position })
    }

    /// Drops the beginning of the file at `path`. The file is replaced at once: a server that is
    /// killed leaves the old one or the new one. Returns the new file, and its size.
    pub(super) fn drop_before(&mut self, start: Start, path: &Path) -> io::Result<(File, u64)> {
        let elapsed = start.at - self.began.unwrap_or(start.at);
        let began = self.header.began + elapsed.as_secs();
        let header = RecordingHeader { began, ..self.header.clone() }.encode()?;
        let (mut part, name) = directory::create_part(path)?;
        let replaced = copy(path, start.position, &mut part, &header)
            .and_then(|len| fs::rename(&name, path).map(|()| len));
        let len = replaced.inspect_err(|_| drop(fs::remove_file(&name)))?;
        self.starts.retain(|(at, _)| *at > start.at);
        for (_, position) in &mut self.starts {
            *position = *position - start.position + header.len() as u64;
        }
        Ok((part, len))
    }
}

/// Writes a header, and a file from `position` on. Returns the size.
fn copy(path: &Path, position: u64, part: &mut File, header: &[u8]) -> io::Result<u64> {
    part.write_all(header)?;
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(position))?;
    let copied = io::copy(&mut file, part)?;
    Ok(header.len() as u64 + copied)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use mp_core::{ConnectionStatus, EndpointId, EndpointInfo, PeerId, StateMachine, ToBranch};
    use mp_host::{BranchRecorder, Recorded};
    use mp_record::{BlockSink, Facts, Frame, Recording, RecordingEnd, RecordingReader, Replay};
    use mp_rooms::RecordSettings;
    use mp_scene::Branch;

    use super::super::thread::{Files, Order};
    use super::*;

    /// A queue of blocks.
    struct Queue(SyncSender<RecordedBlock>);

    impl BlockSink for Queue {
        fn accept(&mut self, block: RecordedBlock) -> bool {
            self.0.send(block).is_ok()
        }
    }

    fn room() -> Branch {
        Branch::builder("/root").seed([1; 32]).build().unwrap()
    }

    /// A room that is recorded in a ring of 10 s.
    struct Room {
        branch: Recorded<Branch>,
        blocks: Receiver<RecordedBlock>,
        files: Files,
        directory: tempfile::TempDir,
        now: Instant,
    }

    impl Room {
        fn new(max_bytes: u64) -> Self {
            let (sender, blocks) = sync_channel(1_000);
            let recording = Recording::ring(Box::new(Queue(sender)), TIME / STEPS);
            let recorder: Box<dyn BranchRecorder> = Box::new(recording);
            let mut branch = Recorded::new(room(), Some(recorder));
            let now = Instant::from_millis(5_000);
            let info = EndpointInfo {
                unique_id: PeerId::SERVER,
                status: ConnectionStatus::Connected,
                relay_supported: true,
                max_packet_size: 1 << 20,
                outlives_program: false,
            };
            branch.handle_input(now, ToBranch::Opened(EndpointId(0), info));
            let directory = tempfile::tempdir().unwrap();
            let mut files = Files::new(Default::default(), Default::default()).unwrap();
            let mut settings = RecordSettings::new(directory.path().to_owned());
            (settings.max_bytes, settings.ring) = (max_bytes, Some(TIME));
            let header =
                RecordingHeader { seed: [1; 32], began: 1_000, ..RecordingHeader::default() };
            let (name, is_written) = ("room".to_owned(), Default::default());
            let header = Box::new(header);
            let room = mp_rooms::RoomName::new("room").unwrap();
            files.handle(1, Order::Start { room, settings, name, header, is_written });
            Self { branch, blocks, files, directory, now }
        }

        /// Plays some time. Turns have no effect, but are recorded.
        fn play(&mut self, seconds: u64) {
            for _ in 0..seconds * 10 {
                self.now += Duration::from_millis(100);
                self.branch.end_turn(self.now);
                self.branch.deliver(&mut |_, _| Ok(()));
                while let Ok(block) = self.blocks.try_recv() {
                    self.files.handle(1, Order::Block(block));
                }
            }
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("room.mprec")
        }

        /// Returns the time of the file, after a replay without a difference.
        fn replayed(&self) -> Duration {
            let reader = RecordingReader::new(File::open(self.path()).unwrap()).unwrap();
            let build = |_: &_, _: Facts| Ok::<_, mp_record::RecordingError>(room());
            let mut replay = Replay::new(reader, build).unwrap();
            while replay.step(&mut |_, _| {}).unwrap().is_some() {}
            assert_eq!(replay.difference(), None);
            replay.progress().time
        }

        fn files(&self) -> BTreeMap<String, u64> {
            let entries = fs::read_dir(self.directory.path()).unwrap().map(Result::unwrap);
            let name = |it: &fs::DirEntry| it.file_name().to_string_lossy().into_owned();
            entries.map(|it| (name(&it), it.metadata().unwrap().len())).collect()
        }
    }

    const TIME: Duration = Duration::from_secs(10);

    #[test]
    fn file_has_the_last_seconds_at_any_time_and_replays() {
        let mut room = Room::new(1 << 30);
        room.play(9);
        let whole = room.replayed();
        assert!(whole >= Duration::from_secs(7), "{whole:?}");
        let mut sizes = Vec::new();
        for _ in 0..15 {
            room.play(2);
            let time = room.replayed();
            // A block is written with the frame after its second.
            let range = TIME - Duration::from_secs(2)..TIME * 3 / 2 + Duration::from_secs(2);
            assert!(range.contains(&time), "{time:?}");
            assert_eq!(room.files().len(), 1);
            sizes.extend(room.files().into_values());
        }
        assert!(sizes[14] <= sizes[4] * 2, "{sizes:?}");
        let mut reader = RecordingReader::new(File::open(room.path()).unwrap()).unwrap();
        let first = reader.next_frame().unwrap().unwrap();
        assert!(matches!(first.frame, Frame::Checkpoint(_)));
        let elapsed = (first.at - Instant::from_millis(5_000)).as_secs();
        assert!(reader.header().began.abs_diff(1_000 + elapsed) <= 1);
        room.files.handle(1, Order::End(room.now, RecordingEnd::BranchEnded));
        room.replayed();
    }

    #[test]
    fn server_that_was_killed_while_the_beginning_was_dropped_leaves_a_recording() {
        let mut room = Room::new(1 << 30);
        room.play(12);
        let part = room.directory.path().join("room.mprec-part");
        // The copy was not complete.
        fs::write(&part, b"mprecord").unwrap();
        let before = room.replayed();
        assert!(before >= TIME - Duration::from_secs(1), "{before:?}");
        room.play(30);
        assert!(!part.exists() && room.replayed() < TIME * 2);
    }

    #[test]
    fn file_without_capacity_for_a_copy_grows_up_to_the_quota() {
        let mut room = Room::new(1 << 30);
        room.play(14);
        let quota = room.files()["room.mprec"] * 3 / 2;
        let mut room = Room::new(quota);
        room.play(40);
        assert!(room.replayed() > TIME * 3 / 2);
        assert!(room.files()["room.mprec"] <= quota);
    }
}
