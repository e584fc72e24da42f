//! [`IdentityClaims`]: the claims that describe an identity, as JSON.

use std::collections::BTreeMap;

use mp_core::UnixSeconds;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

use crate::attributes::Attributes;
use crate::identity::{Identity, InvalidIdentity, Role, Subject};

/// The claims that describe an identity: of a signed token, and of a response of the operator's
/// service. Unknown claims are ignored, except in `mp`: a misspelt restriction must not be lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct IdentityClaims {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exp: Option<NumericDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mp: Option<Object<MpClaims>>,
}

/// A value that is read from a JSON object only. Structs of serde are read from arrays, too.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Map::<String, Value>::deserialize(deserializer)?;
        T::deserialize(Value::Object(object)).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The claims of mp.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MpClaims {
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    create: bool,
    #[serde(skip_serializing_if = "is_default")]
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_players: Option<u16>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, Value>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TryFrom<IdentityClaims> for Identity {
    type Error = InvalidIdentity;

    fn try_from(claims: IdentityClaims) -> Result<Self, InvalidIdentity> {
        let IdentityClaims { sub, exp, name, mp } = claims;
        let MpClaims { room, create, role, max_players, attributes } = mp.unwrap_or_default().0;
        let subject = Subject::new(sub.as_deref().unwrap_or_default())?;
        let mut identity = Self::new(subject)
            .with_role(role)
            .with_create(create)
            .with_max_players(max_players)
            .with_attributes(Attributes::new(attributes)?)
            .with_expires(exp.map(|exp| exp.0));
        if let Some(name) = name {
            identity = identity.with_name(&name)?;
        }
        if let Some(room) = room {
            identity = identity.with_room(&room)?;
        }
        Ok(identity)
    }
}

impl From<&Identity> for IdentityClaims {
    fn from(identity: &Identity) -> Self {
        let mp = MpClaims {
            room: identity.room().map(str::to_owned),
            create: identity.may_create(),
            role: identity.role(),
            max_players: identity.max_players(),
            attributes: identity.attributes().values().clone(),
        };
        Self {
            sub: identity.subject().map(|subject| subject.as_str().to_owned()),
            exp: identity.expires().map(NumericDate),
            name: identity.name().map(str::to_owned),
            mp: (mp != MpClaims::default()).then_some(Object(mp)),
        }
    }
}

/// A time in a claim (RFC 7519: `NumericDate`). Fractions of seconds are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct NumericDate(pub(crate) UnixSeconds);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        let positive = number.as_f64().filter(|it| *it >= 0.0);
        let seconds = number.as_u64().or_else(|| positive.map(|it| it as u64));
        seconds.map(Self).ok_or_else(|| serde::de::Error::custom("a time before 1970"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: &Value) -> Result<Identity, String> {
        let claims = Object::<IdentityClaims>::deserialize(json);
        let Object(claims) = claims.map_err(|error| error.to_string())?;
        Identity::try_from(claims).map_err(|error| error.to_string())
    }

    #[test]
    fn identity_is_read_from_its_own_claims() {
        let full = json!({
            "sub": "kay", "exp": 1_800_000_000, "name": "Kay",
            "mp": {
                "room": "arena", "create": true, "role": "host", "max_players": 8,
                "attributes": { "rank": [1, null], "skin": "red" },
            },
        });
        for json in [full, json!({ "sub": "kay" })] {
            let identity = read(&json).unwrap();
            assert_eq!(serde_json::to_value(IdentityClaims::from(&identity)).unwrap(), json);
        }
    }

    #[test]
    fn missing_claims_are_the_defaults() {
        let expected = Identity::new(Subject::new("kay").unwrap());
        let unknown = json!({ "sub": "kay", "email": 7, "mp": {} });
        for json in [json!({ "sub": "kay" }), json!({ "sub": "kay", "mp": null }), unknown] {
            assert_eq!(read(&json).as_ref(), Ok(&expected), "{json}");
        }
    }

    #[test]
    fn invalid_claims_are_refused() {
        for json in [
            json!(["kay"]),
            json!({}),
            json!({ "sub": "" }),
            json!({ "sub": 7 }),
            json!({ "sub": "kay", "name": "" }),
            json!({ "sub": "kay", "exp": "soon" }),
            json!({ "sub": "kay", "exp": -1 }),
            json!({ "sub": "kay", "mp": [] }),
            json!({ "sub": "kay", "mp": { "romo": "a" } }),
            json!({ "sub": "kay", "mp": { "room": "" } }),
            json!({ "sub": "kay", "mp": { "role": "Host" } }),
            json!({ "sub": "kay", "mp": { "create": 1 } }),
            json!({ "sub": "kay", "mp": { "max_players": 65_536 } }),
            json!({ "sub": "kay", "mp": { "attributes": { "a": "x".repeat(5_000) } } }),
        ] {
            assert!(read(&json).is_err(), "{json}");
        }
    }

    #[test]
    fn times_are_numbers_of_any_kind() {
        for (number, expected) in [("1", 1), ("1.9", 1), ("2e3", 2_000), ("1e300", u64::MAX)] {
            let date: NumericDate = serde_json::from_str(number).unwrap();
            assert_eq!(date.0, expected);
        }
    }
}
