//! Serialization of ids and targets as Godot's numbers (feature `serde`).

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{PeerId, Target};

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

/// Fails for 0 and negative numbers, which are not peer ids.
impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = i32::deserialize(deserializer)?;
        Self::new(raw).ok_or_else(|| {
            Error::invalid_value(Unexpected::Signed(raw.into()), &"a peer id, 1 to 2147483647")
        })
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_raw().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i32::deserialize(deserializer).map(Self::from_raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json<T: Serialize>(value: &T) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn peer_ids_and_targets_serialize_as_numbers() {
        let id = PeerId::new(7).unwrap();
        assert_eq!(json(&id), "7");
        assert_eq!(serde_json::from_str::<PeerId>("7").unwrap(), id);
        for target in [Target::All, Target::AllExcept(id), Target::Peer(id)] {
            assert_eq!(json(&target), target.to_raw().to_string());
            assert_eq!(serde_json::from_str::<Target>(&json(&target)).unwrap(), target);
        }
    }

    #[test]
    fn numbers_outside_the_peer_id_range_are_rejected() {
        for raw in ["0", "-1", "2147483648"] {
            assert!(serde_json::from_str::<PeerId>(raw).is_err(), "{raw}");
        }
        let error = serde_json::from_str::<PeerId>("0").unwrap_err().to_string();
        assert!(error.contains("expected a peer id, 1 to 2147483647"), "{error}");
    }
}
