//! Texts of errors of scenarios: `tests/scenario/NAME.toml` has the errors `NAME.txt`.
//!
//! With `MP_BLESS=1` the test writes the texts instead of comparing them.

use std::fs;
use std::path::Path;

use mp_bots::Scenario;

#[test]
fn errors_have_line_caret_reason_and_way_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario");
    let mut compared = 0;
    let mut differing = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy();
        let errors = Scenario::parse(&name, &fs::read_to_string(&path).unwrap()).unwrap_err();
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
    assert_eq!(compared, 8);
}
