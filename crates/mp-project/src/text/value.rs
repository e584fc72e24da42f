//! Parser of values.

use crate::cursor::Cursor;
use crate::error::{Position, SyntaxError};
use crate::limits::DEPTH_MAX;
use crate::value::{Constructor, Value};

type Result<T, E = SyntaxError> = std::result::Result<T, E>;

/// Parses values, and the keys and brackets around them.
#[derive(Debug)]
pub(crate) struct ValueParser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
}

impl<'a> ValueParser<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text), depth: 0 }
    }

    pub(crate) fn position(&self) -> Position {
        self.cursor.position()
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.cursor.peek()
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(SyntaxError::new(self.cursor.position(), message))
    }

    /// Skips white space and comments.
    pub(crate) fn skip_space(&mut self) {
        loop {
            self.cursor.eat_while(|c| c <= ' ');
            if self.cursor.peek() != Some(';') {
                return;
            }
            self.cursor.eat_while(|c| c != '\n');
        }
    }

    /// Checks that only white space and comments are left.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.skip_space();
        match self.cursor.peek() {
            None => Ok(()),
            Some(_) => self.error("expected the end of the value"),
        }
    }

    pub(crate) fn expect(&mut self, symbol: char) -> Result<()> {
        if self.eat(symbol) {
            return Ok(());
        }
        self.error(format!("expected {symbol}"))
    }

    fn eat(&mut self, symbol: char) -> bool {
        self.skip_space();
        let is_found = self.cursor.peek() == Some(symbol);
        if is_found {
            self.cursor.bump();
        }
        is_found
    }

    /// Returns the characters up to white space or `end`.
    pub(crate) fn until_space_or(&mut self, end: char) -> &'a str {
        self.cursor.eat_while(|c| c > ' ' && c != end)
    }

    /// Parses a key and the `=` behind it. A key with unusual characters is quoted.
    pub(crate) fn key(&mut self) -> Result<String> {
        let position = self.cursor.position();
        let key = if self.cursor.peek() == Some('"') {
            self.string()?
        } else {
            let key = self.cursor.eat_while(|c| c != '=' && c != '\n' && c != '[' && c != ']');
            key.trim().to_owned()
        };
        self.cursor.eat_while(|c| c == ' ' || c == '\t');
        if !self.cursor.eat("=") {
            return Err(SyntaxError::new(position, format!("expected = after {key}")));
        }
        Ok(key)
    }

    /// Parses a value.
    pub(crate) fn value(&mut self) -> Result<Value> {
        self.skip_space();
        if self.depth == DEPTH_MAX {
            return self.error(format!("more than {DEPTH_MAX} nested values"));
        }
        self.depth += 1;
        let value = self.nested_value();
        self.depth -= 1;
        value
    }

    fn nested_value(&mut self) -> Result<Value> {
        let position = self.cursor.position();
        match self.cursor.peek() {
            Some('"') => Ok(Value::String(self.string()?)),
            Some('[') => {
                self.cursor.bump();
                Ok(Value::Array(self.list(']')?))
            }
            Some('{') => {
                self.cursor.bump();
                Ok(Value::Dictionary(self.entries('}')?))
            }
            // `@` is Godot 3's.
            Some('&' | '@') => {
                self.cursor.bump();
                Ok(Value::StringName(self.string()?))
            }
            Some('^') => {
                self.cursor.bump();
                Ok(Value::NodePath(self.string()?))
            }
            Some('-' | '0'..='9') => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.word(position),
            Some(c) => self.error(format!("expected a value, found {c}")),
            None => self.error("expected a value"),
        }
    }

    fn number(&mut self) -> Result<Value> {
        let position = self.cursor.position();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let text = self.cursor.eat_while(is_part);
        if let Ok(value) = text.parse() {
            return Ok(Value::Int(value));
        }
        match text.parse() {
            Ok(value) => Ok(Value::Float(value)),
            Err(_) => Err(SyntaxError::new(position, format!("{text} is no number"))),
        }
    }

    fn word(&mut self, position: Position) -> Result<Value> {
        let name = self.cursor.eat_while(|c| c.is_alphanumeric() || c == '_');
        match name {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "null" | "nil" => return Ok(Value::Nil),
            "inf" => return Ok(Value::Float(f64::INFINITY)),
            "inf_neg" => return Ok(Value::Float(f64::NEG_INFINITY)),
            "nan" => return Ok(Value::Float(f64::NAN)),
            _ => {}
        }
        let mut types = Vec::new();
        if matches!(name, "Array" | "Dictionary") && self.eat('[') {
            types = self.types()?;
        }
        if !self.eat('(') {
            return Err(SyntaxError::new(position, format!("unknown word {name}")));
        }
        let arguments = match name {
            "Object" => self.object()?,
            _ => self.list(')')?,
        };
        Ok(match (name, &arguments[..]) {
            ("NodePath", [Value::String(path)]) => Value::NodePath(path.clone()),
            ("StringName", [Value::String(text)]) => Value::StringName(text.clone()),
            _ => Value::Constructor(Box::new(Constructor {
                name: name.to_owned(),
                types,
                arguments,
            })),
        })
    }

    /// Parses the types of a typed container: names, or references to scripts.
    fn types(&mut self) -> Result<Vec<Value>> {
        let mut types = Vec::new();
        loop {
            self.skip_space();
            let name = self.cursor.eat_while(|c| c.is_alphanumeric() || c == '_').to_owned();
            if name.is_empty() {
                return self.error("expected a type");
            }
            let arguments = if self.eat('(') { self.list(')')? } else { Vec::new() };
            types.push(Value::Constructor(Box::new(Constructor {
                name,
                types: Vec::new(),
                arguments,
            })));
            if self.eat(']') {
                return Ok(types);
            }
            self.expect(',')?;
        }
    }

    /// Parses `Class, "name": value, …)`.
    fn object(&mut self) -> Result<Vec<Value>> {
        self.skip_space();
        let class = self.cursor.eat_while(|c| c.is_alphanumeric() || c == '_').to_owned();
        let mut arguments = vec![Value::String(class)];
        if self.eat(',') {
            arguments.push(Value::Dictionary(self.entries(')')?));
        } else {
            self.expect(')')?;
        }
        Ok(arguments)
    }

    /// Parses values up to a closing bracket. A comma may precede the bracket.
    fn list(&mut self, close: char) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        while !self.eat(close) {
            values.push(self.value()?);
            self.separator(close)?;
        }
        Ok(values)
    }

    fn entries(&mut self, close: char) -> Result<Vec<(Value, Value)>> {
        let mut entries = Vec::new();
        while !self.eat(close) {
            let key = self.value()?;
            self.expect(':')?;
            entries.push((key, self.value()?));
            self.separator(close)?;
        }
        Ok(entries)
    }

    fn separator(&mut self, close: char) -> Result<()> {
        self.skip_space();
        if self.cursor.peek() == Some(close) || self.cursor.eat(",") {
            return Ok(());
        }
        self.error(format!("expected , or {close}"))
    }

    /// Parses a string, which may have several lines.
    fn string(&mut self) -> Result<String> {
        let position = self.cursor.position();
        if !self.cursor.eat("\"") {
            return self.error("expected \"");
        }
        let mut text = String::new();
        loop {
            text.push_str(self.cursor.eat_while(|c| c != '"' && c != '\\'));
            match self.cursor.bump() {
                Some('"') => return Ok(text),
                Some(_) => match self.cursor.bump() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some('b') => text.push('\u{8}'),
                    Some('f') => text.push('\u{c}'),
                    Some('u') => text.push(self.code_point(4, position)?),
                    Some('U') => text.push(self.code_point(6, position)?),
                    Some(other) => text.push(other),
                    None => break,
                },
                None => break,
            }
        }
        Err(SyntaxError::new(position, "string is not closed"))
    }

    /// Parses the digits of `\u` or `\U`. A pair of surrogates is one character.
    fn code_point(&mut self, digits: usize, string: Position) -> Result<char> {
        let mut code = self.hex(digits, string)?;
        if (0xd800..0xdc00).contains(&code) && self.cursor.eat("\\u") {
            let low = self.hex(4, string)?;
            code = 0x10000 + ((code - 0xd800) << 10) + (low & 0x3ff);
        }
        // A lone surrogate is no character.
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self, digits: usize, string: Position) -> Result<u32> {
        let mut code = 0;
        for _ in 0..digits {
            match self.cursor.bump().and_then(|digit| digit.to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return Err(SyntaxError::new(string, "malformed \\u in a string")),
            }
        }
        Ok(code)
    }
}
