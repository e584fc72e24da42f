//! Members of classes: functions with their annotations, inner classes, constants and enums.

use super::{Frame, Parser, Result, unescape};
use crate::error::SyntaxError;
use crate::gdscript::expression::{Constant, Expression, Term};
use crate::gdscript::lexer::Kind;
use crate::gdscript::{Extends, Function, RpcAnnotation};
use crate::limits::DEPTH_MAX;
use crate::rpc::Argument;

impl<'a> Parser<'a> {
    /// Parses a member of the innermost class, or an annotation before it.
    pub(super) fn member(&mut self) -> Result<()> {
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
    pub(super) fn is_argument_end(&self, depth: usize) -> bool {
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
    pub(super) fn dotted(&mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        while self.eat_symbol('.')? {
            names.push(self.expect_word("a name after .")?.to_owned());
        }
        Ok(names)
    }

    pub(super) fn string(&mut self) -> Result<String> {
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
}
