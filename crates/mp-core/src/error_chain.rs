//! An error with its sources, in one line.

use std::error::Error;
use std::fmt;

/// Displays an error and all its sources in one line, separated by colons: for logs and messages.
/// The errors of mp do not repeat the text of their sources.
#[derive(Clone, Copy, Debug)]
pub struct ErrorChain<'a>(&'a (dyn Error + 'static));

impl<'a> ErrorChain<'a> {
    /// Returns the chain that begins with `error`.
    pub const fn new(error: &'a (dyn Error + 'static)) -> Self {
        Self(error)
    }
}

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PacketPeerError, SendError};

    #[test]
    fn chain_has_each_error_once() {
        let error = PacketPeerError::from(SendError::TooLarge { len: 9, max: 5 });
        let source = SendError::TooLarge { len: 9, max: 5 };
        let expected = format!("the transport did not accept the packet: {source}");
        assert_eq!(ErrorChain::new(&error).to_string(), expected);
    }
}
