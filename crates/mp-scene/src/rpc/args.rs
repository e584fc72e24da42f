//! Conversion of arguments between Rust types and [`Variant`]s.

use mp_core::variant::FromVariantError;
use mp_core::{FromVariant, Variant};

/// Parameters of an RPC method: a tuple of [`FromVariant`] types, or `Vec<Variant>` for any
/// arguments.
///
/// As in Godot the number of arguments must match. An `Option` at the end of a tuple may be
/// missing: it stands for a parameter with a default.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of an RPC method",
    label = "not a tuple of Godot's values",
    note = "write a tuple, also for one argument: `(text,): (String,)`"
)]
pub trait FromArgs: Sized {
    /// Converts the arguments of a call.
    ///
    /// # Errors
    ///
    /// If there are too few or too many arguments, or one does not convert.
    fn from_args(args: Vec<Variant>) -> Result<Self, MethodCallError>;
}

/// Arguments of a call: a tuple of types that convert into [`Variant`], or `Vec<Variant>`.
///
/// The elements of a `Vec<Variant>` are the arguments. To pass one array, write a tuple:
///
/// ```
/// use mp_core::Variant;
/// use mp_core::variant::Array;
/// use mp_scene::rpc::IntoArgs;
///
/// let values = vec![Variant::from(1), Variant::from(2)];
/// assert_eq!(values.clone().into_args().len(), 2);
/// assert_eq!((Array::from_iter(values),).into_args().len(), 1);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a call",
    label = "not a tuple of Godot's values",
    note = "write a tuple, also for one argument: `(text,)`"
)]
pub trait IntoArgs {
    /// Converts the arguments of a call.
    fn into_args(self) -> Vec<Variant>;
}

/// The reason why a received call was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MethodCallError {
    /// An argument does not convert.
    #[error("argument {index} does not convert")]
    Argument {
        /// Position of the argument, from 0.
        index: usize,
        /// The expected type and the received one.
        source: FromVariantError,
    },
    /// There are too few or too many arguments.
    #[error("the call has {got} arguments, and the method takes {takes}")]
    ArgumentCount {
        /// Number of received arguments.
        got: usize,
        /// Number of parameters of the method.
        takes: usize,
    },
    /// The node is not in the tree, or too many calls to it are deferred.
    #[error("the node is not in the tree, or too many calls to it are deferred")]
    NodeUnavailable,
    /// The method is a stub, or is only called on other peers.
    #[error("the method has no local body")]
    NotImplemented,
    /// The table belongs to another type of node.
    #[error("the method was registered for another type of node")]
    WrongNodeType,
}

/// The arguments of a received call, converted one by one.
#[derive(Debug)]
pub struct Arguments {
    rest: std::vec::IntoIter<Variant>,
    got: usize,
    takes: usize,
}

impl Arguments {
    /// Creates the arguments of a call of a method with `takes` parameters.
    ///
    /// # Errors
    ///
    /// If there are more arguments than parameters.
    pub fn new(args: Vec<Variant>, takes: usize) -> Result<Self, MethodCallError> {
        let got = args.len();
        if got > takes {
            return Err(MethodCallError::ArgumentCount { got, takes });
        }
        Ok(Self { rest: args.into_iter(), got, takes })
    }

    /// Converts the next argument.
    ///
    /// # Errors
    ///
    /// If it does not convert, or is missing and the parameter needs one.
    pub fn next_as<T: FromVariant>(&mut self) -> Result<T, MethodCallError> {
        let Self { ref mut rest, got, takes } = *self;
        let Some(arg) = rest.next() else {
            return T::absent().ok_or(MethodCallError::ArgumentCount { got, takes });
        };
        T::from_variant(arg).map_err(|source| {
            let index = got - rest.len() - 1;
            MethodCallError::Argument { index, source }
        })
    }
}

impl FromArgs for Vec<Variant> {
    fn from_args(args: Vec<Variant>) -> Result<Self, MethodCallError> {
        Ok(args)
    }
}

impl IntoArgs for Vec<Variant> {
    fn into_args(self) -> Vec<Variant> {
        self
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt)*))*) => {$(
        impl<$($name: FromVariant),*> FromArgs for ($($name,)*) {
            #[allow(unused_mut, unused_variables, reason = "the empty tuple has no parameters")]
            fn from_args(args: Vec<Variant>) -> Result<Self, MethodCallError> {
                const TAKES: usize = 0 $(+ { let _ = $index; 1 })*;
                let mut args = Arguments::new(args, TAKES)?;
                Ok(($(args.next_as::<$name>()?,)*))
            }
        }

        impl<$($name: Into<Variant>),*> IntoArgs for ($($name,)*) {
            fn into_args(self) -> Vec<Variant> {
                vec![$(self.$index.into()),*]
            }
        }
    )*};
}

tuples! {
    ()
    (A 0)
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 E 4)
    (A 0 B 1 C 2 D 3 E 4 F 5)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
}

#[cfg(test)]
mod tests {
    use mp_core::ErrorChain;

    use super::*;

    #[test]
    fn an_argument_that_does_not_convert_is_reported_with_its_position_and_types() {
        let args = vec![Variant::from(1), Variant::from("two")];
        let error = <(i64, i64)>::from_args(args).unwrap_err();
        let chain = "argument 1 does not convert: expected int, got String";
        assert_eq!(ErrorChain::new(&error).to_string(), chain);
    }
}
