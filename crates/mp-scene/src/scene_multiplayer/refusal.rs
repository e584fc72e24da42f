//! Reasons for which received packets are refused, and a counter for each.

use mp_core::PeerId;

/// Why a message is not acted on.
#[derive(Debug)]
pub(crate) enum NotAccepted {
    /// There is no node at this path, which may yet come.
    Absent(String),
    /// The node had been at this path when the peer numbered it, and has left.
    Gone(String),
    /// It never will be accepted.
    Refused(Refusal),
}

impl From<Refusal> for NotAccepted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Reason for which a received packet, or a part of one, was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$doc])* #[error($text)] $name,)*
        }

        impl Refusal {
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

refusals! {
    /// A server announced a client to itself.
    AnnouncedToItself => "a peer is announced to itself",
    /// An AUTH message of a peer that is admitted.
    AuthenticationOver => "the authentication is over",
    /// A RELAY that is not from the server, or not for a peer.
    BadRelay => "only the server relays, and only for peers",
    /// A packet of which no message can be decoded.
    Malformed => "the packet is malformed",
    /// An announced scene with other synchronizers than the local one.
    MismatchedAnnouncement => "the announced synchronizers do not match those of the scene",
    /// A call of a node whose methods the peer numbers in another way.
    MismatchedMethods => "the peer numbers the node's RPC methods in another way",
    /// A name that no node can have, or that Godot makes up.
    NameNotPlain => "no spawner announces a node of this name",
    /// A SPAWN beside a node of its name.
    NameTaken => "there is a node of this name",
    /// A SYS message within a relayed packet.
    NestedSys => "a relayed packet contains a SYS message",
    /// A SPAWN with a net id that is in use.
    NetIdTaken => "the net id is in use",
    /// A number that stands for no RPC method.
    NoMethod => "there is no such RPC method",
    /// A path at which there is no node, or where none came in time.
    NoNode => "there is no such node",
    /// A DELTA of properties that the synchronizer has not.
    NoProperty => "the synchronizer has none of the changed properties",
    /// A SPAWN by a spawner whose spawn path leads nowhere.
    NoSpawnParent => "the spawner has no spawn parent",
    /// A SPAWN by a node that is no spawner.
    NoSpawner => "the node is no spawner",
    /// An element of a node that is no synchronizer, or for one that was never announced.
    NoSynchronizer => "there is no such synchronizer",
    /// A number or name of a node that has left since.
    NodeLeft => "the node has left",
    /// A packet of a pending peer that is no AUTH.
    NotAdmitted => "the peer is not admitted yet",
    /// A call of a method that the peer may not call.
    NotAllowed => "the peer may not call the method",
    /// An ADD_PEER or DEL_PEER of a peer that is no relaying server.
    NotFromServer => "only a relaying server announces peers",
    /// A SPAWN whose scene or data makes no node here.
    NothingSpawned => "nothing can be made of the announcement",
    /// A SIMPLIFY_PATH with a number that is in use.
    NumberTaken => "the number is in use",
    /// A packet that shows that only one side authenticates.
    OneSidedAuthentication => "only one side authenticates",
    /// A path that leaves the multiplayer root.
    OutsideRoot => "the path leaves the multiplayer root",
    /// A RELAY, ADD_PEER or DEL_PEER with the relay disabled here.
    RelayDisabled => "the relay is disabled here",
    /// A message for, or of, a spawner that another peer has authority over.
    SpawnerAuthority => "the peer has no authority over the spawner",
    /// An element for a synchronizer that another peer has authority over.
    SynchronizerAuthority => "the peer has no authority over the synchronizer",
    /// More SIMPLIFY_PATHs than fit.
    TooManyNumbers => "the peer has numbered too many nodes",
    /// More SPAWNs than fit.
    TooManySpawns => "the peer has spawned too many nodes",
    /// A SPAWN of a node that the tree does not accept.
    TreeRefused => "the tree refuses the node",
    /// A SYNC or DELTA with an incomplete element.
    TruncatedElement => "an element is cut off",
    /// A call with values that have no form here.
    UndecodableArguments => "the arguments of the call cannot all be decoded",
    /// A DESPAWN of a node that the peer did not announce.
    UnknownNetId => "the peer has announced no such node",
    /// A number that the peer did not announce.
    UnknownNumber => "unknown node number",
    /// A SPAWN of a peer that does not take part yet.
    UnknownPeer => "the peer does not take part",
    /// An element with values that cannot be decoded.
    UnreadableValues => "the values of an element cannot be read",
}

/// How often packets were refused for each reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusals([u64; Refusal::ALL.len()]);

impl Refusals {
    /// How often a packet was refused for this reason.
    pub fn get(&self, refusal: Refusal) -> u64 {
        self.0[refusal as usize]
    }

    /// The reasons that occurred, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u64)> {
        let counted = Refusal::ALL.iter().map(|&refusal| (refusal, self.get(refusal)));
        counted.filter(|&(_, count)| count > 0)
    }

    /// Counts a refusal. It is logged at debug only, because peers cause it.
    pub(super) fn count(&mut self, from: PeerId, refusal: Refusal) {
        tracing::debug!(sender = %from, %refusal, "refused");
        self.add(refusal, 1);
    }

    pub(super) fn add(&mut self, refusal: Refusal, count: u64) {
        self.0[refusal as usize] += count;
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        for (sum, count) in self.0.iter_mut().zip(others.0) {
            *sum += count;
        }
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self([0; Refusal::ALL.len()])
    }
}
