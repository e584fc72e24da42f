//! The error of an option that is out of range.

use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};

/// The error of an option whose value is out of range. The message has the option's name, the value
/// and the range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} {value} is out of range; use {range}")]
pub struct OutOfRange {
    option: &'static str,
    value: String,
    range: String,
}

impl OutOfRange {
    /// Checks that `range` contains the `value` of `option`.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn check<T: Debug + PartialOrd>(
        option: &'static str,
        value: T,
        range: impl RangeBounds<T>,
    ) -> Result<(), Self> {
        if range.contains(&value) {
            return Ok(());
        }
        let limit = |bound: Bound<&T>| match bound {
            Bound::Included(limit) | Bound::Excluded(limit) => Some(format!("{limit:?}")),
            Bound::Unbounded => None,
        };
        let range = match (limit(range.start_bound()), limit(range.end_bound())) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("{min} or more"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => String::from("another value"),
        };
        Err(Self { option, value: format!("{value:?}"), range })
    }

    /// Returns the name of the option.
    pub const fn option(&self) -> &'static str {
        self.option
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn message_has_option_value_and_range() {
        let message = |checked: Result<(), OutOfRange>| checked.unwrap_err().to_string();
        let clients = OutOfRange::check("max_clients", 0, 1..=4_095);
        assert_eq!(message(clients), "max_clients 0 is out of range; use 1 to 4095");
        let least = OutOfRange::check("inbound_buffer_size", 10, 125..);
        assert_eq!(message(least), "inbound_buffer_size 10 is out of range; use 125 or more");
        let most = ..=Duration::from_millis(16);
        let interval = OutOfRange::check("flush_interval", Duration::from_secs(1), most);
        assert_eq!(message(interval), "flush_interval 1s is out of range; use at most 16ms");
        assert_eq!(OutOfRange::check("max_clients", 4_095, 1..=4_095), Ok(()));
    }
}
