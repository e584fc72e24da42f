//! Who is who: participants ([`PeerId`]), links of a transport ([`ConnectionId`]), sockets ([`EndpointId`]) and
//! branches ([`BranchId`]).
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "ids and targets are values: their fields are all that they are"
)]

#[cfg(feature = "serde")]
mod numbers;

use std::fmt;

/// A participant of a multiplayer session: Godot's peer id, 1 to 2³¹ − 1.
///
/// The server is 1; a client of ENet draws its own id, a WebSocket server draws them for its clients. An id is a
/// label, not a proof of identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(i32);

impl PeerId {
    /// The server of a session (Godot: `TARGET_PEER_SERVER`).
    pub const SERVER: Self = Self(1);

    /// The id `raw`, or `None` when it is not positive: Godot's wire carries ids as signed 32-bit integers in which
    /// 0 and the negative numbers mean several peers (see [`Target`]).
    pub const fn new(raw: i32) -> Option<Self> {
        if raw > 0 { Some(Self(raw)) } else { None }
    }

    /// The id of a client that `random` decides: 31 bits, never 0 and never the server's 1.
    #[doc(alias = "generate_unique_id")]
    pub fn generate(rng: &mut crate::Rng) -> Self {
        loop {
            let raw = (rng.next_u32() & 0x7FFF_FFFF) as i32;
            if raw > 1 {
                return Self(raw);
            }
        }
    }

    /// The number that travels on the wire.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Whether this is the server, id 1.
    pub const fn is_server(self) -> bool {
        self.0 == 1
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

/// Whom a call or a packet is for. In Godot one signed number: 0, a positive id, or a negated id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Everybody (0; Godot: `TARGET_PEER_BROADCAST`).
    All,
    /// Everybody but one (−id).
    AllExcept(PeerId),
    /// One peer (id).
    Peer(PeerId),
}

impl Target {
    /// The server alone.
    pub const SERVER: Self = Self::Peer(PeerId::SERVER);

    /// Godot's number for this target.
    pub const fn to_raw(self) -> i32 {
        match self {
            Self::All => 0,
            Self::AllExcept(id) => -id.get(),
            Self::Peer(id) => id.get(),
        }
    }

    /// The target of Godot's number. −2³¹ names no peer; it excludes nobody and therefore means everybody.
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

    /// Whether `id` is meant.
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

/// One link of a transport: a slot and the generation that uses it, unique within its endpoint for as long as the
/// endpoint lives. A connection is not a participant: a branch decides which [`PeerId`] it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConnectionId {
    /// Index of the slot; slots are used again.
    pub slot: u32,
    /// How many links used the slot before this one.
    pub generation: u32,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// One endpoint (a socket, or one shard of it) among those that serve a branch. The host that starts endpoints
/// numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EndpointId(pub u32);

/// One branch among those that an endpoint knows. The host that starts branches numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BranchId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_keeps_its_number() {
        for raw in [0, 1, 2, -1, -2, i32::MAX, -i32::MAX] {
            assert_eq!(Target::from_raw(raw).to_raw(), raw);
        }
        assert_eq!(Target::from_raw(i32::MIN), Target::All);
    }

    #[test]
    fn generated_ids_are_never_the_server() {
        let mut rng = crate::Rng::from_seed([7; 32]);
        assert!((0..1000).all(|_| PeerId::generate(&mut rng).get() > 1));
    }
}
