//! [`Attributes`]: values that the operator's service attaches to an identity.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::identity::InvalidIdentity;
use crate::limits::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX};

/// Values that the operator's service attaches to an identity, such as a rank or a skin: at most
/// [`ATTRIBUTES_MAX`] JSON values by name, with at most [`ATTRIBUTES_BYTES_MAX`] bytes of JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(BTreeMap<String, Value>);

impl Attributes {
    /// Returns `values` as attributes.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentity::Attributes`] if they exceed a limit.
    pub fn new(values: BTreeMap<String, Value>) -> Result<Self, InvalidIdentity> {
        let bytes = serde_json::to_vec(&values).map_or(usize::MAX, |json| json.len());
        if values.len() > ATTRIBUTES_MAX || bytes > ATTRIBUTES_BYTES_MAX {
            return Err(InvalidIdentity::Attributes);
        }
        Ok(Self(values))
    }

    /// Returns the value of an attribute.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Returns all attributes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns whether there are no attributes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the values.
    pub fn values(&self) -> &BTreeMap<String, Value> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_length_of_attributes_are_bounded() {
        let many = |count: usize| (0..count).map(|it| (it.to_string(), it.into())).collect();
        assert_eq!(Attributes::new(many(ATTRIBUTES_MAX)).unwrap().iter().count(), ATTRIBUTES_MAX);
        assert_eq!(Attributes::new(many(ATTRIBUTES_MAX + 1)), Err(InvalidIdentity::Attributes));
        let long = |bytes: usize| BTreeMap::from([("a".to_owned(), "x".repeat(bytes).into())]);
        let overhead = r#"{"a":""}"#.len();
        assert!(Attributes::new(long(ATTRIBUTES_BYTES_MAX - overhead)).is_ok());
        let too_long = Attributes::new(long(ATTRIBUTES_BYTES_MAX - overhead + 1));
        assert_eq!(too_long, Err(InvalidIdentity::Attributes));
    }
}
