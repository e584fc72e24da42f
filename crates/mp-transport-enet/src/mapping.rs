//! Mapping of Godot's transfer channels and modes to ENet's channels and flags.
//!
//! | transfer channel | mode | ENet channel | flags |
//! |---|---|---|---|
//! | 0 | reliable | 0 | reliable |
//! | 0 | unreliable ordered | 1 | unreliable fragment |
//! | 0 | unreliable | 1 | unsequenced, unreliable fragment |
//! | n > 0 | any | n + 1 | as above |
//!
//! A receiver derives the mode from the flags. An unreliable packet that is too long for one
//! datagram is received as [`TransferMode::UnreliableOrdered`], as in Godot 4.6.3.

use bytes::Bytes;
use mp_core::{Channel, ConnectionId, DisconnectReason, Packet, SendError, TransferMode};

use crate::proto::{Host, HostSendError, PacketFlags, Payload};

/// The last transfer channel. ENet has 255 channels, of which transfer channel 0 uses two.
pub const LAST_CHANNEL: Channel = Channel(253);

/// Returns the ENet channel of a transfer channel, which must not exceed [`LAST_CHANNEL`].
pub(crate) const fn to_enet_channel(channel: Channel, mode: TransferMode) -> u8 {
    match (channel.0, mode) {
        (0, TransferMode::Reliable) => 0,
        (0, TransferMode::Unreliable | TransferMode::UnreliableOrdered) => 1,
        (number, _) => number + 1,
    }
}

/// Returns the transfer channel of an ENet channel.
pub(crate) const fn from_enet_channel(channel: u8) -> Channel {
    Channel(channel.saturating_sub(1))
}

/// Returns the ENet flags of a mode.
pub(crate) fn to_flags(mode: TransferMode) -> PacketFlags {
    match mode {
        TransferMode::Reliable => PacketFlags::RELIABLE,
        TransferMode::UnreliableOrdered => PacketFlags::UNRELIABLE_FRAGMENT,
        TransferMode::Unreliable => PacketFlags::UNSEQUENCED | PacketFlags::UNRELIABLE_FRAGMENT,
    }
}

/// Returns the mode of a received packet by its flags.
pub(crate) const fn from_flags(flags: PacketFlags) -> TransferMode {
    if flags.contains(PacketFlags::RELIABLE) {
        TransferMode::Reliable
    } else if flags.contains(PacketFlags::UNSEQUENCED) {
        TransferMode::Unreliable
    } else {
        TransferMode::UnreliableOrdered
    }
}

/// Returns a received packet in Godot's terms.
pub(crate) fn packet(
    from: ConnectionId,
    channel: u8,
    flags: PacketFlags,
    payload: Bytes,
) -> Packet {
    Packet { from, mode: from_flags(flags), channel: from_enet_channel(channel), payload }
}

/// Queues a packet for a connection. `is_only`: the packet has no other recipients.
///
/// # Errors
///
/// The connection is the only recipient and cannot send the packet.
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
        // One of many connections, with fewer channels than the others. The others must get the
        // packet. This one cannot deliver reliable packets as required, so it is closed.
        Err(_) if mode.is_reliable() => host.fail(link, DisconnectReason::ProtocolViolation),
        Err(_) => host.count_send_drop(link),
    }
    Ok(())
}

/// Checks whether a packet can be sent to any connection.
///
/// # Errors
///
/// The channel does not exist, or the packet is longer than `max`.
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
    fn modes_follow_from_the_received_flags() {
        assert_eq!(from_flags(PacketFlags(1)), TransferMode::Reliable);
        assert_eq!(from_flags(PacketFlags(2)), TransferMode::Unreliable);
        assert_eq!(from_flags(PacketFlags(0)), TransferMode::UnreliableOrdered);
        assert_eq!(from_flags(PacketFlags(8)), TransferMode::UnreliableOrdered);
    }
}
