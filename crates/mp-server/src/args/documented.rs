//! Checks the command lines in the pages of the repository. xtask's tests contain this file, too.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

/// Checks that `command` parses each command line of the pages. `starts`: how its command lines
/// begin there, and the words that this stands for.
///
/// Lines of shell blocks are complete. Other code may lack values, or have names in place of them.
pub(crate) fn check(command: &clap::Command, starts: &[(&str, &str)]) {
    let (mut checked, mut wrong) = (0, String::new());
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for (line, is_complete) in code(&text) {
            for arguments in starts.iter().filter_map(|start| arguments(line, *start)) {
                checked += 1;
                let Err(error) = command.clone().try_get_matches_from(&arguments) else { continue };
                let is_accepted = match error.kind() {
                    ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
                    ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => false,
                    _ => !is_complete,
                };
                if !is_accepted {
                    let _ = writeln!(wrong, "{}: {line}\n{arguments:?}: {error}", page.display());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(checked > 20, "{checked} command lines found");
}

fn pages() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.ancestors().find(|it| it.join("docs/operating").is_dir()).unwrap();
    let folders = ["", "docs", "docs/operating", "crates/mp/guide"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let files = files.map(|file| file.unwrap().path());
    let is_page = |path: &PathBuf| {
        path.extension().is_some_and(|it| it == "md") && !path.ends_with("CHANGELOG.md")
    };
    files.filter(is_page).collect()
}

/// Returns the lines of shell blocks and of blocks without a language, with true, and the code in
/// lines of text.
fn code(page: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut block = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(language), None) => block = Some(language),
            (None, Some("sh" | "")) => found.push((line.trim(), true)),
            (None, Some(_)) => {}
            (None, None) => found.extend(line.split('`').skip(1).step_by(2).map(|it| (it, false))),
        }
    }
    found
}

/// Returns the words of the command that begins with `start` in a line.
fn arguments(line: &str, (start, words): (&str, &str)) -> Option<Vec<String>> {
    let is_command = |at: usize| {
        let before = &line[..at];
        let last = before.strip_suffix(' ').and_then(|before| before.rsplit(' ').next());
        let is_assignment = last.is_some_and(|word| word.contains('='));
        let after = line[at + start.len()..].chars().next();
        (before.is_empty() || is_assignment || BEFORE.iter().any(|it| before.ends_with(it)))
            && after.is_none_or(char::is_whitespace)
    };
    let (at, _) = line.match_indices(start).find(|(at, _)| is_command(*at))?;
    let mut all: Vec<_> = words.split(' ').map(str::to_owned).collect();
    all.extend(split(&line[at + start.len()..]));
    Some(all)
}

/// Returns the words of a line up to the end of the command.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    for letter in line.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('#' | '|' | '>' | ';' | '&' | ')', None) if letter != '#' || word.is_none() => break,
            // Around what may be left out.
            ('[' | ']', None) => {}
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Texts that may be before a command in a line of a shell.
const BEFORE: [&str; 5] = ["$(", "if ", "until ", " -- ", "exec node-1 "];

#[test]
fn words_end_with_the_command() {
    let words = |line| split(line).join("|");
    assert_eq!(words(" ctl 'a b' \"$(c | d)\" > e"), "ctl|a b|$(c | d)");
    assert_eq!(words(" link a#b [--loss] 2%   # shows it"), "link|a#b|--loss|2%");
}
