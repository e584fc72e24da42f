//! Splits a source file into comments, string literals and definitions.

use std::path::Path;

/// A piece of text and the line on which it starts, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Pieces of a source file or page.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// Lines of comments and pages, without quoted and code parts.
    pub(crate) comments: Vec<Literal>,
    /// String literals of code.
    pub(crate) literals: Vec<Literal>,
    /// Names that the code defines: items, fields and local variables.
    pub(crate) definitions: Vec<Literal>,
}

impl Literal {
    /// Returns whether a string literal is a message to people, not a name or data.
    pub(crate) fn is_message(&self) -> bool {
        self.text.trim().contains(' ')
    }
}

impl Text {
    /// Parses a file by its extension: `rs` and `c`, `gd` and `toml`, or a page.
    pub(crate) fn parse(path: &Path, text: &str) -> Self {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        let comment = match extension {
            "rs" | "c" => "//",
            "gd" | "toml" => "#",
            _ => return Self { comments: page(text), ..Self::default() },
        };
        let mut parsed = Self::default();
        let mut string: Option<Literal> = None;
        for (index, source) in text.lines().enumerate() {
            let line = index + 1;
            let is_block = extension == "c" && source.trim_start().starts_with(['/', '*']);
            let mut code = String::new();
            let mut rest = source;
            if is_block {
                parsed.comments.push(Literal { line, text: without_quotes(source) });
                continue;
            }
            while !rest.is_empty() {
                if let Some(open) = &mut string {
                    let end = end_of_string(rest);
                    open.text.push_str(&rest[..end.unwrap_or(rest.len())]);
                    rest = end.map_or("", |end| &rest[end + 1..]);
                    match end {
                        Some(_) => parsed.literals.extend(string.take()),
                        None => open.text.push(' '),
                    }
                } else if rest.starts_with(comment) {
                    // Indented parts of comments are code or output.
                    let body = rest.trim_start_matches(['/', '!', '#']);
                    if !body.starts_with("     ") {
                        parsed.comments.push(Literal { line, text: without_quotes(body) });
                    }
                    rest = "";
                } else if rest.starts_with("'\"'") {
                    rest = &rest[3..];
                } else if let Some(after) = rest.strip_prefix('"') {
                    string = Some(Literal { line, text: String::new() });
                    rest = after;
                } else {
                    let len = rest.chars().next().map_or(1, char::len_utf8);
                    code.push_str(&rest[..len]);
                    rest = &rest[len..];
                }
            }
            parsed.definitions.extend(definitions(&code).map(|text| Literal { line, text }));
        }
        parsed
    }
}

/// Splits a text into lower-case words: at spaces, punctuation, underscores, and capitals within
/// identifiers.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for letter in text.chars() {
        let is_start = letter.is_uppercase() && was_lower;
        if (!letter.is_alphanumeric() || is_start) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// Returns the lines of a page outside of code blocks.
fn page(text: &str) -> Vec<Literal> {
    let mut is_code = false;
    let lines = text.lines().enumerate().filter(move |(_, line)| {
        is_code ^= line.starts_with("```");
        !is_code && !line.starts_with("    ")
    });
    lines.map(|(index, line)| Literal { line: index + 1, text: without_quotes(line) }).collect()
}

/// Removes parts in backticks and double quotes: names of Godot, code and examples.
fn without_quotes(text: &str) -> String {
    let outside_code: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    outside_code.split('"').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Returns the index of the quote that ends a string.
fn end_of_string(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(index, letter)| {
        let is_end = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_end.then_some(index)
    })
}

/// Returns the names that a line of code defines.
fn definitions(code: &str) -> impl Iterator<Item = String> {
    const KEYWORDS: [&str; 9] =
        ["const", "enum", "fn", "let", "mod", "static", "struct", "trait", "type"];
    let tokens: Vec<&str> = code
        .split(|it: char| !it.is_alphanumeric() && it != '_')
        .filter(|it| !it.is_empty())
        .collect();
    let mut found: Vec<String> = Vec::new();
    for pair in tokens.windows(2).filter(|pair| KEYWORDS.contains(&pair[0])) {
        found.push(pair[1].to_owned());
    }
    for triple in tokens.windows(3).filter(|it| it[0] == "let" && it[1] == "mut") {
        found.push(triple[2].to_owned());
    }
    let field = code.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
    if let Some((name, _)) = field.split_once(": ")
        && name.chars().all(|it| it.is_alphanumeric() || it == '_')
    {
        found.push(name.to_owned());
    }
    found.into_iter()
}

#[test]
fn comments_literals_and_definitions_are_separated() {
    let source = "/// Doc \"quoted\" of `code` here.\n\
                  fn name(field: u8) { // trailing\n\
                  let other = \"a message // no comment\";\n";
    let text = Text::parse(Path::new("x.rs"), source);
    let texts =
        |all: &[Literal]| all.iter().map(|it| it.text.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(&text.comments), ["Doc   of   here.", "trailing"]);
    assert_eq!(texts(&text.literals), ["a message // no comment"]);
    assert_eq!(texts(&text.definitions), ["name", "other"]);
}
