//! The settings of [`SceneMultiplayer`].

use std::time::Duration;

use mp_core::PeerId;

#[cfg(doc)]
use super::Refusal;
use super::{GodotQuirks, PacketSizeError, SceneMultiplayer};
use crate::codec::Objects;

impl SceneMultiplayer {
    /// Sets whether clients see each other and reach each other through the server (default: true).
    /// The setting matters on the server and on clients.
    ///
    /// A change during a session applies to peers that are admitted afterwards. Two peers that were
    /// announced to each other are still notified when one of them leaves, and other peers are not
    /// announced afterwards.
    pub fn set_server_relay(&mut self, relay: bool) {
        self.session.set_server_relay(relay);
    }

    /// Sets which peers may send to others through the server, for example players but not
    /// spectators (default: all). `may_send` is called once for each peer, when it is admitted.
    ///
    /// Packets of a peer that may not are refused ([`Refusal::MayNotRelay`]), except confirmations
    /// and announcements of paths, without which others could not send properties to it. It
    /// receives the packets of others, and may send to the server. A
    /// [relay policy](crate::BranchBuilder::relay_policy) forwards packets without this check.
    pub fn set_relay_permission(&mut self, may_send: impl Fn(PeerId) -> bool + Send + 'static) {
        self.session.set_relay_permission(may_send);
    }

    /// Sets the unsafe behavior of Godot that is allowed (default: none).
    pub fn set_quirks(&mut self, quirks: GodotQuirks) {
        self.quirks = quirks;
    }

    /// Sets whether a peer that exceeds a limit of an RPC ([`RpcConfig::rate`],
    /// [`RpcConfig::max_bytes`]) is disconnected (default: false, only the call is dropped). A
    /// relayed peer is not.
    ///
    /// [`RpcConfig::rate`]: crate::rpc::RpcConfig::rate
    /// [`RpcConfig::max_bytes`]: crate::rpc::RpcConfig::max_bytes
    pub fn set_disconnect_over_limits(&mut self, disconnect: bool) {
        self.disconnects_over_limits = disconnect;
    }

    /// Sets whether objects are sent with their content (default: false, only their ids). Received
    /// objects are data, whatever class they name: no object is created and no code is run.
    pub fn set_allow_object_decoding(&mut self, allow: bool) {
        self.sender.wire_mut().set_allow_object_decoding(allow);
    }

    /// Sets whether every endpoint refuses new connections (default: false).
    pub fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.session.set_refuse_new_connections(&mut self.sender, refuse);
    }

    /// Sets the maximum size of a SYNC packet (properties that are always sent), in bytes without
    /// the transport's headers. Default: 1350, minimum: 128. A packet with a single synchronizer
    /// may exceed it by 11 bytes of headers.
    ///
    /// # Errors
    ///
    /// Returns an error if `size` is less than 128.
    pub fn set_max_sync_packet_size(&mut self, size: usize) -> Result<(), PacketSizeError> {
        let size = PacketSizeError::check("max_sync_packet_size", size)?;
        self.replication.set_sync_packet_max(size);
        Ok(())
    }

    /// Sets the maximum size of a DELTA packet (properties that are sent when they change), in
    /// bytes without the transport's headers. Default: 65535, minimum: 128. A packet with a single
    /// synchronizer may exceed it by 17 bytes of headers.
    ///
    /// # Errors
    ///
    /// Returns an error if `size` is less than 128.
    pub fn set_max_delta_packet_size(&mut self, size: usize) -> Result<(), PacketSizeError> {
        let size = PacketSizeError::check("max_delta_packet_size", size)?;
        self.replication.set_delta_packet_max(size);
        Ok(())
    }

    /// Sets the time without a packet after which a peer is disconnected (default: 30 s; zero: no
    /// limit), on transports whose connections outlive the program of the remote peer: WebRTC. The
    /// silence of all peers begins again.
    ///
    /// A peer that has sent nothing for 10 s (or half the timeout, if that is shorter) is probed
    /// with a SIMPLIFY_PATH of the root, which Godot confirms by itself. So a peer that only
    /// listens stays, and one whose main loop has stopped is disconnected; that includes web
    /// exports in hidden tabs, whose frames browsers stop. Paused peers are not disconnected.
    ///
    /// Each probe uses a new path id, which takes about 100 bytes at a Godot peer until it leaves.
    /// A Godot peer whose multiplayer root has other RPC methods than the local one logs an error
    /// for each probe.
    pub fn set_silence_timeout(&mut self, timeout: Duration) {
        self.session.set_silence_timeout(timeout);
    }

    /// Returns the time without a packet after which a peer is disconnected; zero: no limit.
    pub fn silence_timeout(&self) -> Duration {
        self.session.silence_timeout()
    }

    /// Returns whether clients see each other.
    #[doc(alias = "is_server_relay_enabled")]
    pub fn server_relay(&self) -> bool {
        self.session.server_relay()
    }

    /// Returns the maximum size of a SYNC packet in bytes.
    #[doc(alias = "get_max_sync_packet_size")]
    pub fn max_sync_packet_size(&self) -> usize {
        self.replication.sync_packet_max()
    }

    /// Returns the maximum size of a DELTA packet in bytes.
    #[doc(alias = "get_max_delta_packet_size")]
    pub fn max_delta_packet_size(&self) -> usize {
        self.replication.delta_packet_max()
    }

    /// Returns whether objects are sent with their content.
    pub fn is_object_decoding_allowed(&self) -> bool {
        self.sender.wire().objects() == Objects::Full
    }

    /// Returns whether new connections are refused.
    pub fn is_refusing_new_connections(&self) -> bool {
        self.session.refuses_new_connections()
    }

    /// Returns whether a peer that exceeds a limit of an RPC is disconnected.
    pub fn disconnects_over_limits(&self) -> bool {
        self.disconnects_over_limits
    }
}
