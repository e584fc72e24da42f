//! The declarations of a GDScript file that RPC tables depend on.

mod expression;
mod lexer;
mod parser;

use std::collections::BTreeMap;

pub(crate) use self::expression::{Constant, Expression, Scope};
pub(crate) use self::parser::{class_name, parse};

use crate::error::Position;
use crate::rpc::Argument;

/// A script or an inner class, without what it inherits.
#[derive(Debug, Default)]
pub(crate) struct Class {
    /// The `class_name` of a script; the name of an inner class.
    pub(crate) name: Option<String>,
    pub(crate) extends: Option<Extends>,
    /// Constants, and values of enums under `Name` or `Enum.Name`.
    pub(crate) constants: BTreeMap<String, Expression>,
    pub(crate) functions: BTreeMap<String, Function>,
    pub(crate) classes: BTreeMap<String, Self>,
}

/// A base class: `"path"`, `"path".Inner`, `Name` or `Name.Inner`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extends {
    pub(crate) path: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) position: Position,
}

/// A function of a class.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) arguments: Vec<Argument>,
    pub(crate) position: Position,
    pub(crate) rpc: Option<RpcAnnotation>,
}

/// An `@rpc` annotation with its arguments.
#[derive(Debug)]
pub(crate) struct RpcAnnotation {
    pub(crate) position: Position,
    pub(crate) arguments: Vec<Expression>,
}
