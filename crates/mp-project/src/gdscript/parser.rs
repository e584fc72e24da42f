//! Parser of class bodies. Bodies of functions are skipped.

use super::lexer::{Kind, Lexer, Token};
use super::{Class, RpcAnnotation};
use crate::error::SyntaxError;
use crate::limits::DEPTH_MAX;

mod expressions;
mod members;

type Result<T, E = SyntaxError> = std::result::Result<T, E>;

/// Parses a script.
///
/// # Errors
///
/// Returns an error at the first place where the text is no GDScript. The parser accepts more than
/// Godot: it does not look into function bodies, apart from brackets, strings and indentation.
pub(crate) fn parse(text: &str) -> Result<Class> {
    let mut parser = Parser::new(text)?;
    loop {
        match parser.token.kind {
            Kind::End => return parser.finish(),
            Kind::Line(indent) => {
                let is_member = parser.enter_line(indent)?;
                parser.advance()?;
                if !is_member {
                    parser.skip_line()?;
                }
            }
            _ => parser.member()?,
        }
    }
}

/// Returns the `class_name` of a script, also if the script has a syntax error behind it.
pub(crate) fn class_name(text: &str) -> Option<String> {
    let mut lexer = Lexer::new(text);
    let mut is_first = false;
    loop {
        match lexer.next().ok()?.kind {
            Kind::End => return None,
            Kind::Word("class_name") if is_first => {
                return match lexer.next().ok()?.kind {
                    Kind::Word(name) => Some(name.to_owned()),
                    _ => None,
                };
            }
            // `@tool class_name Name`: an annotation may precede it.
            Kind::Symbol('@') => {
                let _name = lexer.next().ok()?;
            }
            kind => {
                let closes = matches!(kind, Kind::Symbol(')' | ';')) && lexer.depth() == 0;
                is_first = closes || matches!(kind, Kind::Line(0));
            }
        }
    }
}

/// Replaces the escapes of a string literal.
fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        if next != '\\' {
            result.push(next);
            continue;
        }
        match chars.next() {
            Some('n') => result.push('\n'),
            Some('t') => result.push('\t'),
            Some('r') => result.push('\r'),
            Some('a') => result.push('\u{7}'),
            Some('b') => result.push('\u{8}'),
            Some('f') => result.push('\u{c}'),
            Some('v') => result.push('\u{b}'),
            Some('\n') | None => {}
            Some(kind @ ('u' | 'U')) => {
                let digits: String = chars.by_ref().take(if kind == 'u' { 4 } else { 6 }).collect();
                let code = u32::from_str_radix(&digits, 16).ok();
                result.push(code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => result.push(other),
        }
    }
    result
}

#[derive(Debug)]
struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The next token.
    token: Token<'a>,
    /// The token before it.
    last: Token<'a>,
    /// Indentation of the blocks that the current line is in.
    indents: Vec<usize>,
    /// The script, and the inner classes that the current line is in.
    frames: Vec<Frame>,
}

