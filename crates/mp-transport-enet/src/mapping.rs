//! Godot's transfer channels and modes on ENet's channels and flags.
//!
//! | transfer channel | mode | ENet channel | flags |
//! |---|---|---|---|
//! | 0 | reliable | 0 | reliable |
//! | 0 | unreliable ordered | 1 | unreliable fragment |
//! | 0 | unreliable | 1 | unsequenced, unreliable fragment |
//! | n > 0 | any | n + 1 | as above |
//!
//! A receiver tells the mode by the flags alone: an unreliable packet too large for one datagram arrives in order, as
//! [`TransferMode::UnreliableOrdered`]. (Godot 4.6.3 does the same.)

use bytes::Bytes;
use mp_core::{Channel, ConnectionId, DisconnectReason, Packet, SendError, TransferMode};

use crate::proto::{Host, HostSendError, PacketFlags, Payload};

/// The last transfer channel: ENet has 255 channels, of which transfer channel 0 takes two.
pub const LAST_CHANNEL: Channel = Channel(253);

/// ENet's channel for a transfer channel of at most [`LAST_CHANNEL`].
pub(crate) const fn to_enet_channel(channel: Channel, mode: TransferMode) -> u8 {
    match (channel.0, mode) {
        (0, TransferMode::Reliable) => 0,
        (0, TransferMode::Unreliable | TransferMode::UnreliableOrdered) => 1,
        (number, _) => number + 1,
    }
}

/// The transfer channel of ENet's.
pub(crate) const fn from_enet_channel(channel: u8) -> Channel {
    Channel(channel.saturating_sub(1))
}

/// ENet's flags for a mode.
pub(crate) fn to_flags(mode: TransferMode) -> PacketFlags {
    match mode {
        TransferMode::Reliable => PacketFlags::RELIABLE,
        TransferMode::UnreliableOrdered => PacketFlags::UNRELIABLE_FRAGMENT,
        TransferMode::Unreliable => PacketFlags::UNSEQUENCED | PacketFlags::UNRELIABLE_FRAGMENT,
    }
}

/// The mode of a delivered packet's flags.
pub(crate) const fn from_flags(flags: PacketFlags) -> TransferMode {
    if flags.contains(PacketFlags::RELIABLE) {
        TransferMode::Reliable
    } else if flags.contains(PacketFlags::UNSEQUENCED) {
        TransferMode::Unreliable
    } else {
        TransferMode::UnreliableOrdered
    }
}

/// A packet as Godot sees it.
pub(crate) fn packet(
    from: ConnectionId,
    channel: u8,
    flags: PacketFlags,
    payload: Bytes,
) -> Packet {
    Packet { from, mode: from_flags(flags), channel: from_enet_channel(channel), payload }
}

/// Queues a packet for a link, which is the only one it goes to or one of many.
///
/// # Errors
///
/// When the link is the only one and cannot take it.
pub(crate) fn send(
    host: &mut Host,
    link: ConnectionId,
    is_only: bool,
    channel: Channel,
    mode: TransferMode,
    payload: Payload,
) -> Result<(), SendError> {
    let (enet_channel, flags) = (to_enet_channel(channel, mode), to_flags(mode));
    match host.send(link, enet_channel, flags, payload) {
        Ok(()) => {}
        Err(HostSendError::NoChannel { count, .. }) if is_only => {
            let last = count.saturating_sub(2);
            return Err(SendError::Channel { channel: channel.0, last });
        }
        Err(HostSendError::TooLarge { len, max }) if is_only => {
            return Err(SendError::TooLarge { len, max });
        }
        // One link among many that agreed on less than the others must not keep a packet from them; it cannot have what
        // it is owed, so it ends.
        Err(_) if mode.is_reliable() => host.fail(link, DisconnectReason::Misbehaved),
        Err(_) => host.count_send_drop(link),
    }
    Ok(())
}

/// Whether a packet can be sent at all.
///
/// # Errors
///
/// When there is no such channel, or the packet is larger than any.
pub(crate) fn check(channel: Channel, len: usize, max: usize) -> Result<(), SendError> {
    if channel > LAST_CHANNEL {
        return Err(SendError::Channel { channel: channel.0, last: LAST_CHANNEL.0 });
    }
    if len > max {
        return Err(SendError::TooLarge { len, max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_modes_are_godots() {
        let table = [
            (0, TransferMode::Reliable, 0, 1),
            (0, TransferMode::UnreliableOrdered, 1, 8),
            (0, TransferMode::Unreliable, 1, 10),
            (3, TransferMode::Reliable, 4, 1),
            (3, TransferMode::UnreliableOrdered, 4, 8),
            (253, TransferMode::Unreliable, 254, 10),
        ];
        for (channel, mode, enet, flags) in table {
            assert_eq!(to_enet_channel(Channel(channel), mode), enet);
            assert_eq!(from_enet_channel(enet), Channel(channel));
            assert_eq!(to_flags(mode), PacketFlags(flags));
        }
    }

    #[test]
    fn modes_are_told_by_the_delivered_flags() {
        assert_eq!(from_flags(PacketFlags(1)), TransferMode::Reliable);
        assert_eq!(from_flags(PacketFlags(2)), TransferMode::Unreliable);
        assert_eq!(from_flags(PacketFlags(0)), TransferMode::UnreliableOrdered);
        assert_eq!(from_flags(PacketFlags(8)), TransferMode::UnreliableOrdered);
    }
}
