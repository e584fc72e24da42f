//! Decoded packets.
#![expect(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "observers match on them")]

use std::rc::Rc;

use bytes::Bytes;
use mp_core::{PeerId, Variant};
use mp_scene::PacketKind;
use mp_scene::codec::DecodeError;

use crate::WireKind;

/// A decoded packet. Its text ([`Display`](std::fmt::Display)) is one line of bounded length
/// without control characters. It shows neither the bytes of authentications nor
/// [masked](DecodedArgument::is_masked) arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedPacket {
    /// For a relayed packet: to the server, its receivers as Godot's number (0: all other peers,
    /// negative: all except one); from the server, its sender.
    pub relay: Option<i32>,
    /// Content.
    pub message: WireMessage,
}

/// The content of a packet.
#[derive(Clone, Debug, PartialEq)]
pub enum WireMessage {
    /// A call.
    Call(DecodedCall),
    /// The announcement of a node's id (SIMPLIFY_PATH).
    Announce {
        /// Id.
        id: u32,
        /// Path.
        path: Rc<str>,
        /// Script of the project with these methods.
        script: Option<Rc<str>>,
    },
    /// The confirmation of a node's id (CONFIRM_PATH).
    Confirm {
        /// Node.
        node: NodeName,
        /// False if the methods of both peers differ.
        checksum_ok: bool,
    },
    /// Bytes of the program.
    Raw(Bytes),
    /// A spawned node.
    Spawn {
        /// Path, as far as it is known.
        path: Rc<str>,
        /// `res://…` path of the scene, if it is known; else its number, or the data of a custom
        /// spawn.
        source: SpawnedFrom,
        /// The sender's id of the node.
        net_id: u32,
        /// The spawn properties of all synchronizers.
        state: DecodedProperties,
    },
    /// A removed node.
    Despawn {
        /// The sender's id of the node.
        net_id: u32,
        /// Path, if it is known.
        path: Option<Rc<str>>,
    },
    /// Properties that are always sent (SYNC).
    Sync {
        /// Sequence number.
        time: u16,
        /// Properties by synchronizer.
        elements: Vec<DecodedElement>,
    },
    /// Changed properties (DELTA).
    Delta(Vec<DecodedElement>),
    /// Bytes of an authentication, of which only the number is known. None completes it.
    Auth(usize),
    /// Another client has joined.
    AddPeer(PeerId),
    /// Another client has left.
    DelPeer(PeerId),
    /// A malformed packet.
    Malformed {
        /// Error.
        error: DecodeError,
        /// Content; empty if it may belong to an authentication.
        bytes: Bytes,
    },
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeName {
    /// Path relative to the multiplayer root.
    Path(Rc<str>),
    /// Id whose announcement was not observed.
    Id(u32),
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedCall {
    /// Node.
    pub node: NodeName,
    /// Id of the method.
    pub method: u16,
    /// Name of the method, if it is known.
    pub method_name: Option<Rc<str>>,
    /// Arguments.
    pub args: Vec<DecodedArgument>,
    /// False if arguments are malformed; those are null.
    pub complete: bool,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedArgument {
    /// Name, if it is known.
    pub name: Option<Rc<str>>,
    /// Value.
    pub value: Variant,
    /// True if the text shows `…` instead of the value, because the name says that it is secret.
    pub is_masked: bool,
}

/// The source of a spawned node.
#[derive(Clone, Debug, PartialEq)]
pub enum SpawnedFrom {
    /// `res://…` path of a scene.
    Scene(Rc<str>),
    /// Number of a scene in the spawner's list.
    Number(u8),
    /// Argument of the spawner's function.
    Data(Variant),
}

/// The properties of a synchronizer.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedElement {
    /// Synchronizer.
    pub synchronizer: NodeName,
    /// Properties.
    pub properties: DecodedProperties,
}

/// Values of properties.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodedProperties {
    /// Names, as many as values; empty if they are unknown.
    pub names: Vec<Rc<str>>,
    /// Values.
    pub values: Vec<Variant>,
    /// Number of bytes after the last value that could be decoded.
    pub malformed_bytes: usize,
}

impl DecodedPacket {
    /// Returns the kind: that of the content, for a relayed packet as well.
    pub fn kind(&self) -> WireKind {
        WireKind::Scene(match &self.message {
            WireMessage::Call(_) => PacketKind::Rpc,
            WireMessage::Announce { .. } | WireMessage::Confirm { .. } => PacketKind::Path,
            WireMessage::Raw(_) => PacketKind::Raw,
            WireMessage::Spawn { .. } => PacketKind::Spawn,
            WireMessage::Despawn { .. } => PacketKind::Despawn,
            WireMessage::Sync { .. } => PacketKind::Sync,
            WireMessage::Delta(_) => PacketKind::Delta,
            WireMessage::Auth(_) => PacketKind::Auth,
            WireMessage::AddPeer(_) | WireMessage::DelPeer(_) => PacketKind::Sys,
            WireMessage::Malformed { .. } => return WireKind::Malformed,
        })
    }
}
