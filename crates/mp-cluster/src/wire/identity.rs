//! The bytes of an [`Identity`], without credentials.

use std::collections::BTreeMap;

use mp_identity::{Attributes, Identity, Role, Subject};
use serde::{Deserialize, Serialize};

use super::bounded::{Payload, Text};

#[derive(Serialize, Deserialize)]
pub(crate) struct WireIdentity<'a> {
    #[serde(borrow)]
    subject: Option<Text<'a, { mp_identity::limits::SUBJECT_BYTES_MAX }>>,
    #[serde(borrow)]
    name: Option<Text<'a, { mp_identity::limits::NAME_BYTES_MAX }>>,
    role: Role,
    #[serde(borrow)]
    room: Option<Text<'a, { mp_identity::limits::ROOM_BYTES_MAX }>>,
    may_create: bool,
    max_players: Option<u16>,
    /// JSON; empty: none.
    #[serde(borrow)]
    attributes: Payload<'a>,
    expires: Option<u64>,
}

/// Returns the attributes of an identity as JSON; nothing if there are none.
pub(crate) fn encode_attributes(identity: &Identity) -> Vec<u8> {
    let attributes = identity.attributes();
    match attributes.is_empty() {
        true => Vec::new(),
        false => serde_json::to_vec(attributes.values()).unwrap_or_default(),
    }
}

/// Returns the wire form of an identity with these attributes, which are encoded.
pub(crate) fn identity_to_wire<'a>(
    identity: &'a Identity,
    attributes: &'a [u8],
) -> WireIdentity<'a> {
    WireIdentity {
        subject: identity.subject().map(|subject| Text(subject.as_str())),
        name: identity.name().map(Text),
        role: identity.role(),
        room: identity.room().map(Text),
        may_create: identity.may_create(),
        max_players: identity.max_players(),
        attributes: Payload(attributes),
        expires: identity.expires(),
    }
}

/// Returns the identity that was encoded; `None` if a value is not allowed.
pub(crate) fn identity_from_wire(wire: &WireIdentity<'_>) -> Option<Identity> {
    let mut identity = match wire.subject {
        Some(subject) => Identity::new(Subject::new(subject.0).ok()?),
        None => Identity::anonymous(),
    };
    if let Some(name) = wire.name {
        identity = identity.with_name(name.0).ok()?;
    }
    if let Some(room) = wire.room {
        identity = identity.with_room(room.0).ok()?;
    }
    if !wire.attributes.0.is_empty() {
        let values: BTreeMap<_, _> = serde_json::from_slice(wire.attributes.0).ok()?;
        identity = identity.with_attributes(Attributes::new(values).ok()?);
    }
    let identity = identity.with_role(wire.role).with_create(wire.may_create);
    Some(identity.with_max_players(wire.max_players).with_expires(wire.expires))
}
