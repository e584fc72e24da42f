//! The directories of recordings: names, modes, quota and retention.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mp_core::UnixSeconds;
use mp_rooms::RecordSettings;

/// Extension of recordings. Files with another one are never deleted.
const EXTENSION: &str = "mprec";
/// Extension of files that shall replace a recording.
const PART: &str = "mprec-part";
/// Age after which such a file is of a server that was killed.
const PART_AGE: Duration = Duration::from_secs(3_600);
/// Maximum length of the room's name in that of a file.
const NAME_MAX: usize = 64;

/// Returns the name of a file, without number and extension.
pub(super) fn file_name(room: &str, began: UnixSeconds) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = room.chars().take(NAME_MAX).map(|c| if is_plain(c) { c } else { '_' });
    format!("{}-{began}", name.collect::<String>())
}

/// Creates a file that only its owner may read (mode 0600). On systems other than Unix the
/// directory decides who may.
pub(super) fn create(directory: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)?;
    let options = options();
    // Rooms of one name may begin in the same second.
    for number in 0..NUMBERS {
        let number = if number == 0 { String::new() } else { format!("-{number}") };
        let path = directory.join(format!("{name}{number}.{EXTENSION}"));
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (file, path)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Returns the options of a new file, which only its owner may read.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a file that shall replace the recording at `path`. One of a server that was killed is
/// overwritten.
pub(super) fn create_part(path: &Path) -> io::Result<(File, PathBuf)> {
    let part = path.with_extension(PART);
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    Ok((options().open(&part)?, part))
}

/// Number of files with the same room and second.
const NUMBERS: u32 = 1_000;

/// Deletes recordings that are older than the retention, and then the oldest ones until `needed`
/// bytes fit into the quota. Files in `open` stay. Returns the size of those that are left. Deletes
/// also what a server that was killed has not completed.
pub(super) fn make_capacity(
    settings: &RecordSettings,
    open: &BTreeSet<PathBuf>,
    needed: u64,
    now: SystemTime,
) -> io::Result<u64> {
    let mut files = Vec::new();
    for entry in fs::read_dir(&settings.directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == PART) {
            remove_old_part(&path, now);
        }
        if path.extension().is_some_and(|it| it == EXTENSION) {
            // A file that was deleted meanwhile has no size.
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_file() {
                files.push((metadata.modified()?, path, metadata.len()));
            }
        }
    }
    files.sort();
    let mut used: u64 = files.iter().map(|(_, _, len)| len).sum();
    for (modified, path, len) in files {
        let age = now.duration_since(modified).unwrap_or(Duration::ZERO);
        let is_expired = settings.retention.is_some_and(|retention| age > retention);
        let is_over = used.saturating_add(needed) > settings.max_bytes;
        if (is_expired || is_over) && !open.contains(&path) {
            fs::remove_file(&path)?;
            tracing::info!(file = %path.display(), is_expired, "a recording was deleted");
            used -= len;
        }
    }
    Ok(used)
}

fn remove_old_part(path: &Path, now: SystemTime) {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
    if age.is_some_and(|age| age > PART_AGE) {
        // Another server may have removed it.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(directory: &Path, max_bytes: u64) -> RecordSettings {
        let mut settings = RecordSettings::new(directory.to_owned());
        settings.max_bytes = max_bytes;
        settings
    }

    fn files(directory: &Path) -> Vec<String> {
        let files = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            files.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn oldest_recordings_are_deleted_for_the_quota_and_after_the_retention() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (name, age, size) in [
            ("old.mprec", 3_u64, 10),
            ("newer.mprec", 2, 10),
            ("new.mprec", 1, 10),
            ("a.txt", 9, 10),
        ] {
            let path = directory.path().join(name);
            fs::write(&path, vec![0; size]).unwrap();
            let time = now - Duration::from_secs(age * 3_600);
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        let open = BTreeSet::from([directory.path().join("old.mprec")]);
        let mut settings = settings(directory.path(), 35);
        assert_eq!(make_capacity(&settings, &open, 5, now).unwrap(), 30);
        assert_eq!(make_capacity(&settings, &open, 10, now).unwrap(), 20);
        assert_eq!(files(directory.path()), ["a.txt", "new.mprec", "old.mprec"]);
        settings.retention = Some(Duration::from_secs(1_800));
        assert_eq!(make_capacity(&settings, &BTreeSet::new(), 0, now).unwrap(), 0);
        assert_eq!(files(directory.path()), ["a.txt"]);
    }

    #[test]
    fn files_have_a_name_of_their_own_and_are_only_for_their_owner() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("recordings");
        let name = file_name("../lobby 1", 7);
        for _ in 0..2 {
            let (_, path) = create(&below, &name).unwrap();
            assert_eq!(path.parent(), Some(&*below));
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
                assert_eq!((mode(&path), mode(&below)), (0o600, 0o700));
            }
        }
        assert_eq!(files(&below), ["___lobby_1-7-1.mprec", "___lobby_1-7.mprec"]);
    }
}
