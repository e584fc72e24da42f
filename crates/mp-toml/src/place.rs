//! A place in the text of a file, and an error that is printed with it.
#![expect(clippy::exhaustive_structs, reason = "readers of files construct it")]

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A range of a file's text.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Text of the file.
    pub text: &'a str,
    /// Range in bytes. An empty range marks one character; a range beyond the text marks its end.
    pub span: Range<usize>,
}

/// Returns an error with the line of its place, a caret below it, and help. Lines that set a
/// [secret](has_secret), and lines of more than 1,000 bytes, are not printed.
pub fn render(place: &Place<'_>, message: &str, label: Option<&str>, help: Option<&str>) -> String {
    let Place { file, text, span } = place;
    let (start, source) = line_of(text, span.start);
    let line = line_number(text, span.start);
    if has_secret(source) || source.len() > LINE_BYTES_MAX {
        let more = [label, help].into_iter().flatten();
        let message = more.fold(message.to_owned(), |all, more| format!("{all}; {more}"));
        return format!("error: {file}:{line}: {message}");
    }
    let from = span.start.max(start);
    let marked = marked(source, from - start..span.end.max(from) - start);
    let mut annotation = AnnotationKind::Primary.span(marked);
    if let Some(label) = label {
        annotation = annotation.label(label);
    }
    let snippet = Snippet::source(source).line_start(line).path(*file);
    let mut report = Level::ERROR.primary_title(message).element(snippet.annotation(annotation));
    if let Some(help) = help {
        report = report.element(Level::HELP.message(help));
    }
    Renderer::plain().render(&[report])
}

/// Returns the number of the line that contains the byte `at`, counted from 1.
pub fn line_number(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// Returns the line of `text` that contains the byte `at`, and the line's start.
fn line_of(text: &str, at: usize) -> (usize, &str) {
    let at = at.min(text.len());
    let bytes = text.as_bytes();
    let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |index| index + 1);
    let length = bytes[start..].iter().position(|&byte| byte == b'\n');
    let line = &text[start..length.map_or(text.len(), |length| start + length)];
    (start, line.strip_suffix('\r').unwrap_or(line))
}

/// Returns a range of `line` that is at character boundaries. Empty ranges mark one character, or
/// the end of the line.
fn marked(line: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start.min(line.len());
    while !line.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = range.end.min(line.len()).max(start);
    while !line.is_char_boundary(end) {
        end += 1;
    }
    let next = line[start..].chars().next().map_or(start, |c| start + c.len_utf8());
    start..end.max(next)
}

/// Returns whether a line of a file sets a secret, also if its name is misspelled.
pub fn has_secret(line: &str) -> bool {
    line.match_indices('=').any(|(index, _)| {
        let name = line[..index].trim_end().rsplit([' ', '\t', ',', '{', '.']).next();
        is_secret_name(name.unwrap_or_default())
    })
}

/// Returns whether a name of a setting is probably that of a secret. The names of all secrets
/// contain one of these words.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["secret", "code", "token", "password", "host_key"].iter().any(|word| name.contains(word))
}

/// Length in bytes of longer lines, which are not printed.
const LINE_BYTES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_show_their_line_except_if_it_sets_a_secret() {
        let text = "a = 1\ntoken = 2\nb = \u{e9}";
        let at = |span| Place { file: "f.toml", text, span };
        let shown = render(&at(4..5), "wrong", Some("here"), Some("write 2"));
        assert!(shown.contains("f.toml:1:5") && shown.contains("^ here"), "{shown}");
        assert!(shown.ends_with("help: write 2"), "{shown}");
        let hidden = render(&at(14..15), "wrong", None, Some("write 3"));
        assert_eq!(hidden, "error: f.toml:2: wrong; write 3");
        let end = render(&at(usize::MAX..usize::MAX), "incomplete", None, None);
        assert!(end.contains("f.toml:3:6"), "{end}");
    }
}
