//! Between Rust's arguments and Godot's.

use mp_core::{FromVariant, Variant};

/// What a method takes: a tuple of [`FromVariant`] types, or `Vec<Variant>` for any number of anything.
///
/// As in Godot the number of arguments must fit; an `Option` at the end of a tuple may be missing, which is how a
/// parameter with a default is written.
pub trait FromArgs: Sized {
    /// The method's arguments out of a call's.
    ///
    /// # Errors
    ///
    /// When there are too few or too many, or one does not convert.
    fn from_args(args: Vec<Variant>) -> Result<Self, CallError>;
}

/// What a call carries: a tuple of things that a [`Variant`] is made from, or `Vec<Variant>`.
pub trait IntoArgs {
    /// The call's arguments.
    fn into_args(self) -> Vec<Variant>;
}

/// Why a call that arrived was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// An argument does not convert.
    #[error("argument {index}: {why}")]
    Argument {
        /// Its position, from 0.
        index: usize,
        /// What was expected and what came.
        why: String,
    },
    /// Too few or too many.
    #[error("{got} arguments where the method takes {takes}")]
    ArgumentCount {
        /// How many came.
        got: usize,
        /// How many the method takes.
        takes: usize,
    },
    /// The node has left the tree, or too many calls wait for it.
    #[error("the node has left the tree, or too many calls wait for it")]
    NodeUnavailable,
    /// The method is a stub, or has a number but no body here.
    #[error("the method has no body on this side")]
    NoBody,
    /// The table belongs to another type of node.
    #[error("the method was registered for another type of node")]
    WrongNodeType,
}

/// The argument at `index`; `None` when the call has none there and the parameter needs one.
fn read<T: FromVariant>(arg: Option<Variant>, index: usize) -> Option<Result<T, CallError>> {
    let Some(arg) = arg else { return T::absent().map(Ok) };
    Some(
        T::from_variant(arg).map_err(|error| CallError::Argument { index, why: error.to_string() }),
    )
}

impl FromArgs for Vec<Variant> {
    fn from_args(args: Vec<Variant>) -> Result<Self, CallError> {
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
            fn from_args(args: Vec<Variant>) -> Result<Self, CallError> {
                const TAKES: usize = 0 $(+ { let _ = $index; 1 })*;
                let got = args.len();
                let count = CallError::ArgumentCount { got, takes: TAKES };
                if got > TAKES {
                    return Err(count);
                }
                let mut args = args.into_iter();
                Ok(($(read::<$name>(args.next(), $index).ok_or_else(|| count.clone())??,)*))
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
