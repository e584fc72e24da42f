//! Check of the folder for the states of rooms.

use std::path::PathBuf;

use crate::config::Config;

use super::finding::Finding;

/// The folder, and the result of writing a file; `None` if there is no folder. The error is a
/// message.
#[derive(Clone, Debug)]
pub(super) struct SnapshotFacts(Option<(PathBuf, Result<(), String>)>);

impl SnapshotFacts {
    /// Writes and removes an empty file.
    pub(super) fn gather(config: &Config) -> Self {
        Self(config.snapshots.folder().map(|folder| {
            let checked = folder.check().map_err(|error| error.to_string());
            (folder.path().to_owned(), checked)
        }))
    }
}

/// Checks the folder, if there is one.
pub(super) fn check(SnapshotFacts(folder): &SnapshotFacts) -> Option<Finding> {
    let (path, checked) = folder.as_ref()?;
    let path = path.display();
    Some(match checked {
        Ok(()) => Finding::ok(SNAPSHOTS, format!("states of rooms can be written to {path}")),
        Err(message) => Finding::error(
            SNAPSHOTS,
            format!("cannot write to the folder {path}: {message}"),
            "the server does not start",
            "correct snapshots.folder, or let the user of the server write to it",
        ),
    })
}

const SNAPSHOTS: &str = "snapshots";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn folder_must_be_writable_if_there_is_one() {
        let outcome = |folder: Option<&str>| {
            let text = folder.map(|path| format!("[snapshots]\nfolder = {path:?}\n"));
            let config = Config::parse(&text.unwrap_or_default()).unwrap();
            check(&SnapshotFacts::gather(&config)).map(|finding| finding.outcome().1)
        };
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing/folder");
        assert_eq!(outcome(None), None);
        assert_eq!(outcome(missing.to_str()), Some(Level::Ok));
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(outcome(file.to_str()), Some(Level::Error));
    }
}
