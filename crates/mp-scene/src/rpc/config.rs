//! Who may call a method, and how the call travels.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "programs build configs; Godot lists a method's settings"
)]

use mp_core::{Channel, TransferMode};

/// Godot's `MultiplayerAPI.RPCMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RpcMode {
    /// Nobody (0).
    Disabled = 0,
    /// Everybody (1).
    AnyPeer = 1,
    /// The peer that has authority over the node (2).
    Authority = 2,
}

/// How a method is called: what Godot's `@rpc(…)` says. By default as a bare `@rpc`: authority, not at home, reliable,
/// channel 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RpcConfig {
    /// Who may call it. Checked by the receiver only.
    pub mode: RpcMode,
    /// Whether a call also runs at home.
    pub call_local: bool,
    /// How the call travels.
    pub transfer_mode: TransferMode,
    /// The channel it travels on.
    pub channel: Channel,
}

impl RpcConfig {
    /// `@rpc("authority")`: only the node's authority may call it.
    pub const fn authority() -> Self {
        Self {
            mode: RpcMode::Authority,
            call_local: false,
            transfer_mode: TransferMode::Reliable,
            channel: Channel(0),
        }
    }

    /// `@rpc("any_peer")`: everybody may call it.
    pub const fn any_peer() -> Self {
        Self { mode: RpcMode::AnyPeer, ..Self::authority() }
    }

    /// Has an id, but nobody may call it.
    pub const fn disabled() -> Self {
        Self { mode: RpcMode::Disabled, ..Self::authority() }
    }

    /// `"call_local"`: runs at home too.
    #[must_use]
    pub const fn call_local(self) -> Self {
        Self { call_local: true, ..self }
    }

    /// `"unreliable"`.
    #[must_use]
    pub const fn unreliable(self) -> Self {
        Self { transfer_mode: TransferMode::Unreliable, ..self }
    }

    /// `"unreliable_ordered"`.
    #[must_use]
    pub const fn unreliable_ordered(self) -> Self {
        Self { transfer_mode: TransferMode::UnreliableOrdered, ..self }
    }

    /// The transfer channel.
    #[must_use]
    pub const fn channel(self, channel: u8) -> Self {
        Self { channel: Channel(channel), ..self }
    }
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self::authority()
    }
}
