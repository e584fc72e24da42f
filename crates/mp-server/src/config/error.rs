//! Errors of a configuration, with the place in the file.

use std::collections::BTreeSet;
use std::fmt;

use mp_toml::{Place, render};

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
        let Origin::File { span, .. } = &problem.origin else {
            return problem.one_line();
        };
        let place = Place { file: &self.file, text: &self.text, span: span.clone() };
        render(&place, &problem.message, problem.label.as_deref(), problem.help.as_deref())
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

/// Maximum number of errors that are kept.
const FOUND_MAX: usize = 1_000;
/// Maximum number of errors that are printed.
const SHOWN_MAX: usize = 20;