/// A class whose body is being parsed.
#[derive(Debug, Default)]
struct Frame {
    class: Class,
    /// Indentation of its members; `None` before the first one.
    indent: Option<usize>,
    /// The `@rpc` that precedes the next member.
    rpc: Option<RpcAnnotation>,
    /// True if `@abstract` precedes the next member.
    is_abstract: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        let frames = vec![Frame { indent: Some(0), ..Frame::default() }];
        Ok(Self { text, lexer, token, last: token, indents: vec![0], frames })
    }

    /// Consumes the next token and returns it.
    fn advance(&mut self) -> Result<Token<'a>> {
        self.last = std::mem::replace(&mut self.token, self.lexer.next()?);
        Ok(self.last)
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(SyntaxError::new(self.token.position, message))
    }

    /// Returns an error about what is expected here: at the next token, or at the end of the line.
    fn expected<T>(&self, what: &str) -> Result<T> {
        let message = format!("expected {what}, found {}", self.found());
        let mut position = self.token.position;
        if matches!(self.token.kind, Kind::Line(_) | Kind::End) {
            let last = &self.text[self.last.start..self.last.end];
            position = self.last.position;
            if !last.contains('\n') {
                position.column += last.chars().count() as u32;
            }
        }
        Err(SyntaxError::new(position, message))
    }

    /// Returns the next token as it is written, for messages.
    fn found(&self) -> String {
        match self.token.kind {
            Kind::Line(_) => "the end of the line".to_owned(),
            Kind::End => "the end of the file".to_owned(),
            Kind::String(..) => "a string".to_owned(),
            _ => self.text[self.token.start..self.token.end].to_owned(),
        }
    }

    fn is_symbol(&self, symbol: char) -> bool {
        self.token.kind == Kind::Symbol(symbol)
    }

    fn eat_symbol(&mut self, symbol: char) -> Result<bool> {
        let is_found = self.is_symbol(symbol);
        if is_found {
            self.advance()?;
        }
        Ok(is_found)
    }

    fn expect_symbol(&mut self, symbol: char, place: &str) -> Result<()> {
        if self.eat_symbol(symbol)? {
            return Ok(());
        }
        self.expected(&format!("{symbol} {place}"))
    }

    fn expect_word(&mut self, what: &str) -> Result<&'a str> {
        let Kind::Word(word) = self.token.kind else {
            return self.expected(what);
        };
        self.advance()?;
        Ok(word)
    }

    fn is_statement_end(&self) -> bool {
        matches!(self.token.kind, Kind::Line(_) | Kind::End)
            || (self.is_symbol(';') && self.lexer.depth() == 0)
    }

    /// Skips the rest of the statement, and the `;` behind it.
    fn skip_statement(&mut self) -> Result<()> {
        while !self.is_statement_end() {
            self.advance()?;
        }
        self.eat_symbol(';')?;
        Ok(())
    }

    fn end_statement(&mut self) -> Result<()> {
        if !self.is_statement_end() {
            return self.expected("the end of the line");
        }
        self.eat_symbol(';')?;
        Ok(())
    }

    fn skip_line(&mut self) -> Result<()> {
        while !matches!(self.token.kind, Kind::Line(_) | Kind::End) {
            self.advance()?;
        }
        Ok(())
    }

    /// Follows the indentation of a line. Returns true if the line is a member of the innermost
    /// class.
    fn enter_line(&mut self, indent: usize) -> Result<bool> {
        let is_block = self.last.kind == Kind::Symbol(':');
        let current = self.indents.last().copied().unwrap_or_default();
        if is_block && indent <= current {
            return self.error("expected an indented block");
        }
        if !is_block && indent > current {
            return self.error("unexpected indentation");
        }
        if is_block {
            if self.indents.len() == DEPTH_MAX {
                return self.error(format!("more than {DEPTH_MAX} nested blocks"));
            }
            self.indents.push(indent);
            let frame = self.frame();
            let members = *frame.indent.get_or_insert(indent);
            return Ok(members == indent);
        }
        while self.indents.last().is_some_and(|it| *it > indent) {
            self.indents.pop();
        }
        if self.indents.last() != Some(&indent) {
            return self.error("unindent does not match an earlier line");
        }
        while self.frame().indent.is_some_and(|it| it > indent) {
            self.close_class()?;
        }
        Ok(self.frame().indent == Some(indent))
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the script is never closed")
    }

    /// Closes the innermost class, and adds it to the class around it.
    fn close_class(&mut self) -> Result<()> {
        if let Some(rpc) = &self.frame().rpc {
            return Err(SyntaxError::new(rpc.position, "@rpc precedes no function"));
        }
        let frame = self.frames.pop().expect("the script is never closed");
        let name = frame.class.name.clone().unwrap_or_default();
        self.frame().class.classes.insert(name, frame.class);
        Ok(())
    }

    fn finish(mut self) -> Result<Class> {
        if self.last.kind == Kind::Symbol(':') {
            return self.error("expected an indented block");
        }
        while self.frames.len() > 1 {
            self.close_class()?;
        }
        if let Some(rpc) = &self.frame().rpc {
            return Err(SyntaxError::new(rpc.position, "@rpc precedes no function"));
        }
        let script = self.frames.pop().expect("the script is never closed");
        Ok(script.class)
    }
}
