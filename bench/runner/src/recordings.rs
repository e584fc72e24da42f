//! [`Recordings`]: the recordings of a run.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// Directory of recordings, which is removed when dropped. The server creates it.
pub(crate) struct Recordings(PathBuf);

impl Recordings {
    pub(crate) fn new() -> Self {
        Self(env::temp_dir().join(format!("mp-bench-recordings-{}", process::id())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the size of the recordings in bytes.
    pub(crate) fn bytes(&self) -> Result<f64, String> {
        let error = |error| format!("{}: {error}", self.0.display());
        let mut bytes = 0;
        for file in fs::read_dir(&self.0).map_err(error)? {
            bytes += file.and_then(|file| file.metadata()).map_err(error)?.len();
        }
        Ok(bytes as f64)
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        // A server that has not started has not created it.
        let _ = fs::remove_dir_all(&self.0);
    }
}
