//! [`Folder`]: the files of snapshots.

use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mp_core::ErrorChain;
use mp_core::host::unix_now;
use mp_rooms::RoomName;
use mp_scene::Snapshot;
use mp_scene::limits::SNAPSHOT_BYTES_MAX;

use crate::durable_file::{Readers, replace, with_suffix};

/// A folder with a file per room. Its methods block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Maximum size of all files in bytes.
    quota: u64,
    /// Time after which a file is removed.
    max_age: Duration,
}

/// The result of reading a file.
#[derive(Debug)]
pub(super) enum Loaded {
    /// There is no file, or it has expired.
    Nothing,
    Snapshot(Snapshot),
    /// The file is damaged, or of another version, and was set aside. The text has the reason.
    Refused(String),
}

impl Folder {
    pub(crate) fn new(path: PathBuf, quota: u64, max_age: Duration) -> Self {
        Self { path, quota, max_age }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder if it does not exist, and checks that files can be written.
    ///
    /// # Errors
    ///
    /// If one of them cannot be done.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(&self.path)?;
        self.check()
    }

    /// Checks that files can be written to the folder. A missing one can be created if its nearest
    /// parent can be written to.
    ///
    /// # Errors
    ///
    /// If they cannot.
    pub(crate) fn check(&self) -> io::Result<()> {
        let exists = |path: &&Path| path.as_os_str().is_empty() || path.exists();
        let nearest = self.path.ancestors().find(exists).unwrap_or_else(|| Path::new("."));
        let trial = nearest.join(format!(".mp-server-{}", std::process::id()));
        replace(&trial, b"", Readers::Owner)?;
        fs::remove_file(trial)
    }

    /// Replaces the file of a room, and removes others that are too old, or beyond the quota, the
    /// oldest first. Returns the number of removed files.
    ///
    /// # Errors
    ///
    /// If the snapshot exceeds the quota, or the file cannot be written.
    pub(super) fn save(&self, room: &RoomName, snapshot: &Snapshot) -> io::Result<u64> {
        let bytes = snapshot.encode();
        if bytes.len() as u64 > self.quota {
            let message = format!(
                "the state of {} bytes exceeds snapshots.max_bytes {}",
                bytes.len(),
                self.quota
            );
            return Err(io::Error::other(message));
        }
        let path = self.file_of(room);
        replace(&path, &bytes, Readers::Owner)?;
        self.prune(&path)
    }

