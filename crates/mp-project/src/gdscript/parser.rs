//! Parser of class bodies. Bodies of functions are skipped.

use super::expression::{Constant, Expression, Term};
use super::lexer::{Kind, Lexer, Token};
use super::{Class, Extends, Function, RpcAnnotation};
use crate::error::SyntaxError;
use crate::limits::DEPTH_MAX;
use crate::rpc::Argument;

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

    /// Parses a member of the innermost class, or an annotation before it.
    fn member(&mut self) -> Result<()> {
        let position = self.token.position;
        let word = match self.token.kind {
            Kind::Symbol('@') => return self.annotation(),
            // A string may serve as a comment.
            Kind::String(..) => "pass",
            Kind::Word(word) => word,
            _ => return self.error(format!("unexpected {} in a class", self.found())),
        };
        let mut keyword = word;
        self.advance()?;
        if word == "static" {
            keyword = self.expect_word("func or var")?;
        }
        if keyword != "func"
            && let Some(rpc) = &self.frame().rpc
        {
            let message = format!("@rpc applies to functions only, not to {keyword}");
            return Err(SyntaxError::new(rpc.position, message));
        }
        match keyword {
            "func" => self.function()?,
            "class" => self.class()?,
            "class_name" => self.script_name()?,
            "extends" => self.extends()?,
            "const" => self.constant()?,
            "enum" => self.enumeration()?,
            "var" | "signal" | "pass" => self.skip_statement()?,
            _ => {
                let message = format!(
                    "unexpected {keyword} in a class; GDScript 2 has func, var, const, signal, enum and class"
                );
                return Err(SyntaxError::new(position, message));
            }
        }
        if keyword != "class" {
            self.frame().is_abstract = false;
        }
        Ok(())
    }

    fn annotation(&mut self) -> Result<()> {
        let at = self.advance()?;
        let Kind::Word(name) = self.token.kind else {
            return self.error("expected the name of an annotation after @");
        };
        if self.token.start != at.end {
            return self.error("expected the name of an annotation directly after @");
        }
        self.advance()?;
        let mut arguments = Vec::new();
        if self.is_symbol('(') {
            let depth = self.lexer.depth();
            self.advance()?;
            while self.lexer.depth() >= depth {
                arguments.push(self.expression(depth)?);
                if !self.eat_symbol(',')? && self.lexer.depth() >= depth {
                    return self.expected(", or )");
                }
            }
            self.expect_symbol(')', "after the arguments of an annotation")?;
        }
        if self.is_symbol(';') {
            return self.error("unexpected ; after an annotation");
        }
        let frame = self.frame();
        match name {
            "rpc" if frame.rpc.is_some() => {
                return Err(SyntaxError::new(at.position, "@rpc is given twice"));
            }
            "rpc" => frame.rpc = Some(RpcAnnotation { position: at.position, arguments }),
            "abstract" => frame.is_abstract = true,
            _ => {}
        }
        Ok(())
    }

    fn function(&mut self) -> Result<()> {
        let position = self.token.position;
        let name = self.expect_word("the name of a function")?;
        let arguments = self.arguments()?;
        if self.eat_symbol('-')? {
            self.expect_symbol('>', "before the return type")?;
            while !self.is_statement_end() && !self.is_symbol(':') {
                self.advance()?;
            }
        }
        let frame = self.frame();
        let function = Function { arguments, position, rpc: frame.rpc.take() };
        if let Some(other) = frame.class.functions.insert(name.to_owned(), function) {
            let line = other.position.line;
            let message = format!("function {name} is already declared in line {line}");
            return Err(SyntaxError::new(position, message));
        }
        if frame.is_abstract && self.is_statement_end() {
            return self.end_statement();
        }
        self.expect_symbol(':', "after the arguments of a function")?;
        self.skip_line()
    }

    fn arguments(&mut self) -> Result<Vec<Argument>> {
        let depth = self.lexer.depth();
        self.expect_symbol('(', "after the name of a function")?;
        let mut arguments = Vec::new();
        // A closing bracket is counted when it becomes the next token.
        while self.lexer.depth() >= depth {
            let mut argument = Argument::default();
            while self.eat_symbol('.')? {
                argument.is_rest = true;
            }
            argument.name = self.expect_word("the name of an argument")?.to_owned();
            let mut has_default = false;
            if self.eat_symbol(':')? && !self.is_symbol('=') {
                let start = self.token.start;
                if self.is_argument_end(depth) {
                    return self.expected("a type");
                }
                while !self.is_symbol('=') && !self.is_argument_end(depth) {
                    self.advance()?;
                }
                argument.type_name = Some(self.text[start..self.last.end].to_owned());
            }
            if self.eat_symbol('=')? {
                while !self.is_argument_end(depth) {
                    self.advance()?;
                    has_default = true;
                }
                if !has_default {
                    return self.expected("a default value");
                }
            }
            argument.has_default = has_default;
            arguments.push(argument);
            if !self.eat_symbol(',')? && self.lexer.depth() >= depth {
                return self.expected(", or )");
            }
        }
        self.expect_symbol(')', "after the arguments of a function")?;
        Ok(arguments)
    }

    /// Returns true before the `,` or `)` that ends an argument of brackets with this depth.
    fn is_argument_end(&self, depth: usize) -> bool {
        self.token.kind == Kind::End
            || self.lexer.depth() < depth
            || (self.lexer.depth() == depth && self.is_symbol(','))
    }

    fn class(&mut self) -> Result<()> {
        if self.frames.len() == DEPTH_MAX {
            return self.error(format!("more than {DEPTH_MAX} nested classes"));
        }
        let name = self.expect_word("the name of a class")?.to_owned();
        self.frame().is_abstract = false;
        self.frames.push(Frame::default());
        self.frame().class.name = Some(name);
        if self.token.kind == Kind::Word("extends") {
            self.advance()?;
            self.base()?;
        }
        self.expect_symbol(':', "after the name of a class")?;
        if matches!(self.token.kind, Kind::Line(_) | Kind::End) {
            return Ok(());
        }
        // A body behind the colon has one member. An annotation counts as one: Godot applies it to
        // the member behind it, which belongs to the class around this one.
        if !self.is_symbol('@') {
            self.member()?;
        }
        self.close_class()
    }

    fn script_name(&mut self) -> Result<()> {
        let name = self.expect_word("the name of the class")?.to_owned();
        self.frame().class.name = Some(name);
        if self.token.kind == Kind::Word("extends") {
            self.advance()?;
            return self.extends();
        }
        self.end_statement()
    }

    fn extends(&mut self) -> Result<()> {
        self.base()?;
        self.end_statement()
    }

    /// Parses the base class behind `extends`.
    fn base(&mut self) -> Result<()> {
        let position = self.token.position;
        if self.frame().class.extends.is_some() {
            return self.error("the base class is given twice");
        }
        let extends = match self.token.kind {
            Kind::String(..) => {
                let path = Some(self.string()?);
                Extends { path, names: self.dotted()?, position }
            }
            _ => {
                let first = self.expect_word("a base class")?.to_owned();
                let names = [vec![first], self.dotted()?].concat();
                Extends { path: None, names, position }
            }
        };
        self.frame().class.extends = Some(extends);
        Ok(())
    }

    /// Parses `.Name`, any number of times.
    fn dotted(&mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        while self.eat_symbol('.')? {
            names.push(self.expect_word("a name after .")?.to_owned());
        }
        Ok(names)
    }

    fn string(&mut self) -> Result<String> {
        let Kind::String(text, is_raw) = self.token.kind else {
            return self.expected("a string");
        };
        self.advance()?;
        Ok(if is_raw { text.to_owned() } else { unescape(text) })
    }

    fn constant(&mut self) -> Result<()> {
        let name = self.expect_word("the name of a constant")?.to_owned();
        while !self.is_symbol('=') && !self.is_statement_end() {
            self.advance()?;
        }
        self.expect_symbol('=', "before the value of a constant")?;
        let value = self.expression(0)?;
        self.frame().class.constants.insert(name, value);
        self.end_statement()
    }

    fn enumeration(&mut self) -> Result<()> {
        let prefix = match self.token.kind {
            Kind::Word(name) => {
                self.advance()?;
                format!("{name}.")
            }
            _ => String::new(),
        };
        let depth = self.lexer.depth();
        self.expect_symbol('{', "before the values of an enum")?;
        let mut value = Expression {
            position: self.token.position,
            terms: Some(vec![Term::Value(Constant::Int(0))]),
            offset: 0,
        };
        while self.lexer.depth() >= depth {
            let name = self.expect_word("the name of a value")?;
            if self.eat_symbol('=')? {
                value = self.expression(depth)?;
            }
            self.frame().class.constants.insert(format!("{prefix}{name}"), value.clone());
            value.offset = value.offset.saturating_add(1);
            if !self.eat_symbol(',')? && self.lexer.depth() >= depth {
                return self.expected(", or }");
            }
        }
        self.expect_symbol('}', "after the values of an enum")?;
        self.end_statement()
    }

    /// Parses an expression up to the `,` or bracket that ends it in brackets of this depth, or, at
    /// depth 0, up to the end of the statement.
    fn expression(&mut self, depth: usize) -> Result<Expression> {
        let position = self.token.position;
        let terms = self.terms(depth)?;
        let mut is_complete = true;
        while !self.is_expression_end(depth) {
            is_complete = false;
            self.advance()?;
        }
        let terms = terms.filter(|_| is_complete);
        Ok(Expression { position, terms, offset: 0 })
    }

    fn is_expression_end(&self, depth: usize) -> bool {
        if depth == 0 { self.is_statement_end() } else { self.is_argument_end(depth) }
    }

    /// Parses a sum of literals and names; `None` if the expression starts in another way.
    fn terms(&mut self, depth: usize) -> Result<Option<Vec<Term>>> {
        let mut terms = Vec::new();
        if self.is_expression_end(depth) {
            return self.expected("a value");
        }
        loop {
            let is_negative = self.eat_symbol('-')?;
            if self.is_symbol('&') {
                self.advance()?;
            }
            let term = match self.token.kind {
                Kind::Number(number) => {
                    self.advance()?;
                    match literal(number, is_negative) {
                        Some(value) => Term::Value(value),
                        None => return Ok(None),
                    }
                }
                _ if is_negative => return Ok(None),
                Kind::String(..) => Term::Value(Constant::Text(self.string()?)),
                Kind::Word("true") => self.advance().map(|_| Term::Value(Constant::Int(1)))?,
                Kind::Word("false") => self.advance().map(|_| Term::Value(Constant::Int(0)))?,
                Kind::Word("preload") => Term::Value(Constant::Class(self.preload()?)),
                Kind::Word(first) => {
                    self.advance()?;
                    Term::Name([vec![first.to_owned()], self.dotted()?].concat())
                }
                _ => return Ok(None),
            };
            terms.push(term);
            if !self.eat_symbol('+')? {
                return Ok(Some(terms));
            }
        }
    }

    fn preload(&mut self) -> Result<Extends> {
        let position = self.advance()?.position;
        self.expect_symbol('(', "after preload")?;
        let path = Some(self.string()?);
        self.expect_symbol(')', "after the path")?;
        Ok(Extends { path, names: self.dotted()?, position })
    }
}

/// Returns the value of a number.
fn literal(number: &str, is_negative: bool) -> Option<Constant> {
    let sign = if is_negative { "-" } else { "" };
    let lower = number.replace('_', "").to_ascii_lowercase();
    let radix = |digits: &str, radix| i64::from_str_radix(&format!("{sign}{digits}"), radix).ok();
    if let Some(hex) = lower.strip_prefix("0x") {
        return radix(hex, 16).map(Constant::Int);
    }
    if let Some(binary) = lower.strip_prefix("0b") {
        return radix(binary, 2).map(Constant::Int);
    }
    let float = || format!("{sign}{lower}").parse().ok().map(Constant::Float);
    radix(&lower, 10).map(Constant::Int).or_else(float)
}
