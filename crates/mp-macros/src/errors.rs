//! All errors of an item, reported together.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use syn::{Error, Result};

/// The errors that were found in an item.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    /// Adds an error at `span`.
    pub(crate) fn add(&mut self, span: Span, text: impl Display) {
        self.push(Error::new(span, text));
    }

    /// Adds an error.
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            errors @ None => *errors = Some(error),
        }
    }

    /// Returns the value of a result, or records its error.
    pub(crate) fn ok<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Returns the items that report the errors.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.0.map(Error::into_compile_error).unwrap_or_default()
    }
}
