//! Mistakes of a scenario file.

use std::fmt;
use std::ops::Range;

use mp_toml::{Place, render};

/// All mistakes of a scenario file. [`Display`](fmt::Display) prints each with its line and a
/// caret, at most 20.
#[derive(Clone, Debug)]
pub struct ScenarioErrors {
    file: String,
    text: String,
    mistakes: Vec<Mistake>,
}

/// A mistake.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl ScenarioErrors {
    pub(super) fn new(file: &str, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.span.start);
        Self { file: file.to_owned(), text: text.to_owned(), mistakes }
    }
}

impl fmt::Display for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().take(SHOWN_MAX).enumerate() {
            let place = Place { file: &self.file, text: &self.text, span: mistake.span.clone() };
            let shown = render(&place, &mistake.message, None, mistake.help.as_deref());
            write!(f, "{}{shown}", if index == 0 { "" } else { "\n" })?;
        }
        match self.mistakes.len().checked_sub(SHOWN_MAX) {
            Some(more @ 1..) => write!(f, "\nand {more} more errors"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ScenarioErrors {}

/// Maximum number of mistakes that are printed.
const SHOWN_MAX: usize = 20;
