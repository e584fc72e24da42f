//! The data channels of a connection, with Godot's labels and streams.

use mp_core::{Channel, TransferMode};
use str0m::channel::{ChannelConfig, Reliability};

use crate::limits::UNRELIABLE_LIFETIME_MIN;

/// The data channels of each connection of a peer. Both peers must use the same.
///
/// | index | label | SCTP stream | ordered | used for |
/// |---|---|---|---|---|
/// | 0 | `reliable` | 1 | yes | channel 0, `Reliable` |
/// | 1 | `ordered` | 2 | yes | channel 0, `UnreliableOrdered` |
/// | 2 | `unreliable` | 3 | no | channel 0, `Unreliable` |
/// | 3 + i | `4 + i` in decimal | 4 + i | unless `Unreliable` | transfer channel i + 1, any mode |
///
/// Source: recorded from Godot 4.6.3. All are negotiated out of band with an empty protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelTable {
    modes: Box<[TransferMode]>,
}

/// Modes of Godot's three channels.
const DEFAULT_MODES: [TransferMode; 3] =
    [TransferMode::Reliable, TransferMode::UnreliableOrdered, TransferMode::Unreliable];

impl ChannelTable {
    /// Returns Godot's three channels and those of `config`.
    pub(crate) fn new(config: &[TransferMode]) -> Self {
        Self { modes: DEFAULT_MODES.iter().chain(config).copied().collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.modes.len()
    }

    /// Returns the last transfer channel.
    pub(crate) fn last_channel(&self) -> u8 {
        (self.modes.len() - DEFAULT_MODES.len()) as u8
    }

    /// Returns the index of the data channel for packets of `channel` sent with `mode`. `None` if
    /// it is not configured.
    pub(crate) fn index(&self, channel: Channel, mode: TransferMode) -> Option<usize> {
        let index = match channel.0 {
            0 => Self::fallback_index(mode),
            channel => usize::from(channel) + 2,
        };
        (index < self.len()).then_some(index)
    }

    /// Returns the index of the data channel of transfer channel 0 for `mode`.
    pub(crate) const fn fallback_index(mode: TransferMode) -> usize {
        match mode {
            TransferMode::Reliable => 0,
            TransferMode::UnreliableOrdered => 1,
            TransferMode::Unreliable => 2,
        }
    }

    /// Returns the transfer channel and mode with which packets of data channel `index` are
    /// reported.
    pub(crate) fn channel_and_mode(&self, index: usize) -> (Channel, TransferMode) {
        let channel = index.saturating_sub(DEFAULT_MODES.len() - 1) as u8;
        (Channel(channel), self.modes[index])
    }

    /// Returns the mode of data channel `index`, which determines whether its packets may be
    /// dropped.
    pub(crate) fn mode(&self, index: usize) -> TransferMode {
        self.modes[index]
    }

    /// Returns the configuration of each data channel, in order.
    ///
    /// `lifetime` is the time in milliseconds during which unreliable packets are retransmitted, at
    /// least [`UNRELIABLE_LIFETIME_MIN`]. Godot sets an option that libdatachannel ignores, so its
    /// own channels retransmit forever. Each sender chooses its own value.
    pub(crate) fn configs(&self, lifetime: u16) -> impl Iterator<Item = ChannelConfig> {
        self.modes.iter().enumerate().map(move |(index, &mode)| {
            let stream = index as u16 + 1;
            let label = match index {
                0 => "reliable".to_owned(),
                1 => "ordered".to_owned(),
                2 => "unreliable".to_owned(),
                _ => stream.to_string(),
            };
            let is_configured = index >= DEFAULT_MODES.len();
            let reliability = match mode {
                TransferMode::Reliable => Reliability::Reliable,
                // Godot: 1 ms for channels of `channels_config`.
                _ if is_configured => unreliable(1),
                _ => unreliable(lifetime),
            };
            ChannelConfig {
                label,
                ordered: mode != TransferMode::Unreliable,
                reliability,
                negotiated: Some(stream),
                protocol: String::new(),
            }
        })
    }
}

/// Returns the reliability of a channel that retransmits packets for `lifetime` milliseconds.
fn unreliable(lifetime: u16) -> Reliability {
    let least = UNRELIABLE_LIFETIME_MIN.as_millis() as u16;
    Reliability::MaxPacketLifetime { lifetime: lifetime.max(least) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TransferMode::{Reliable, Unreliable, UnreliableOrdered};

    #[test]
    fn channels_have_the_streams_and_labels_of_godot() {
        let table = ChannelTable::new(&[Reliable, UnreliableOrdered, Unreliable]);
        let configs: Vec<_> = table
            .configs(250)
            .map(|config| (config.label, config.negotiated.unwrap(), config.ordered))
            .collect();
        assert_eq!(
            configs,
            [
                ("reliable".to_owned(), 1, true),
                ("ordered".to_owned(), 2, true),
                ("unreliable".to_owned(), 3, false),
                ("4".to_owned(), 4, true),
                ("5".to_owned(), 5, true),
                ("6".to_owned(), 6, false),
            ]
        );
    }

    fn recording(text: &str) -> serde_json::Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn parameters_are_those_recorded_from_godot() {
        let table = ChannelTable::new(&[Reliable, UnreliableOrdered, Unreliable]);
        for text in [
            include_str!("../../../testdata/webrtc/webrtc_native_native.json"),
            include_str!("../../../testdata/webrtc/webrtc_native_web.json"),
            include_str!("../../../testdata/webrtc/webrtc_web_web.json"),
        ] {
            let recorded = &recording(text)["channel_parameters_seen_by_script_client"];
            for (config, of_godot) in table.configs(250).zip(recorded.as_array().unwrap()) {
                assert_eq!(of_godot["label"], config.label);
                assert_eq!(of_godot["id"], config.negotiated.unwrap());
                assert_eq!(of_godot["ordered"], config.ordered);
                assert_eq!(of_godot["protocol"], config.protocol);
                assert_eq!(of_godot["negotiated"], true);
            }
        }
    }

    #[test]
    fn packets_use_the_streams_recorded_from_godot() {
        let table = ChannelTable::new(&[Reliable, UnreliableOrdered, Unreliable]);
        let text = include_str!("../../../testdata/webrtc/webrtc_str0m.json");
        for put in recording(text)["messages_from_godot"].as_array().unwrap() {
            let mode = [Unreliable, UnreliableOrdered, Reliable]
                [put["transfer_mode"].as_u64().unwrap() as usize];
            let channel = Channel(put["transfer_channel"].as_u64().unwrap() as u8);
            let stream = table.index(channel, mode).map(|index| index as u64 + 1);
            assert_eq!(put["on_wire"][0]["sid"].as_u64(), stream, "{put}");
        }
    }

    #[test]
    fn transfer_channel_n_uses_data_channel_n_plus_2_whatever_the_mode() {
        let table = ChannelTable::new(&[Unreliable, Reliable]);
        assert_eq!(table.index(Channel(0), Unreliable), Some(2));
        assert_eq!(table.index(Channel(0), UnreliableOrdered), Some(1));
        for mode in TransferMode::ALL {
            assert_eq!(table.index(Channel(1), mode), Some(3));
            assert_eq!(table.index(Channel(2), mode), Some(4));
            assert_eq!(table.index(Channel(3), mode), None);
        }
        assert_eq!(table.last_channel(), 2);
    }

    #[test]
    fn received_packets_are_reported_with_the_mode_of_their_channel() {
        let table = ChannelTable::new(&[Unreliable, Reliable]);
        let reported: Vec<_> =
            (0..table.len()).map(|index| table.channel_and_mode(index)).collect();
        assert_eq!(
            reported,
            [
                (Channel(0), Reliable),
                (Channel(0), UnreliableOrdered),
                (Channel(0), Unreliable),
                (Channel(1), Unreliable),
                (Channel(2), Reliable),
            ]
        );
    }
}
