//! A position in a text that is being scanned.

use crate::error::Position;

/// Scans a text by characters and counts lines and columns.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    position: Position,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, position: Position { line: 1, column: 1 } }
    }

    /// Returns the next character.
    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Returns the text that is left.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    /// Returns the text from `start`, an earlier [`Self::offset`], to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.offset]
    }

    /// Returns the position in bytes.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Consumes the next character.
    pub(crate) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.offset += next.len_utf8();
        if next == '\n' {
            self.position.line += 1;
            self.position.column = 1;
        } else {
            self.position.column += 1;
        }
        Some(next)
    }

    /// Consumes `expected` if the text continues with it.
    pub(crate) fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            expected.chars().for_each(|_| {
                self.bump();
            });
        }
        found
    }

    /// Consumes characters while they satisfy `accept`. Returns them.
    pub(crate) fn eat_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let start = self.offset;
        while self.peek().is_some_and(&accept) {
            self.bump();
        }
        self.since(start)
    }
}
