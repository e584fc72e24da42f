//! Tokens of GDScript, with lines that are joined by brackets and backslashes.

use crate::cursor::Cursor;
use crate::error::{Position, SyntaxError};
use crate::limits::DEPTH_MAX;

/// A token with its place in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) position: Position,
    /// Offset of the first byte.
    pub(crate) start: usize,
    /// Offset behind the last byte.
    pub(crate) end: usize,
}

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// The start of a logical line that has tokens, with its indentation in characters.
    Line(usize),
    /// An identifier or keyword.
    Word(&'a str),
    /// A number, as it is written.
    Number(&'a str),
    /// The text between the quotes, and whether it is a raw string, without escapes.
    String(&'a str, bool),
    /// Any other character.
    Symbol(char),
    /// The end of the text.
    End,
}

/// Splits GDScript into tokens.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    cursor: Cursor<'a>,
    /// Open brackets.
    brackets: Vec<(char, Position)>,
    /// The character of the first indented line; a script uses one.
    indentation: Option<char>,
    /// True if the next token starts a logical line.
    is_line_start: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let cursor = Cursor::new(text);
        Self { cursor, brackets: Vec::new(), indentation: None, is_line_start: true }
    }

    /// Returns the number of open brackets.
    pub(crate) fn depth(&self) -> usize {
        self.brackets.len()
    }

    /// Returns the next token. After the last one it is [`Kind::End`] forever.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, SyntaxError> {
        if self.is_line_start
            && let Some(line) = self.line()?
        {
            return Ok(line);
        }
        self.skip_space()?;
        let start = self.cursor.offset();
        let position = self.cursor.position();
        let Some(next) = self.cursor.peek() else {
            return match self.brackets.last() {
                Some((open, position)) => {
                    Err(SyntaxError::new(*position, format!("{open} is not closed")))
                }
                None => Ok(self.token(Kind::End, start, position)),
            };
        };
        let kind = match next {
            '\n' => {
                self.cursor.bump();
                self.is_line_start = true;
                return self.next_line();
            }
            '"' | '\'' => self.string(false)?,
            'r' if self.cursor.rest()[1..].starts_with(['"', '\'']) => {
                self.cursor.bump();
                self.string(true)?
            }
            '0'..='9' => Kind::Number(self.number()),
            _ if is_word(next) => Kind::Word(self.cursor.eat_while(is_word)),
            _ => self.symbol(next, position)?,
        };
        Ok(self.token(kind, start, position))
    }

    fn token(&self, kind: Kind<'a>, start: usize, position: Position) -> Token<'a> {
        Token { kind, position, start, end: self.cursor.offset() }
    }

    /// Returns the first token of the next line that is not empty.
    fn next_line(&mut self) -> Result<Token<'a>, SyntaxError> {
        match self.line()? {
            Some(line) => Ok(line),
            None => {
                let (start, position) = (self.cursor.offset(), self.cursor.position());
                Ok(self.token(Kind::End, start, position))
            }
        }
    }

    /// Skips empty lines and comments, and returns the start of the next line with tokens, if any.
    fn line(&mut self) -> Result<Option<Token<'a>>, SyntaxError> {
        loop {
            let start = self.cursor.offset();
            let position = self.cursor.position();
            let indent = self.cursor.eat_while(|c| c == ' ' || c == '\t');
            if self.cursor.peek() == Some('#') {
                self.cursor.eat_while(|c| c != '\n');
            }
            self.cursor.eat("\r");
            if self.cursor.eat("\n") {
                continue;
            }
            self.is_line_start = false;
            if self.cursor.peek().is_none() {
                return Ok(None);
            }
            self.check_indentation(indent, position)?;
            return Ok(Some(self.token(Kind::Line(indent.len()), start, position)));
        }
    }

    /// Checks that indentation is all tabs or all spaces, in a line and in the script.
    fn check_indentation(&mut self, indent: &str, at: Position) -> Result<(), SyntaxError> {
        let Some(first) = indent.chars().next() else { return Ok(()) };
        let expected = *self.indentation.get_or_insert(first);
        if indent.chars().all(|c| c == expected) {
            return Ok(());
        }
        let name = |c| if c == '\t' { "tabs" } else { "spaces" };
        let other = if expected == '\t' { ' ' } else { '\t' };
        let (found, expected) = (name(other), name(expected));
        Err(SyntaxError::new(at, format!("indented with {found}; earlier lines use {expected}")))
    }

    /// Skips spaces, comments, backslashes at the end of a line, and, in brackets, line ends.
    fn skip_space(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.cursor.peek() {
                Some(' ' | '\t') => {
                    self.cursor.bump();
                }
                Some('#') => {
                    self.cursor.eat_while(|c| c != '\n' && c != '\r');
                }
                Some('\n') if !self.brackets.is_empty() => {
                    self.cursor.bump();
                }
                Some('\r') => {
                    let at = self.cursor.position();
                    self.cursor.bump();
                    if !matches!(self.cursor.peek(), Some('\n') | None) {
                        return Err(SyntaxError::new(at, "carriage return within a line"));
                    }
                }
                Some('\\') => {
                    let at = self.cursor.position();
                    self.cursor.bump();
                    self.cursor.eat("\r");
                    if !self.cursor.eat("\n") {
                        return Err(SyntaxError::new(at, "expected the end of the line after \\"));
                    }
                    self.skip_comment_lines();
                }
                _ => return Ok(()),
            }
        }
    }

    /// Skips lines that hold only a comment. Godot accepts them after a backslash.
    fn skip_comment_lines(&mut self) {
        loop {
            let mut ahead = self.cursor.clone();
            ahead.eat_while(|c| c == ' ' || c == '\t');
            if ahead.peek() != Some('#') {
                return;
            }
            ahead.eat_while(|c| c != '\n');
            if !ahead.eat("\n") {
                return;
            }
            self.cursor = ahead;
        }
    }

    /// Scans a string, whose lines may be many with any quotes, as in Godot.
    fn string(&mut self, is_raw: bool) -> Result<Kind<'a>, SyntaxError> {
        let open = self.cursor.position();
        let rest = self.cursor.rest();
        let quote = match rest {
            _ if rest.starts_with("\"\"\"") => "\"\"\"",
            _ if rest.starts_with("'''") => "'''",
            _ if rest.starts_with('"') => "\"",
            _ => "'",
        };
        self.cursor.eat(quote);
        let start = self.cursor.offset();
        loop {
            let end = self.cursor.offset();
            if self.cursor.rest().starts_with(quote) {
                let text = self.cursor.since(start);
                debug_assert_eq!(text.len(), end - start);
                self.cursor.eat(quote);
                return Ok(Kind::String(text, is_raw));
            }
            match self.cursor.bump() {
                Some('\\') => {
                    self.cursor.bump();
                }
                Some(_) => {}
                None => return Err(SyntaxError::new(open, "string is not closed")),
            }
        }
    }

    fn number(&mut self) -> &'a str {
        let start = self.cursor.offset();
        let is_hex = ["0x", "0X", "0b", "0B"].iter().any(|it| self.cursor.rest().starts_with(it));
        loop {
            self.cursor.eat_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            let is_exponent = !is_hex && self.cursor.since(start).ends_with(['e', 'E']);
            if !is_exponent || !self.cursor.rest().starts_with(['+', '-']) {
                return self.cursor.since(start);
            }
            self.cursor.bump();
        }
    }

    fn symbol(&mut self, symbol: char, at: Position) -> Result<Kind<'a>, SyntaxError> {
        match symbol {
            '(' | '[' | '{' => {
                if self.brackets.len() == DEPTH_MAX {
                    let message = format!("more than {DEPTH_MAX} open brackets");
                    return Err(SyntaxError::new(at, message));
                }
                self.brackets.push((symbol, at));
            }
            ')' | ']' | '}' => {
                let open = self.brackets.pop().map(|(open, _)| open);
                if !matches!((open, symbol), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}'))
                {
                    let message = match open {
                        Some(open) => format!("{open} is closed by {symbol}"),
                        None => format!("{symbol} closes no bracket"),
                    };
                    return Err(SyntaxError::new(at, message));
                }
            }
            '!' | '%' | '&' | '*' | '+' | ',' | '-' | '.' | '/' | ':' | ';' | '<' | '=' | '>'
            | '@' | '^' | '|' | '~' | '$' | '?' | '`' => {}
            _ => {
                return Err(SyntaxError::new(at, format!("unexpected character {symbol:?}")));
            }
        }
        self.cursor.bump();
        Ok(Kind::Symbol(symbol))
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Result<Vec<Kind<'_>>, SyntaxError> {
        let mut lexer = Lexer::new(text);
        let mut kinds = Vec::new();
        loop {
            match lexer.next()?.kind {
                Kind::End => return Ok(kinds),
                kind => kinds.push(kind),
            }
        }
    }

    #[test]
    fn brackets_and_backslashes_join_lines() {
        use Kind::{Line, Number, Symbol, Word};
        let expected =
            [Line(0), Word("f"), Symbol('('), Number("1"), Symbol(')'), Word("b"), Line(1)];
        let found = kinds("f(\n# c\n\t1\n) \\\r\n # d\n\tb\n\n\tc").unwrap();
        assert_eq!(found[..7], expected);
        assert_eq!(found[7..], [Word("c")]);
    }

    #[test]
    fn quotes_inside_strings_do_not_end_them() {
        use Kind::{Line, String};
        let text = r##""a\"b" '"' """a "quote" # no comment""" r"a\"b" 'two
lines'"##;
        let expected = [
            Line(0),
            String(r#"a\"b"#, false),
            String("\"", false),
            String("a \"quote\" # no comment", false),
            String(r#"a\"b"#, true),
            String("two\nlines", false),
        ];
        assert_eq!(kinds(text).unwrap(), expected);
    }

    #[test]
    fn errors_have_the_position_of_the_opening() {
        let position = |text| kinds(text).unwrap_err().position;
        assert_eq!(position("a\nb (["), Position { line: 2, column: 4 });
        assert_eq!(position("é \"x\n\n"), Position { line: 1, column: 3 });
        assert_eq!(position("a\n\tb\n  c"), Position { line: 3, column: 1 });
        assert_eq!(position("f(]"), Position { line: 1, column: 3 });
        assert_eq!(position("a\rb"), Position { line: 1, column: 2 });
    }
}
