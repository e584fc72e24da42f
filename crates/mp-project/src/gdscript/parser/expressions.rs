//! Constant expressions: literals, names, and sums of them.

use super::{Parser, Result};
use crate::gdscript::Extends;
use crate::gdscript::expression::{Constant, Expression, Term};
use crate::gdscript::lexer::Kind;

impl<'a> Parser<'a> {
    /// Parses an expression up to the `,` or bracket that ends it in brackets of this depth, or, at
    /// depth 0, up to the end of the statement.
    pub(super) fn expression(&mut self, depth: usize) -> Result<Expression> {
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
