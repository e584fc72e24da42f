//! Checks the links of the pages: files, headings, and definitions of references.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{files, read, root};

/// Maximum number of lines of a page of the guide.
const GUIDE_LINES_MAX: usize = 150;

/// Pages of the guide that are longer: complete programs and tables.
const LONG_PAGES: &[&str] = &["coming-from-godot.md", "quick-start.md"];

/// Returns the pages of the repository.
fn pages() -> Vec<PathBuf> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    files(&root()).into_iter().filter(is_page).collect()
}

/// Returns the lines of a page outside of code blocks, without inline code.
fn prose(page: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let lines = page.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.map(|(index, line)| (index + 1, without_code(line))).collect()
}

/// Replaces inline code by one letter, so that `[`code`](target)` keeps a text.
fn without_code(line: &str) -> String {
    line.split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 0 { part } else { "x" })
        .collect()
}

/// A link of a page.
#[derive(Debug, PartialEq, Eq)]
enum Link {
    /// `[text](target)`.
    Target(String),
    /// `[text][label]`.
    Reference(String),
    /// `[label]: target`.
    Definition(String, String),
}

/// Returns the links in a line.
fn links(line: &str) -> Vec<Link> {
    if let Some((label, target)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
        return vec![Link::Definition(label.to_owned(), target.trim().to_owned())];
    }
    let mut found = Vec::new();
    for (index, _) in line.match_indices("](") {
        let rest = &line[index + 2..];
        let target = &rest[..rest.find(')').unwrap_or(rest.len())];
        found.push(Link::Target(target.to_owned()));
    }
    for (index, _) in line.match_indices("][") {
        let rest = &line[index + 2..];
        let label = &rest[..rest.find(']').unwrap_or(rest.len())];
        found.push(Link::Reference(label.to_owned()));
    }
    found
}

/// Returns the anchors of a page's headings, as GitHub and rustdoc write them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_code = false;
    for line in page.lines() {
        is_code ^= line.starts_with("```");
        let title = line.trim_start_matches('#').trim();
        if is_code || !line.starts_with('#') || title.is_empty() {
            continue;
        }
        let letters = title.to_lowercase();
        let letters = letters.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        let anchor: String = letters.map(|it| if it == ' ' { '-' } else { it }).collect();
        let number = (1..).map(|number| format!("{anchor}-{number}"));
        let mut candidates = std::iter::once(anchor.clone()).chain(number);
        anchors.extend(candidates.find(|it| !anchors.contains(it)));
    }
    anchors
}

/// Returns the reason why a target of a page does not exist.
fn missing(path: &Path, page: &str, target: &str) -> Option<String> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let linked = match file {
        "" => path.to_owned(),
        file => path.parent().unwrap_or(path).join(file),
    };
    if !linked.exists() {
        return Some(format!("there is no {file:?}"));
    }
    let text = if file.is_empty() { page.to_owned() } else { String::new() };
    let is_known = anchor.is_empty()
        || anchors(&if text.is_empty() { read(&linked) } else { text }).contains(anchor);
    (!is_known).then(|| format!("{file:?} has no heading #{anchor}"))
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading() {
    let mut complaints = Vec::new();
    let mut checked = 0;
    for path in pages() {
        let page = read(&path);
        let lines: Vec<_> =
            prose(&page).into_iter().map(|(line, text)| (line, links(&text))).collect();
        let defined: BTreeSet<&String> = lines
            .iter()
            .flat_map(|(_, links)| links)
            .filter_map(
                |link| if let Link::Definition(label, _) = link { Some(label) } else { None },
            )
            .collect();
        for (line, link) in
            lines.iter().flat_map(|(line, links)| links.iter().map(move |it| (line, it)))
        {
            checked += 1;
            let problem = match link {
                Link::Target(target) | Link::Definition(_, target) => missing(&path, &page, target),
                Link::Reference(label) if defined.contains(label) => None,
                Link::Reference(label) => Some(format!("[{label}] has no definition")),
            };
            complaints
                .extend(problem.map(|problem| format!("{}:{line}: {problem}", path.display())));
        }
    }
    assert!(checked > 100, "the pages have links: {checked}");
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_file_that_the_guide_names_exists() {
    let mut missing = Vec::new();
    let mut checked = 0;
    for path in files(&root().join("crates/mp/guide")) {
        let page = read(&path);
        let quoted = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        let is_path = |text: &&str| {
            ["crates/", "docs/", "examples/", "interop/", "xtask/"]
                .iter()
                .any(|folder| text.starts_with(folder))
        };
        for file in quoted.filter(is_path) {
            checked += 1;
            if !root().join(file).exists() {
                missing.push(format!("{}: {file}", path.display()));
            }
        }
    }
    assert!(checked > 3, "the guide names files: {checked}");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_page_of_the_guide_is_short_and_part_of_rustdoc() {
    let module = read(&root().join("crates/mp/src/pages.rs"));
    let index = read(&root().join("crates/mp/guide/README.md"));
    let mut pages = files(&root().join("crates/mp/guide"));
    pages.retain(|path| !path.ends_with("README.md"));
    assert!(pages.len() > 10, "{pages:?}");
    for path in pages {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lines = read(&path).lines().count();
        assert!(lines <= GUIDE_LINES_MAX || LONG_PAGES.contains(&&*file), "{file}: {lines} lines");
        let name = file.trim_end_matches(".md").replace('-', "_");
        assert!(index.contains(&format!("][{file}] |")), "the README of the guide lacks {file}");
        for part in
            [format!("page!({name}, \"{file}\");"), format!("[{file}]: crate::guide::{name}\n")]
        {
            assert!(module.contains(&part), "crates/mp/src/pages.rs lacks {part:?}");
        }
    }
}

#[test]
fn links_and_anchors_are_found_outside_of_code() {
    let page = "# A `b` (c)\n\n[x](y.md#z) and [u][v]\n```\n[no](no.md)\n```\n`[no](no)`\n[v]: w.md\n# A b c\n";
    let found: Vec<_> = prose(page).into_iter().flat_map(|(_, line)| links(&line)).collect();
    let expected = [
        Link::Target("y.md#z".to_owned()),
        Link::Reference("v".to_owned()),
        Link::Definition("v".to_owned(), "w.md".to_owned()),
    ];
    assert_eq!(found, expected);
    assert_eq!(anchors(page), ["a-b-c", "a-b-c-1"].map(str::to_owned).into());
}
