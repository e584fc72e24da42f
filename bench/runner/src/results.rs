//! Files with the results of the last full run of each workload. They are committed, so that one
//! workload can be measured again without the others.

use std::fs;
use std::path::{Path, PathBuf};

use crate::measure::Measured;

pub(crate) struct Results {
    folder: PathBuf,
}

impl Results {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    pub(crate) fn keep(&self, name: &str, measured: &Measured) -> Result<(), String> {
        let path = self.path(name);
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            fs::write(&path, serde_json::to_vec_pretty(measured)?)
        };
        write().map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn of(&self, name: &str) -> Option<Measured> {
        let text = fs::read(self.path(name)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("json")
    }
}
