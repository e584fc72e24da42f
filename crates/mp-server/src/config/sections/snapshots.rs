//! Settings of the section `snapshots`.

use crate::config::key::{Key, Kind, Preset};
use crate::config::rules::FILE;

pub(super) const SNAPSHOTS: &[Key] = &[
    Key::new(
        "folder",
        Kind::Text(&FILE),
        Preset::Unset("none"),
        "Folder for the states of rooms of templates with keep = true; it is created at the start

On Unix only the user of the server can read the files. On Windows they have the permissions of \
the folder.",
    )
    .example(r#""/var/lib/mp-server/snapshots""#),
    Key::new(
        "max_bytes",
        Kind::Bytes { min: 1 << 20, max: 1 << 46 },
        Preset::Number(256 << 20),
        "Maximum size of all files in bytes; beyond it the oldest ones are removed",
    ),
    Key::new(
        "max_age",
        Kind::Seconds { min: 1, max: 315_360_000 },
        Preset::Number(604_800),
        "Seconds after which a state is removed; the default is a week",
    ),
];
