//! Settings of RPC methods: allowed callers and transfer.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "programs build configs; Godot lists a method's settings"
)]

use mp_core::{Channel, TransferMode};

use super::RateLimit;

/// Godot's `MultiplayerAPI.RPCMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RpcMode {
    /// No peer may call the method (0).
    Disabled = 0,
    /// Any peer may call the method (1).
    AnyPeer = 1,
    /// The peer that has authority over the node may call the method (2).
    Authority = 2,
}

/// Settings of an RPC method, as in Godot's `@rpc(…)`. Default: those of a bare `@rpc`: authority,
/// not local, reliable, channel 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RpcConfig {
    /// The allowed callers. Only the receiver checks them.
    pub mode: RpcMode,
    /// True if a call also runs locally.
    pub call_local: bool,
    /// The transfer mode of calls.
    pub transfer_mode: TransferMode,
    /// The channel of calls.
    pub channel: Channel,
    /// Maximum rate of the calls of one peer to one node (default: no limit). Calls above it are
    /// dropped without decoding their arguments, and counted as
    /// [`CallRateExceeded`](crate::Refusal::CallRateExceeded). Only the receiver enforces it.
    pub rate: Option<RateLimit>,
    /// Maximum size of the encoded arguments of a call in bytes (default: no limit but that of
    /// packets). Larger calls are dropped without decoding them, and counted as
    /// [`CallTooLarge`](crate::Refusal::CallTooLarge). Only the receiver enforces it.
    pub max_bytes: Option<u32>,
}

impl RpcConfig {
    /// `@rpc("authority")`: only the node's authority may call it.
    pub const fn authority() -> Self {
        Self {
            mode: RpcMode::Authority,
            call_local: false,
            transfer_mode: TransferMode::Reliable,
            channel: Channel(0),
            rate: None,
            max_bytes: None,
        }
    }

    /// `@rpc("any_peer")`: any peer may call it.
    pub const fn any_peer() -> Self {
        Self { mode: RpcMode::AnyPeer, ..Self::authority() }
    }

    /// A method that has an id but that no peer may call.
    pub const fn disabled() -> Self {
        Self { mode: RpcMode::Disabled, ..Self::authority() }
    }

    /// `"call_local"`: a call also runs locally.
    #[must_use]
    pub const fn call_local(self) -> Self {
        Self { call_local: true, ..self }
    }

    /// `"unreliable"`: calls may be lost or reordered.
    #[must_use]
    pub const fn unreliable(self) -> Self {
        Self { transfer_mode: TransferMode::Unreliable, ..self }
    }

    /// `"unreliable_ordered"`: calls may be lost.
    #[must_use]
    pub const fn unreliable_ordered(self) -> Self {
        Self { transfer_mode: TransferMode::UnreliableOrdered, ..self }
    }

    /// Sets the transfer channel.
    #[must_use]
    pub const fn channel(self, channel: u8) -> Self {
        Self { channel: Channel(channel), ..self }
    }

    /// Sets the maximum [rate](Self::rate) of the calls of one peer to one node.
    #[must_use]
    pub const fn rate(self, rate: RateLimit) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// Sets the [maximum size](Self::max_bytes) of a call's encoded arguments in bytes.
    #[must_use]
    pub const fn max_bytes(self, bytes: u32) -> Self {
        Self { max_bytes: Some(bytes), ..self }
    }
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self::authority()
    }
}
