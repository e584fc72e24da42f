//! [`UsedTokens`]: ids of tokens that were used, and may be used once.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::UnixSeconds;

use crate::limits::USED_TOKENS_MAX;
use crate::refusal::AuthRefusal;

/// The ids of used tokens, until the tokens expire.
#[derive(Debug, Default)]
pub(super) struct UsedTokens {
    ids: BTreeSet<String>,
    /// The ids by the first second at which their token is not accepted any more.
    ends: BTreeMap<UnixSeconds, Vec<String>>,
}

impl UsedTokens {
    /// Records the use of a token that is accepted until `end`.
    ///
    /// # Errors
    ///
    /// If the token was used before, or too many tokens are recorded.
    pub(super) fn insert(
        &mut self,
        unix: UnixSeconds,
        id: String,
        end: UnixSeconds,
    ) -> Result<(), AuthRefusal> {
        while let Some(first) = self.ends.first_entry()
            && *first.key() <= unix
        {
            for id in first.remove() {
                self.ids.remove(&id);
            }
        }
        if self.ids.contains(&id) {
            return Err(AuthRefusal::AlreadyUsed);
        }
        // Forgetting an id would permit a second use.
        if self.ids.len() >= USED_TOKENS_MAX {
            return Err(AuthRefusal::TooManyUsed);
        }
        self.ids.insert(id.clone());
        self.ends.entry(end).or_default().push(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_used_once_until_it_expires() {
        let mut used = UsedTokens::default();
        let mut insert = |unix, id: &str, end| used.insert(unix, id.to_owned(), end);
        assert_eq!(insert(0, "a", 10), Ok(()));
        assert_eq!(insert(0, "b", 20), Ok(()));
        assert_eq!(insert(9, "a", 10), Err(AuthRefusal::AlreadyUsed));
        assert_eq!(insert(10, "b", 20), Err(AuthRefusal::AlreadyUsed));
        assert_eq!(insert(10, "a", 30), Ok(()), "the id of an expired token is free");
    }

    #[test]
    fn number_of_used_tokens_is_bounded_and_none_is_forgotten() {
        let mut used = UsedTokens::default();
        for number in 0..USED_TOKENS_MAX {
            assert_eq!(used.insert(0, number.to_string(), 10), Ok(()));
        }
        assert_eq!(used.insert(9, "x".to_owned(), 10), Err(AuthRefusal::TooManyUsed));
        assert_eq!(used.insert(9, "0".to_owned(), 10), Err(AuthRefusal::AlreadyUsed));
        assert_eq!(used.insert(10, "x".to_owned(), 20), Ok(()));
        assert_eq!((used.ids.len(), used.ends.len()), (1, 1));
    }
}
