//! Results of scenarios as numbers.

use std::fmt;

/// Numbers of scenarios by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScenarioCounts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) retries: u32,
}

impl fmt::Display for ScenarioCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.retries > 0 {
            write!(f, ", {} retried", self.retries)?;
        }
        Ok(())
    }
}
