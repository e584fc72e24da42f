//! The file of bans.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::list::Bans;
use crate::durable_file::{self, Readers, with_suffix};

/// Reads the bans of a file; none if it does not exist. A damaged file is renamed to the same name
/// with `.damaged-N`, and reported as a warning.
///
/// # Errors
///
/// If the file cannot be read, or a damaged one cannot be renamed.
pub(super) fn load(path: &Path) -> io::Result<Bans> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Bans::default()),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned());
    match text.and_then(|text| Bans::parse(&text)) {
        Ok(bans) => Ok(bans),
        Err(error) => {
            let aside = set_aside(path)?;
            tracing::warn!(file = %path.display(), renamed_to = %aside.display(), %error, "the file of bans is damaged; starting without bans");
            Ok(Bans::default())
        }
    }
}

/// Renames a file to a name that is not in use.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=DAMAGED_MAX {
        let aside = with_suffix(path, format!(".damaged-{number}"));
        if !aside.try_exists()? {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other(format!("there are {DAMAGED_MAX} damaged files already")))
}

/// Replaces the file.
///
/// # Errors
///
/// If the file cannot be written.
pub(super) fn save(path: &Path, text: &str) -> io::Result<()> {
    durable_file::replace(path, text.as_bytes(), Readers::Usual)
}

/// Size of the largest file that is read: twice that of the maximum number of bans.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// Maximum number of damaged files that are kept.
const DAMAGED_MAX: u32 = 100;

#[cfg(test)]
mod tests {
    use super::super::list::BanTarget;
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn saved_bans_are_loaded_and_no_other_file_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bans");
        assert_eq!(load(&path).unwrap(), Bans::default());
        let mut bans = Bans::default();
        bans.insert(BanTarget::Address("192.0.2.0/24".parse().unwrap()), Some(7));
        save(&path, &Bans::default().to_text()).unwrap();
        save(&path, &bans.to_text()).unwrap();
        assert_eq!(load(&path).unwrap(), bans);
        assert_eq!(names(directory.path()), ["bans"]);
    }

    #[test]
    fn damaged_files_are_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bans");
        for content in [&b"mp-server bans 1\n192.0.2.1 nev"[..], b"\xff"] {
            fs::write(&path, content).unwrap();
            assert_eq!(load(&path).unwrap(), Bans::default());
        }
        assert_eq!(names(directory.path()), ["bans.damaged-1", "bans.damaged-2"]);
        assert_eq!(fs::read(directory.path().join("bans.damaged-2")).unwrap(), b"\xff");
    }
}