    /// Reads the file of a room. One that cannot be used is renamed with the suffix `.refused`, in
    /// place of an earlier one.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be read or renamed.
    pub(super) fn load(&self, room: &RoomName) -> io::Result<Loaded> {
        let path = self.file_of(room);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Loaded::Nothing),
            Err(error) => return Err(error),
        };
        if self.is_expired(&file.metadata()?.modified()?) {
            fs::remove_file(&path)?;
            return Ok(Loaded::Nothing);
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        match Snapshot::decode(&bytes) {
            Ok(snapshot) if snapshot.room().name == room.as_str() => Ok(Loaded::Snapshot(snapshot)),
            Ok(snapshot) => {
                self.refuse(room)?;
                let other = &snapshot.room().name;
                Ok(Loaded::Refused(format!("the snapshot is of the room {other:?}")))
            }
            Err(error) => {
                self.refuse(room)?;
                Ok(Loaded::Refused(ErrorChain::new(&error).to_string()))
            }
        }
    }

    /// Sets the file of a room aside: it is kept until it is too old, and not read again.
    ///
    /// # Errors
    ///
    /// If it cannot be renamed.
    pub(super) fn refuse(&self, room: &RoomName) -> io::Result<()> {
        let path = self.file_of(room);
        fs::rename(&path, with_suffix(&path, ".refused"))
    }

    /// Removes the file of a room, if there is one.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub(super) fn remove(&self, room: &RoomName) -> io::Result<()> {
        match fs::remove_file(self.file_of(room)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the path of a room's file. Names that differ only in case have different ones, and
    /// no name is reserved, on any system.
    fn file_of(&self, room: &RoomName) -> PathBuf {
        let mut name = PREFIX.to_owned();
        for letter in room.as_str().chars() {
            if letter.is_ascii_uppercase() {
                name.push('=');
            }
            name.push(letter.to_ascii_lowercase());
        }
        self.path.join(name + SUFFIX)
    }

    fn is_expired(&self, modified: &SystemTime) -> bool {
        // A time in the future is an error of the clock: the file stays.
        now().duration_since(*modified).is_ok_and(|age| age > self.max_age)
    }

    /// Removes files that are too old, or beyond the quota, except `kept`.
    fn prune(&self, kept: &Path) -> io::Result<u64> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // Another thread may have removed it.
            if is_snapshot(&entry)
                && let Ok(metadata) = entry.metadata()
            {
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, len, _)| len).sum();
        let mut removed = 0;
        for (modified, len, path) in files {
            if path != kept && (total > self.quota || self.is_expired(&modified)) {
                fs::remove_file(&path)?;
                total -= len;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Returns whether a file is one of this folder's. Others are never removed.
fn is_snapshot(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    name.starts_with(PREFIX) && name.contains(SUFFIX)
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_now())
}

const PREFIX: &str = "room-";
const SUFFIX: &str = ".snapshot";
/// Size of the largest file that is read: one byte more than that of the largest snapshot.
const FILE_BYTES_MAX: u64 = SNAPSHOT_BYTES_MAX as u64 + 1_024;

#[cfg(test)]
mod tests {
    use mp_scene::{SnapshotContent, SnapshotRoom};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn name(text: &str) -> RoomName {
        RoomName::new(text).unwrap()
    }

    fn snapshot(room: &str, size: usize) -> Snapshot {
        let snapshot = Snapshot::new(SnapshotContent::Program, 1, vec![7; size]).unwrap();
        snapshot.with_room(SnapshotRoom { name: room.to_owned(), ..SnapshotRoom::default() })
    }

    fn names(folder: &Folder) -> Vec<String> {
        let entries = fs::read_dir(&folder.path).unwrap();
        let mut names: Vec<_> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Sets the time at which the file of a room was written.
    fn set_age(folder: &Folder, room: &str, age: Duration) {
        let file = File::options().write(true).open(folder.file_of(&name(room))).unwrap();
        file.set_modified(now() - age).unwrap();
    }

    #[test]
    fn saved_snapshot_is_loaded_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path().join("a/b"), 1_000, DAY);
        folder.check().unwrap();
        assert!(!folder.path.exists(), "a check changes nothing");
        folder.prepare().unwrap();
        assert!(matches!(folder.load(&name("Arena")).unwrap(), Loaded::Nothing));
        for (room, size) in [("Arena", 1), ("Arena", 2), ("arena", 3)] {
            folder.save(&name(room), &snapshot(room, size)).unwrap();
        }
        assert_eq!(names(&folder), ["room-=arena.snapshot", "room-arena.snapshot"]);
        let loaded = folder.load(&name("Arena")).unwrap();
        assert!(matches!(loaded, Loaded::Snapshot(it) if it == snapshot("Arena", 2)));
        folder.remove(&name("Arena")).unwrap();
        folder.remove(&name("Arena")).unwrap();
        assert_eq!(names(&folder), ["room-arena.snapshot"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_of_the_server_can_read_a_snapshot() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path().into(), 1_000, DAY);
        // Left by a crash.
        fs::write(folder.file_of(&name("arena")).with_extension("snapshot.new"), "").unwrap();
        folder.save(&name("arena"), &snapshot("arena", 1)).unwrap();
        let metadata = fs::metadata(folder.file_of(&name("arena"))).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(names(&folder).len(), 1);
    }

    #[test]
    fn files_that_cannot_be_used_are_set_aside_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path().into(), 1_000, DAY);
        let mut newer = snapshot("arena", 1).encode();
        newer[4] = 9;
        for (content, reason) in [
            (newer, "format 9"),
            (b"mpsn".to_vec(), "no snapshot"),
            (snapshot("duel", 1).encode(), "room \"duel\""),
        ] {
            fs::write(folder.file_of(&name("arena")), content).unwrap();
            let Loaded::Refused(error) = folder.load(&name("arena")).unwrap() else {
                panic!("{reason}");
            };
            assert!(error.contains(reason), "{error}");
            assert_eq!(names(&folder), ["room-arena.snapshot.refused"]);
        }
    }

    #[test]
    fn old_files_are_removed_and_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path().into(), 1_000, DAY);
        fs::write(directory.path().join("notes"), "").unwrap();
        for room in ["a", "b", "c"] {
            folder.save(&name(room), &snapshot(room, 1)).unwrap();
        }
        set_age(&folder, "a", 2 * DAY);
        set_age(&folder, "b", 2 * DAY);
        assert!(matches!(folder.load(&name("a")).unwrap(), Loaded::Nothing));
        assert_eq!(folder.save(&name("c"), &snapshot("c", 1)).unwrap(), 1);
        assert_eq!(names(&folder), ["notes", "room-c.snapshot"]);
    }

    #[test]
    fn oldest_files_beyond_the_quota_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path().into(), 1_000, DAY);
        for (room, hours) in [("a", 3), ("b", 2), ("c", 1)] {
            folder.save(&name(room), &snapshot(room, 300)).unwrap();
            set_age(&folder, room, hours * DAY / 24);
        }
        assert_eq!(folder.save(&name("d"), &snapshot("d", 300)).unwrap(), 1);
        let left = ["room-b.snapshot", "room-c.snapshot", "room-d.snapshot"];
        assert_eq!(names(&folder), left);
        let error = folder.save(&name("b"), &snapshot("b", 1_000)).unwrap_err().to_string();
        assert!(error.ends_with("exceeds snapshots.max_bytes 1000"), "{error}");
        assert_eq!(names(&folder), left);
    }
}
