//! [`Identity`]: who a player is, and what it may do.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use mp_core::UnixSeconds;
use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::limits::{
    ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, NAME_BYTES_MAX, ROOM_BYTES_MAX, SUBJECT_BYTES_MAX,
};

/// The identity of an authenticated player: who it is, and what it may do.
///
/// ```
/// use mp_identity::{Identity, Role, Subject};
///
/// let kay = Identity::new(Subject::new("kay")?).with_name("Kay")?.with_role(Role::Host);
/// assert_eq!(kay.subject().map(Subject::as_str), Some("kay"));
/// assert_eq!((kay.name(), kay.role()), (Some("Kay"), Role::Host));
/// assert_eq!(Identity::anonymous().subject(), None);
/// # Ok::<(), mp_identity::InvalidIdentity>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    subject: Option<Subject>,
    name: Option<Arc<str>>,
    role: Role,
    room: Option<Arc<str>>,
    may_create: bool,
    max_players: Option<u16>,
    attributes: Attributes,
    expires: Option<UnixSeconds>,
}

/// The role of a player in its room. mp-server forwards no packets of spectators to other players,
/// except in rooms with a host; beyond that, the game decides what a role may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// A player. The default.
    #[default]
    Player,
    /// A spectator: it receives what the others send, and may send to the server only.
    Spectator,
    /// The player who decides about the room.
    Host,
}

impl Identity {
    /// Returns an identity without a subject, which the methods *open* and *shared secret* assign.
    /// Such players cannot be distinguished: no ban by subject applies to them, and they may
    /// connect several times. They may create rooms.
    pub fn anonymous() -> Self {
        Self {
            subject: None,
            name: None,
            role: Role::Player,
            room: None,
            may_create: true,
            max_players: None,
            attributes: Attributes::default(),
            expires: None,
        }
    }

    /// Returns the identity of `subject`: a player who may join any room and create none.
    pub fn new(subject: Subject) -> Self {
        Self { subject: Some(subject), may_create: false, ..Self::anonymous() }
    }

    /// Sets the displayed name: 1 to [`NAME_BYTES_MAX`] bytes without control characters.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentity::Name`].
    pub fn with_name(mut self, name: &str) -> Result<Self, InvalidIdentity> {
        let name = printable(name, NAME_BYTES_MAX).ok_or(InvalidIdentity::Name)?;
        self.name = Some(name.into());
        Ok(self)
    }

    /// Sets the role.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Restricts the player to one room, by its name: 1 to [`ROOM_BYTES_MAX`] bytes without control
    /// characters.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentity::Room`].
    pub fn with_room(mut self, room: &str) -> Result<Self, InvalidIdentity> {
        let room = printable(room, ROOM_BYTES_MAX).ok_or(InvalidIdentity::Room)?;
        self.room = Some(room.into());
        Ok(self)
    }

    /// Sets whether the player may create the room that it joins, if the room does not exist and
    /// its template creates rooms on demand.
    #[must_use]
    pub fn with_create(self, may_create: bool) -> Self {
        Self { may_create, ..self }
    }

    /// Sets the maximum number of players of a room that the player creates. Default: that of the
    /// template.
    #[must_use]
    pub fn with_max_players(self, max_players: Option<u16>) -> Self {
        Self { max_players, ..self }
    }

    /// Sets the attributes.
    #[must_use]
    pub fn with_attributes(self, attributes: Attributes) -> Self {
        Self { attributes, ..self }
    }

    /// Sets the time at which the identity expires.
    #[must_use]
    pub fn with_expires(self, expires: Option<UnixSeconds>) -> Self {
        Self { expires, ..self }
    }

    /// Returns the subject: the name by which the operator's service knows the player. `None`: the
    /// player is anonymous.
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Returns the displayed name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the only room that the player may join. `None`: any room.
    pub fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// Returns whether the player may create the room that it joins.
    pub fn may_create(&self) -> bool {
        self.may_create
    }

    /// Returns the maximum number of players of a room that the player creates.
    pub fn max_players(&self) -> Option<u16> {
        self.max_players
    }

    /// Returns the attributes.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Returns the time at which the identity expires. A connection does not end then: the time
    /// limits when the player can authenticate. `None`: never.
    pub fn expires(&self) -> Option<UnixSeconds> {
        self.expires
    }
}

/// The name by which the operator's service knows a player (the claim `sub`): 1 to
/// [`SUBJECT_BYTES_MAX`] bytes without control characters. It is unique and does not change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Arc<str>);

impl Subject {
    /// Returns the subject `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentity::Subject`].
    pub fn new(text: &str) -> Result<Self, InvalidIdentity> {
        let text = printable(text, SUBJECT_BYTES_MAX).ok_or(InvalidIdentity::Subject)?;
        Ok(Self(text.into()))
    }

    /// Returns the subject as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Subject {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        Self::new(text)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Player => "player",
            Self::Spectator => "spectator",
            Self::Host => "host",
        })
    }
}

impl FromStr for Role {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let roles = [Self::Player, Self::Spectator, Self::Host];
        roles.into_iter().find(|role| role.to_string() == text).ok_or(InvalidIdentity::Role)
    }
}

/// A part of an identity that is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIdentity {
    /// The subject is empty, too long, or has control characters.
    #[error("invalid subject; use 1 to {SUBJECT_BYTES_MAX} bytes without control characters")]
    Subject,
    /// The name is empty, too long, or has control characters.
    #[error("invalid name; use 1 to {NAME_BYTES_MAX} bytes without control characters")]
    Name,
    /// The name of the room is empty, too long, or has control characters.
    #[error("invalid room; use 1 to {ROOM_BYTES_MAX} bytes without control characters")]
    Room,
    /// The text is no role.
    #[error("invalid role; use player, spectator or host")]
    Role,
    /// There are too many attributes, or they are too long.
    #[error(
        "too many attributes; use at most {ATTRIBUTES_MAX}, with at most {ATTRIBUTES_BYTES_MAX} \
         bytes of JSON"
    )]
    Attributes,
}

/// Returns `text` if it has 1 to `bytes_max` bytes and no control characters.
fn printable(text: &str, bytes_max: usize) -> Option<&str> {
    let is_printable = !text.chars().any(char::is_control);
    (is_printable && (1..=bytes_max).contains(&text.len())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_printable() {
        let longest = "x".repeat(SUBJECT_BYTES_MAX);
        for subject in ["k", "kay@example.org", "Käthe 7", &longest] {
            assert_eq!(Subject::new(subject).unwrap().as_str(), subject);
        }
        let too_long = "x".repeat(SUBJECT_BYTES_MAX + 1);
        let kay = || Identity::new(Subject::new("kay").unwrap());
        for text in ["", "a\nb", "\u{7f}", "\0", "\u{85}", &too_long] {
            assert_eq!(Subject::new(text), Err(InvalidIdentity::Subject), "{text:?}");
            assert_eq!(kay().with_name(text), Err(InvalidIdentity::Name), "{text:?}");
            assert_eq!(kay().with_room(text), Err(InvalidIdentity::Room), "{text:?}");
        }
    }

    #[test]
    fn roles_are_read_from_their_own_text() {
        for role in [Role::Player, Role::Spectator, Role::Host] {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.to_string());
        }
        assert_eq!("Host".parse::<Role>(), Err(InvalidIdentity::Role));
    }
}
