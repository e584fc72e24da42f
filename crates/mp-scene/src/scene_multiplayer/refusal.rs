//! Why a message of a peer is not acted on.

/// Why a message is not acted on.
pub(crate) enum Refusal {
    /// There is no node at this path, which may yet come.
    Absent(String),
    /// The node had been at this path when the peer numbered it, and has left.
    Gone(String),
    /// It never will be.
    Because(&'static str),
}
