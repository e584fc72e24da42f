//! Interest by distance.

/// Placeholder.
#[derive(Debug, Default)]
pub struct InterestGrid;
