//! Identifiers of a cluster: [`ClusterName`], [`ClusterId`], [`ClusterNodeId`], [`LinkId`] and
//! [`Epoch`].

use std::fmt;
use std::str::FromStr;

use mp_core::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A cluster. Two clusters may share a bus: nodes refuse the frames of another cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(u64);

impl ClusterId {
    /// Returns the id of the cluster with this name.
    pub fn named(name: &str) -> Self {
        let hash: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        Self(hash.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }
}

/// The name of a cluster: 1 to 32 of `A` to `Z`, `a` to `z`, `0` to `9`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterName(String);

/// The error of a text that is no name of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name of a cluster has 1 to 32 letters, digits, \"-\" and \"_\"")]
#[non_exhaustive]
pub struct InvalidClusterName;

impl ClusterName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id of the cluster.
    pub fn id(&self) -> ClusterId {
        ClusterId::named(&self.0)
    }
}

impl FromStr for ClusterName {
    type Err = InvalidClusterName;

    fn from_str(text: &str) -> Result<Self, InvalidClusterName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_name = (1..=32).contains(&text.len()) && text.bytes().all(is_allowed);
        is_name.then(|| Self(text.to_owned())).ok_or(InvalidClusterName)
    }
}

/// Returns the name `mp`.
impl Default for ClusterName {
    fn default() -> Self {
        Self("mp".to_owned())
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A start of a server process in a cluster. A process that is started again is another node, so
/// that nothing that was meant for the earlier process reaches it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterNodeId(u64);

impl ClusterNodeId {
    /// Returns a random id. The generator must be seeded by the operating system
    /// ([`os_seed`](mp_core::host::os_seed)) and not be used by another node.
    pub fn random(rng: &mut Rng) -> Self {
        Self(rng.next_u64())
    }

    /// Returns the id with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the tag of the tickets of the node's seats: the lower 32 bits of its number.
    pub const fn ticket_tag(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }

    /// Returns the smallest number of the node's rooms. Nodes have different ones, by 21 bits of
    /// their number, and a room's number is below 2^53, which JSON carries exactly.
    pub const fn first_room(self) -> u64 {
        (self.0 & 0x1f_ffff) << 32 | 1
    }
}

impl fmt::Display for ClusterNodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for ClusterNodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterNodeId({self})")
    }
}

/// A pair of gateways, among those that the node of the near gateway has opened. Numbers ascend and
/// are not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkId(pub(crate) u64);

/// A request of a node, among those that it has sent. Its answer has the same number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct NodeRequestId(u64);

impl NodeRequestId {
    /// Returns the id with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The revision of the room's record in the directory, with which the room's owner has claimed it.
/// Each node that adopts a room has a greater one, so that frames of an earlier owner are
/// recognized and refused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Epoch(u64);

impl Epoch {
    /// Returns the epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
