//! Bodies of the fuzz targets of this crate. They accept any bytes and panic when a property is
//! violated. See `fuzz/` in the repository.

use crate::config::{Config, Sources};
use crate::matchmaking;

/// Parses a path, a query and a body, each on a line, as requests for matchmaking.
pub fn match_request(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (path, query) = (text(), text());
    matchmaking::check_request(&path, &query, lines.next().unwrap_or_default());
}

/// Checks that a text is a configuration whose effective text is one as well, or that its errors
/// can be printed. The text after a line `---` sets environment variables.
pub fn server_config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (file, variables) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
    let has_variables = !variables.is_empty();
    match Config::layered(file, Sources { variables, ..Sources::default() }) {
        Ok(config) => {
            if !has_variables {
                let printed = config.effective_text();
                let again = Config::parse(&printed);
                assert!(again.is_ok(), "{printed}\n{}", again.unwrap_err());
            }
            let same = config.reload(file).unwrap_or_else(|errors| panic!("{errors}"));
            assert!(same.changes.is_empty(), "{:?}", same.changes);
        }
        Err(errors) => assert!(errors.len() > 0 && !errors.to_string().is_empty()),
    }
}
