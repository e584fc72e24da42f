//! Texts of configuration errors: `tests/config/NAME.toml` has the errors `NAME.txt`.
//!
//! With `MP_BLESS=1` the test writes the texts instead of comparing them.

use std::path::Path;

use mp_server::config::Config;

#[test]
fn errors_have_line_caret_reason_and_way_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let errors = |_: &str, text: &str| Config::parse(text).unwrap_err().to_string();
    assert_eq!(mp_toml::testing::compare_errors(&folder, errors), 11);
}
