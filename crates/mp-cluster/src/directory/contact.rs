//! [`NodeContact`]: the name of a node, and the addresses at which players reach it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{ADDRESS_BYTES_MAX, NODE_NAME_BYTES_MAX};
use crate::wire::bounded::{List, Text};

/// The name of a node, and the addresses at which players reach it. Both are empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeContact {
    name: Option<ClusterNodeName>,
    addresses: BTreeMap<AddressKind, NodeAddress>,
}

/// The name of a node for operators: 1 to 64 of `A` to `Z`, `a` to `z`, `0` to `9`, `-`, `_` and
/// `.`. Names need not be unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterNodeName(String);

/// The error of a text that is no name of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name of a node has 1 to 64 letters, digits, \"-\", \"_\" and \".\"")]
#[non_exhaustive]
pub struct InvalidClusterNodeName;

/// The kind of an address of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AddressKind {
    /// `HOST:PORT`, or `dtls://HOST:PORT`.
    Enet,
    /// URL of the WebSocket port.
    WebSocket,
    /// URL of the signaling of WebRTC players.
    WebRtc,
    /// URL of the HTTP port for matchmaking.
    Matchmaking,
}

/// An address of a node: 1 to 200 printable ASCII characters without spaces. Nodes pass it on to
/// players, and do not connect to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress(String);

/// The error of a text that is no address of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address of a node has 1 to 200 printable ASCII characters without spaces")]
#[non_exhaustive]
pub struct InvalidNodeAddress;

/// The part of a registration that has the contact. Kinds that a later version adds are ignored.
#[derive(Serialize, Deserialize)]
pub(super) struct WireContact<'a> {
    #[serde(borrow)]
    name: Option<Text<'a, NODE_NAME_BYTES_MAX>>,
    #[serde(borrow)]
    addresses: List<(u8, Text<'a, ADDRESS_BYTES_MAX>), ADDRESSES_MAX>,
}

/// Addresses of a contact of this version or a later one.
const ADDRESSES_MAX: usize = 16;

impl NodeContact {
    /// Returns the contact with a name.
    #[must_use]
    pub fn with_name(mut self, name: Option<ClusterNodeName>) -> Self {
        self.name = name;
        self
    }

    /// Returns the contact with an address, in place of an earlier one of the kind.
    #[must_use]
    pub fn with_address(mut self, kind: AddressKind, address: NodeAddress) -> Self {
        self.addresses.insert(kind, address);
        self
    }

    /// Returns the name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| name.0.as_str())
    }

    /// Returns the address of a kind.
    pub fn address(&self, kind: AddressKind) -> Option<&str> {
        self.addresses.get(&kind).map(|address| address.0.as_str())
    }

    /// Returns whether players can reach the node.
    pub fn is_reachable(&self) -> bool {
        self.addresses.keys().any(|kind| *kind != AddressKind::Matchmaking)
    }

    pub(super) fn to_wire(&self) -> WireContact<'_> {
        let addresses = self.addresses.iter().map(|(kind, it)| (kind.number(), Text(&it.0)));
        WireContact { name: self.name().map(Text), addresses: List(addresses.collect()) }
    }

    /// Returns the contact that was encoded; `None` if a value is not allowed.
    pub(super) fn from_wire(wire: &WireContact<'_>) -> Option<Self> {
        let name = match &wire.name {
            Some(name) => Some(name.0.parse().ok()?),
            None => None,
        };
        let mut contact = Self::default().with_name(name);
        for (number, address) in &wire.addresses.0 {
            let kind = AddressKind::ALL.into_iter().find(|kind| kind.number() == *number);
            let Some(kind) = kind else { continue };
            contact = contact.with_address(kind, address.0.parse().ok()?);
        }
        Some(contact)
    }
}

impl AddressKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Enet, Self::WebSocket, Self::WebRtc, Self::Matchmaking];

    /// Returns the name of the kind in settings and responses.
    pub fn label(self) -> &'static str {
        match self {
            Self::Enet => "enet",
            Self::WebSocket => "websocket",
            Self::WebRtc => "webrtc",
            Self::Matchmaking => "match",
        }
    }

    /// Returns the number of the kind in a registration, which does not change.
    fn number(self) -> u8 {
        match self {
            Self::Enet => 0,
            Self::WebSocket => 1,
            Self::WebRtc => 2,
            Self::Matchmaking => 3,
        }
    }
}

impl ClusterNodeName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterNodeName {
    type Err = InvalidClusterNodeName;

    fn from_str(text: &str) -> Result<Self, InvalidClusterNodeName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name =
            (1..=NODE_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
        is_name.then(|| Self(text.to_owned())).ok_or(InvalidClusterNodeName)
    }
}

impl fmt::Display for ClusterNodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NodeAddress {
    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeAddress {
    type Err = InvalidNodeAddress;

    fn from_str(text: &str) -> Result<Self, InvalidNodeAddress> {
        let is_address = (1..=ADDRESS_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_address.then(|| Self(text.to_owned())).ok_or(InvalidNodeAddress)
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
