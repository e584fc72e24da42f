//! [`Seen`]: the part of a packet that a watcher of a client sees.

use bytes::Bytes;
use mp_core::PeerId;
use mp_scene::codec::Limits;
use mp_scene::{Codec, PacketKind, SceneMessage};

/// A change that a client has received, or announced to the others.
#[derive(Debug)]
pub(super) enum Seen {
    AddPeer(PeerId),
    RemovePeer(PeerId),
    /// A packet of a peer.
    Packet(PeerId, Bytes),
}

impl Seen {
    /// Returns the part of a packet that the client `author` sends: of its own nodes, and to all
    /// others.
    pub(super) fn sent(author: PeerId, packet: &Bytes) -> Option<Self> {
        match Codec::default().kind(packet)? {
            PacketKind::Path
            | PacketKind::Spawn
            | PacketKind::Despawn
            | PacketKind::Sync
            | PacketKind::Delta => Some(Self::Packet(author, packet.clone())),
            PacketKind::Relay => {
                let decoded = Codec::default().decode(packet, &Limits::default());
                let Ok(SceneMessage::Relay { peer, inner }) = decoded else { return None };
                let kind = Codec::default().kind(&inner);
                let is_shown = matches!(kind, Some(PacketKind::Rpc | PacketKind::Raw));
                (peer <= 0 && is_shown).then_some(Self::Packet(author, inner))
            }
            _ => None,
        }
    }

    /// Returns the part of a packet that a client receives.
    pub(super) fn received(packet: &Bytes) -> Option<Self> {
        match Codec::default().kind(packet)? {
            PacketKind::Sys | PacketKind::Relay => {
                match Codec::default().decode(packet, &Limits::default()).ok()? {
                    SceneMessage::AddPeer(peer) => Some(Self::AddPeer(peer)),
                    SceneMessage::DelPeer(peer) => Some(Self::RemovePeer(peer)),
                    SceneMessage::Relay { peer, inner } => {
                        Some(Self::Packet(PeerId::new(peer)?, inner))
                    }
                    _ => None,
                }
            }
            PacketKind::Auth => None,
            _ => Some(Self::Packet(PeerId::SERVER, packet.clone())),
        }
    }
}
