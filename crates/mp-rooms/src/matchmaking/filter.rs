//! [`Filter`]: the metadata that rooms must have.

use crate::limits::{FILTER_BYTES_MAX, FILTER_PAIRS_MAX};
use crate::matchmaking::MatchRefusal;
use crate::template::Metadata;

/// The metadata that rooms must have: each text of the filter equals that of the room. A filter
/// without texts accepts all rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Metadata);

impl Filter {
    /// Returns the filter for rooms with these texts.
    ///
    /// # Errors
    ///
    /// [`MatchRefusal::InvalidFilter`] above [`FILTER_PAIRS_MAX`] texts, or if one of them or its
    /// key exceeds [`FILTER_BYTES_MAX`].
    pub fn new(texts: Metadata) -> Result<Self, MatchRefusal> {
        let is_short = |text: &String| text.len() <= FILTER_BYTES_MAX;
        let are_short = texts.iter().all(|(key, text)| is_short(key) && is_short(text));
        if texts.len() > FILTER_PAIRS_MAX || !are_short {
            return Err(MatchRefusal::InvalidFilter);
        }
        Ok(Self(texts))
    }

    /// Returns whether a room with this metadata is accepted.
    pub fn accepts(&self, metadata: &Metadata) -> bool {
        self.0.iter().all(|(key, text)| metadata.get(key) == Some(text))
    }

    /// Returns the texts.
    pub fn texts(&self) -> &Metadata {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Metadata {
        pairs.iter().map(|&(key, text)| (key.to_owned(), text.to_owned())).collect()
    }

    #[test]
    fn filter_accepts_rooms_that_have_all_its_texts() {
        let filter = Filter::new(texts(&[("mode", "duel"), ("map", "hill")])).unwrap();
        assert!(filter.accepts(&texts(&[("map", "hill"), ("mode", "duel"), ("x", "y")])));
        assert!(!filter.accepts(&texts(&[("map", "hill")])));
        assert!(!filter.accepts(&texts(&[("map", "hill"), ("mode", "race")])));
        assert!(Filter::default().accepts(&Metadata::new()));
    }

    #[test]
    fn filter_is_bounded() {
        let of = |count: usize| (0..count).map(|key| (key.to_string(), String::new())).collect();
        assert!(Filter::new(of(FILTER_PAIRS_MAX)).is_ok());
        assert_eq!(Filter::new(of(FILTER_PAIRS_MAX + 1)), Err(MatchRefusal::InvalidFilter));
        let long = "x".repeat(FILTER_BYTES_MAX + 1);
        for pair in [("key", &long[..]), (&long, "text")] {
            assert_eq!(Filter::new(texts(&[pair])), Err(MatchRefusal::InvalidFilter));
        }
    }
}
