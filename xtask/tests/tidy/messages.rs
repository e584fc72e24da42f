//! Checks that the messages of mp which the guide and the pages for operators explain are those of
//! the sources.

use super::{read, root, sources};

/// Returns the sources of the library crates as one text, without the line breaks within literals.
fn library() -> String {
    let mut library = String::new();
    for path in sources(&root().join("crates")) {
        for part in read(&path).split("\\\n") {
            library.push_str(if library.ends_with(' ') { part.trim_start() } else { part });
        }
    }
    library
}

/// Returns the fixed parts of the messages in the first column of a table: "…" stands for a value.
fn fragments(table: &str) -> Vec<&str> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let first = rows.map(|row| row.split(" | ").next().unwrap_or_default());
    let messages = first.flat_map(|cell| cell.split('`').step_by(2));
    let parts = messages.flat_map(|message| message.split('…'));
    parts.map(|part| part.trim_matches([' ', ':'])).filter(|part| part.len() > 2).collect()
}

/// Checks that the sources have the messages in the tables of a section.
fn check(page: &str, section: &str, min: usize) {
    let page = read(&root().join(page));
    let (_, table) = page.split_once(section).expect("the page has the section");
    let table = table.split("\n## ").next().unwrap_or_default();
    let (fragments, library) = (fragments(table), library());
    assert!(fragments.len() > min, "{fragments:?}");
    let missing: Vec<_> = fragments.iter().filter(|part| !library.contains(**part)).collect();
    assert!(missing.is_empty(), "no source has these messages: {missing:#?}");
}

#[test]
fn every_message_of_mp_in_the_guide_exists() {
    check("crates/mp/guide/troubleshooting.md", "\n## Messages of mp\n", 20);
}

#[test]
fn every_log_line_in_the_pages_for_operators_exists() {
    let page = "docs/operating/troubleshooting.md";
    check(page, "\n## The server does not start\n", 10);
    check(page, "\n## The server runs\n", 20);
}

#[test]
fn fragments_are_the_fixed_parts_of_messages() {
    let table =
        "| message | cause |\n|---|---|\n| `a … takes: …`, with `cannot b` | `not this` |\n";
    assert_eq!(fragments(table), ["takes", "cannot b"]);
}
