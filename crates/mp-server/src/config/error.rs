//! Errors of a configuration, with the place in the file.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::values::Origin;

/// All errors of a configuration.
///
/// [`Display`](fmt::Display) prints each error of the file with its line and a caret, and each
/// error of an environment variable or a flag as one line. At most 20 errors are printed.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    file: String,
    text: String,
    problems: Vec<Problem>,
    /// Number of errors beyond `problems`.
    dropped: usize,
}

/// Errors that are found while a configuration is read, at most 1,000.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    /// Lines of the file whose syntax is invalid. Further errors in them are not reported.
    broken: BTreeSet<usize>,
    dropped: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if problem.line().is_some_and(|line| self.broken.contains(&line)) {
            return;
        }
        match self.found.len() < FOUND_MAX {
            true => self.found.push(problem),
            false => self.dropped += 1,
        }
    }

    /// Adds an error of the syntax.
    pub(crate) fn push_broken(&mut self, problem: Problem) {
        let line = problem.line();
        self.push(problem);
        self.broken.extend(line);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns the errors of a configuration that was read from `text`, in the order of the file.
    pub(crate) fn into_errors(mut self, file: &str, text: &str) -> ConfigErrors {
        self.found.sort_by_key(|problem| match &problem.origin {
            Origin::File { span, .. } => span.start,
            _ => usize::MAX,
        });
        let (file, text) = (file.to_owned(), text.to_owned());
        ConfigErrors { file, text, problems: self.found, dropped: self.dropped }
    }
}

/// An error of a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    origin: Origin,
    message: String,
    /// Text at the caret.
    label: Option<String>,
    help: Option<String>,
}

impl Problem {
    pub(crate) fn new(origin: &Origin, message: impl Into<String>) -> Self {
        Self { origin: origin.clone(), message: message.into(), label: None, help: None }
    }

    pub(crate) fn label(mut self, label: Option<String>) -> Self {
        self.label = label;
        self
    }

    pub(crate) fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Returns message, label and help in one line.
    fn one_line(&self) -> String {
        let more = [&self.label, &self.help].into_iter().flatten();
        more.fold(self.message.clone(), |text, more| format!("{text}; {more}"))
    }

    /// Returns the line in the file, counted from 1.
    pub(crate) fn line(&self) -> Option<usize> {
        match self.origin {
            Origin::File { line, .. } => Some(line),
            _ => None,
        }
    }
}

impl ConfigErrors {
    /// Returns the number of errors.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.problems.len() + self.dropped
    }

    /// Returns the message of each error, without its place.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(|problem| problem.message.as_str())
    }

    /// Returns the printed errors in one line each.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.problems.iter().take(SHOWN_MAX).map(|problem| {
            let place = problem.line().map(|line| format!("{}:{line}: ", self.file));
            format!("{}{}", place.unwrap_or_default(), problem.one_line())
        })
    }

    fn one(&self, problem: &Problem) -> String {
        let Origin::File { span, line } = &problem.origin else {
            return problem.one_line();
        };
        let (start, source) = line_of(&self.text, span.start);
        let group = Level::ERROR.primary_title(&problem.message);
        if has_secret(source) || source.len() > LINE_BYTES_MAX {
            return format!("error: {}:{line}: {}", self.file, problem.one_line());
        }
        let marked = marked(source, span.start - start..span.end.max(span.start) - start);
        let mut annotation = AnnotationKind::Primary.span(marked);
        if let Some(label) = &problem.label {
            annotation = annotation.label(label);
        }
        let snippet = Snippet::source(source).line_start(*line).path(&self.file);
        let mut report = group.element(snippet.annotation(annotation));
        if let Some(help) = &problem.help {
            report = report.element(Level::HELP.message(help));
        }
        Renderer::plain().render(&[report])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.problems.iter().take(SHOWN_MAX).map(|problem| self.one(problem));
        let mut shown: Vec<_> = shown.collect();
        if self.len() > SHOWN_MAX {
            shown.push(format!("and {} more errors", self.len() - SHOWN_MAX));
        }
        f.write_str(&shown.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

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
pub(crate) fn has_secret(line: &str) -> bool {
    line.match_indices('=').any(|(index, _)| {
        let name = line[..index].trim_end().rsplit([' ', '\t', ',', '{', '.']).next();
        is_secret_name(name.unwrap_or_default())
    })
}

/// Returns whether a name of a setting is probably that of a secret. The names of all secrets
/// contain one of these words.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["secret", "code", "token", "password"].iter().any(|word| name.contains(word))
}

/// Maximum number of errors that are kept.
const FOUND_MAX: usize = 1_000;
/// Maximum number of errors that are printed.
const SHOWN_MAX: usize = 20;
/// Length in bytes of longer lines, which are not printed.
const LINE_BYTES_MAX: usize = 1_000;
