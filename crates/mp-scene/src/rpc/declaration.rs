//! Declarations of typed RPCs, which are compared while a program is compiled.

/// The declaration of an RPC that `#[rpc_methods]` has read.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct RpcDeclaration {
    name: &'static str,
    /// The words of its attribute; empty for a stub, which fits any.
    words: &'static str,
    /// Number of arguments.
    arguments: usize,
    /// The error if another type does not declare the RPC.
    error: &'static str,
}

impl RpcDeclaration {
    /// Creates the declaration of an RPC.
    pub const fn new(
        name: &'static str,
        words: &'static str,
        arguments: usize,
        error: &'static str,
    ) -> Self {
        Self { name, words, arguments, error }
    }

    const fn fits(&self, other: &Self) -> bool {
        is_same(self.name, other.name)
            && (self.words.is_empty()
                || other.words.is_empty()
                || (is_same(self.words, other.words) && self.arguments == other.arguments))
    }
}

/// Compares the RPCs of two types. Returns the error if one of them lacks an RPC of the other, or
/// declares it otherwise.
#[doc(hidden)]
pub const fn rpc_difference(
    ours: &[RpcDeclaration],
    theirs: &[RpcDeclaration],
) -> Option<&'static str> {
    match lacking(ours, theirs) {
        None => lacking(theirs, ours),
        found => found,
    }
}

/// Returns the error of the first of `ours` that fits none of `theirs`.
const fn lacking(ours: &[RpcDeclaration], theirs: &[RpcDeclaration]) -> Option<&'static str> {
    let mut index = 0;
    while index < ours.len() {
        let mut other = 0;
        while other < theirs.len() && !ours[index].fits(&theirs[other]) {
            other += 1;
        }
        if other == theirs.len() {
            return Some(ours[index].error);
        }
        index += 1;
    }
    None
}

const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}
