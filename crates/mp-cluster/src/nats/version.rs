//! The versions of NATS that have what a cluster needs.

use super::NatsError;

/// The first version with lifetimes of keys, and with reads of several messages by one request.
const VERSION_MIN: (u64, u64) = (2, 11);

/// Checks the version of a server.
///
/// # Errors
///
/// [`NatsError::OldServer`].
pub(super) fn check(version: &str) -> Result<(), NatsError> {
    let mut numbers = version.split(['.', '-', '+']).map_while(|part| part.parse::<u64>().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) < VERSION_MIN {
        return Err(NatsError::OldServer { version: version.chars().take(32).collect() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_before_2_11_are_refused_with_the_version_that_is_needed() {
        for version in ["2.11.0", "2.15.1-beta.2", "3.0.0", "10.0"] {
            assert!(check(version).is_ok(), "{version}");
        }
        for version in ["2.10.29", "2.9.10", "1.99", "", "2", "next"] {
            let error = check(version).unwrap_err().to_string();
            assert!(error.contains(version) && error.contains("2.11"), "{error}");
        }
    }
}
