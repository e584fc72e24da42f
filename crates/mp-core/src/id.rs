//! Identifiers: participants ([`PeerId`]), connections of a transport ([`ConnectionId`]), sockets
//! ([`EndpointId`]) and branches ([`BranchId`]).
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "plain values with public fields"
)]

#[cfg(feature = "serde")]
mod numbers;

use std::fmt;
use std::str::FromStr;

/// A participant of a multiplayer session: Godot's peer id, 1 to 2³¹ − 1.
///
/// The server is 1. An ENet client chooses its own id; a WebSocket server assigns ids to its
/// clients. A peer id is a label and does not prove an identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(i32);

impl PeerId {
    /// The server of a session (Godot: `TARGET_PEER_SERVER`).
    pub const SERVER: Self = Self(1);

    /// Returns the id `raw`, or `None` when it is not positive. Godot transmits ids as signed
    /// 32-bit integers, in which 0 and negative numbers stand for several peers (see [`Target`]).
    pub const fn new(raw: i32) -> Option<Self> {
        if raw > 0 { Some(Self(raw)) } else { None }
    }

    /// Returns a random client id: 31 bits, never 0 and never the server's 1.
    #[doc(alias = "generate_unique_id")]
    pub fn generate(rng: &mut crate::Rng) -> Self {
        loop {
            let raw = (rng.next_u32() & 0x7FFF_FFFF) as i32;
            if raw > 1 {
                return Self(raw);
            }
        }
    }

    /// Returns the number that is sent over the network.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Returns whether this is the server, id 1.
    pub const fn is_server(self) -> bool {
        self.0 == 1
    }
}

/// The error of parsing a [`PeerId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a peer id; use a number from 1 to 2147483647")]
#[non_exhaustive]
pub struct ParsePeerIdError(pub String);

/// Parses a decimal number, such as the name of a node that belongs to a peer.
impl FromStr for PeerId {
    type Err = ParsePeerIdError;

    fn from_str(text: &str) -> Result<Self, ParsePeerIdError> {
        let id = text.parse().ok().and_then(Self::new);
        id.ok_or_else(|| ParsePeerIdError(text.to_owned()))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({})", self.0)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The receivers of a call or a packet. Godot uses one signed number: 0, a positive id, or a
/// negated id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// All peers (0; Godot: `TARGET_PEER_BROADCAST`).
    All,
    /// All peers but one (−id).
    AllExcept(PeerId),
    /// One peer (id).
    Peer(PeerId),
}

impl Target {
    /// The server only.
    pub const SERVER: Self = Self::Peer(PeerId::SERVER);

    /// Returns Godot's number of this target.
    pub const fn to_raw(self) -> i32 {
        match self {
            Self::All => 0,
            Self::AllExcept(id) => -id.get(),
            Self::Peer(id) => id.get(),
        }
    }

    /// Returns the target of Godot's number `raw`. −2³¹ excludes no peer id and therefore stands
    /// for all peers.
    pub const fn from_raw(raw: i32) -> Self {
        if let Some(id) = PeerId::new(raw) {
            return Self::Peer(id);
        }
        match raw.checked_neg() {
            Some(negated) => match PeerId::new(negated) {
                Some(id) => Self::AllExcept(id),
                None => Self::All,
            },
            None => Self::All,
        }
    }

    /// Returns whether `id` is one of the receivers.
    pub fn includes(self, id: PeerId) -> bool {
        match self {
            Self::All => true,
            Self::AllExcept(excluded) => id != excluded,
            Self::Peer(only) => id == only,
        }
    }
}

impl From<PeerId> for Target {
    fn from(id: PeerId) -> Self {
        Self::Peer(id)
    }
}

/// A connection of a transport: a slot and the generation that uses it. It is unique within its
/// endpoint for the endpoint's lifetime.
///
/// A connection is not a participant: a branch decides which [`PeerId`] it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConnectionId {
    /// Index of the slot. Slots are reused.
    pub slot: u32,
    /// Number of earlier connections in the slot.
    pub generation: u32,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// An endpoint (a socket, or one shard of it) among those that serve a branch. The host that starts
/// endpoints assigns the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EndpointId(pub u32);

/// A branch among those that an endpoint serves. The host that starts branches assigns the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BranchId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_round_trip_through_godot_numbers() {
        for raw in [0, 1, 2, -1, -2, i32::MAX, -i32::MAX] {
            assert_eq!(Target::from_raw(raw).to_raw(), raw);
        }
        assert_eq!(Target::from_raw(i32::MIN), Target::All);
    }

    #[test]
    fn ids_round_trip_through_their_text() {
        for id in [PeerId::SERVER, PeerId(i32::MAX)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["0", "-2", "2147483648", "", "x", " 7"] {
            let error = text.parse::<PeerId>().unwrap_err();
            assert_eq!(error, ParsePeerIdError(text.to_owned()));
        }
    }

    #[test]
    fn generated_ids_are_never_the_server() {
        let mut rng = crate::Rng::from_seed([7; 32]);
        assert!((0..1000).all(|_| PeerId::generate(&mut rng).get() > 1));
    }
}
