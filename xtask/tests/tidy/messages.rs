//! Checks that the messages of mp which the guide explains are those of the sources.

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

#[test]
fn every_message_of_mp_in_the_guide_exists() {
    let page = read(&root().join("crates/mp/guide/troubleshooting.md"));
    let (_, table) = page.split_once("\n## Messages of mp\n").expect("the page has the section");
    let table = table.split("\n## ").next().unwrap_or_default();
    let (fragments, library) = (fragments(table), library());
    assert!(fragments.len() > 20, "{fragments:?}");
    let missing: Vec<_> = fragments.iter().filter(|part| !library.contains(**part)).collect();
    assert!(missing.is_empty(), "no source has these messages: {missing:#?}");
}

#[test]
fn fragments_are_the_fixed_parts_of_messages() {
    let table =
        "| message | cause |\n|---|---|\n| `a … takes: …`, with `cannot b` | `not this` |\n";
    assert_eq!(fragments(table), ["takes", "cannot b"]);
}
