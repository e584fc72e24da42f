//! Tests of error texts, for parsers of TOML files (feature `testing`).

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// Compares the errors of each file `NAME.toml` in `folder` with the file `NAME.txt` beside it, and
/// returns the number of compared files. `errors` receives the name of a file and its text, and
/// returns the errors as they are printed.
///
/// With the environment variable `MP_BLESS`, writes the texts instead of comparing them.
///
/// # Panics
///
/// Panics if a text differs, or a file cannot be read or written.
pub fn compare_errors(folder: &Path, errors: impl Fn(&str, &str) -> String) -> usize {
    let is_blessed = std::env::var_os("MP_BLESS").is_some();
    let (mut compared, mut differing) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.expect("the folder is readable").path();
        if path.extension() != Some(OsStr::new("toml")) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let errors = format!("{}\n", errors(&name, &text));
        let expected = path.with_extension("txt");
        if is_blessed {
            fs::write(&expected, &errors).unwrap_or_else(|error| panic!("{expected:?}: {error}"));
        }
        if fs::read_to_string(&expected).unwrap_or_default() != errors {
            differing.push(format!("{}:\n{errors}", expected.display()));
        }
        compared += 1;
    }
    assert!(differing.is_empty(), "errors differ from these files:\n{}", differing.join("\n"));
    compared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differing_texts_fail() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a.toml", "x");
        write("a.txt", "a.toml: x\n");
        write("readme.md", "not a test");
        let compare = || compare_errors(folder.path(), |name, text| format!("{name}: {text}"));
        assert_eq!(compare(), 1);
        write("b.toml", "y");
        write("b.txt", "b.toml: z\n");
        let panic = std::panic::catch_unwind(compare).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("b.txt:\nb.toml: y\n") && !text.contains("a.txt"), "{text}");
    }
}
