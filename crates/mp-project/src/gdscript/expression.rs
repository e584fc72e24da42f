//! Constant expressions: arguments of annotations, and the constants that they name.

use super::{Class, Extends};
use crate::error::{Position, SyntaxError};

/// Maximum number of terms of an expression, with those of the constants that it names.
const TERMS_MAX: u32 = 256;

/// Maximum length in bytes of a sum of strings.
const TEXT_BYTES_MAX: usize = 4096;

/// An expression: a sum of terms, or one of another form that is not evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) position: Position,
    /// `None` if the expression has a form that is not evaluated.
    pub(crate) terms: Option<Vec<Term>>,
    /// Number that is added: distance to the last value that an enum spells out.
    pub(crate) offset: i64,
}

/// A term of an [`Expression`].
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Value(Constant),
    /// `NAME` or `Enum.NAME`: a constant, or a class.
    Name(Vec<String>),
}

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    /// An integer, or a boolean as 0 or 1.
    Int(i64),
    Float(f64),
    Text(String),
    /// `preload("res://…")`, or a name that may be a class.
    Class(Extends),
}

/// The classes whose constants an expression can name: the innermost class first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a>(pub(crate) &'a [&'a Class]);

impl Scope<'_> {
    fn constant(&self, name: &str) -> Option<&Expression> {
        self.0.iter().find_map(|class| class.constants.get(name))
    }
}

impl Expression {
    /// Evaluates the expression.
    ///
    /// # Errors
    ///
    /// Returns an error if the expression has a form that is not evaluated.
    pub(crate) fn evaluate(&self, scope: Scope<'_>) -> Result<Constant, SyntaxError> {
        self.evaluate_within(scope, &mut { TERMS_MAX })
    }

    /// Evaluates the expression with at most `left` terms.
    fn evaluate_within(&self, scope: Scope<'_>, left: &mut u32) -> Result<Constant, SyntaxError> {
        let Some(terms) = &self.terms else {
            let message = "only literals, constants of the script and sums of them are evaluated";
            return Err(SyntaxError::unsupported(self.position, message));
        };
        let mut sum = match self.offset {
            0 => None,
            offset => Some(Constant::Int(offset)),
        };
        for term in terms {
            *left = left.checked_sub(1).ok_or_else(|| {
                let message = format!("more than {TERMS_MAX} terms, or constants in a circle");
                SyntaxError::unsupported(self.position, message)
            })?;
            let value = match term {
                Term::Value(value) => value.clone(),
                Term::Name(names) => match scope.constant(&names.join(".")) {
                    Some(expression) => expression.evaluate_within(scope, left)?,
                    None => {
                        let (names, position) = (names.clone(), self.position);
                        Constant::Class(Extends { path: None, names, position })
                    }
                },
            };
            sum = Some(match sum {
                None => value,
                Some(sum) => self.add(sum, value)?,
            });
        }
        sum.ok_or_else(|| SyntaxError::new(self.position, "expected a value"))
    }

    fn add(&self, left: Constant, right: Constant) -> Result<Constant, SyntaxError> {
        let sum = match (left, right) {
            (Constant::Int(a), Constant::Int(b)) => a.checked_add(b).map(Constant::Int),
            (Constant::Float(a), Constant::Float(b)) => Some(Constant::Float(a + b)),
            (Constant::Text(a), Constant::Text(b)) if a.len() + b.len() <= TEXT_BYTES_MAX => {
                Some(Constant::Text(a + &b))
            }
            _ => None,
        };
        sum.ok_or_else(|| SyntaxError::unsupported(self.position, "a sum that is not evaluated"))
    }
}

impl Constant {
    /// Describes the value in messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::Class(class) => match &class.path {
                Some(path) => format!("preload({path:?})"),
                None => class.names.join("."),
            },
        }
    }
}
