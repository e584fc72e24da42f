//! Texts of configuration errors: `tests/config/NAME.toml` has the errors `NAME.txt`.
//!
//! With `MP_BLESS=1` the test writes the texts instead of comparing them.

use std::fs;
use std::path::Path;

use mp_server::config::Config;

#[test]
fn errors_have_line_caret_reason_and_way_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut compared = 0;
    let mut differing = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let errors = Config::parse(&fs::read_to_string(&path).unwrap()).unwrap_err();
        let errors = format!("{errors}\n");
        let expected = path.with_extension("txt");
        if std::env::var_os("MP_BLESS").is_some() {
            fs::write(&expected, &errors).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != errors {
            differing.push(format!("{}:\n{errors}", expected.display()));
        }
        compared += 1;
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(compared, 10);
}
