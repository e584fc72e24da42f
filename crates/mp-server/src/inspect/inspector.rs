//! Lines and totals of a proxy's events.

use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;
use std::str::FromStr;

use mp_core::bytes::Bytes;
use mp_core::{ConnectionOrigin, Instant, TransferMode};
use mp_scene::PacketKind;
use mp_wire::{
    ClientNumber, DecodedPacket, Direction, ProjectNames, ProxyStats, Totals, WireDecoder,
    WireEvent, WireKind, WirePacket,
};

/// Packets that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Kind(WireKind),
    /// Relayed packets of all kinds.
    Relayed,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "relay" {
            return Ok(Self::Relayed);
        }
        WireKind::from_label(text).map(Self::Kind).ok_or_else(|| {
            let labels = WireKind::ALL.map(WireKind::label).join(", ");
            format!("unknown kind {text:?}; kinds are {labels} and relay")
        })
    }
}

/// Decodes the packets of all clients, and returns a line for each.
#[derive(Debug)]
pub(super) struct Inspector {
    names: Option<Rc<ProjectNames>>,
    filters: Vec<Filter>,
    has_colors: bool,
    /// Time of the first event.
    start: Option<Instant>,
    clients: HashMap<ClientNumber, Client>,
    totals: Totals,
    /// Malformed parts, and nodes that were not kept, of clients that have left.
    ended: [u64; 2],
}

/// A connected client.
#[derive(Debug)]
struct Client {
    decoder: WireDecoder,
    /// Peer id, or the number of the client before it is known.
    label: String,
}

impl Inspector {
    pub(super) fn new(
        names: Option<Rc<ProjectNames>>,
        filters: Vec<Filter>,
        has_colors: bool,
    ) -> Self {
        Self {
            names,
            filters,
            has_colors,
            start: None,
            clients: HashMap::new(),
            totals: Totals::default(),
            ended: [0; 2],
        }
    }

    /// Decodes a packet that a client has sent or received before, so that later ones have the
    /// names of its nodes. It has no line, and the totals do not count it.
    pub(super) fn prepare(&mut self, number: ClientNumber, direction: Direction, packet: &Bytes) {
        if let Some(client) = self.clients.get_mut(&number) {
            client.decoder.decode(direction, packet);
        }
    }

    /// Handles an event of the proxy, or of a recording. Returns its line; `None` if it is not
    /// shown.
    pub(super) fn observe(&mut self, event: &WireEvent) -> Option<String> {
        let at = event.at();
        let seconds = (at - *self.start.get_or_insert(at)).as_secs_f64();
        let number = event.client();
        if let WireEvent::Connected { .. } = event {
            let decoder = WireDecoder::new(self.names.clone());
            self.clients.insert(number, Client { decoder, label: format!("client {number}") });
        }
        let client = self.clients.get_mut(&number)?;
        let text = match event {
            WireEvent::Packet(packet) => {
                let decoded = client.decoder.decode(packet.direction, &packet.payload);
                self.totals.add(decoded.kind(), packet.direction, packet.payload.len());
                if !is_shown(&self.filters, &decoded) {
                    return None;
                }
                packet_text(packet, &decoded, self.has_colors)
            }
            WireEvent::Connected { origin: ConnectionOrigin::Address(address), .. }
                if address.ip().is_unspecified() =>
            {
                "   connected".to_owned()
            }
            WireEvent::Connected { origin, .. } => format!("   connected from {origin}"),
            WireEvent::PeerId { id, .. } => {
                client.label = id.to_string();
                format!("   is client {number}")
            }
            WireEvent::Undecodable { direction, .. } => {
                format!(
                    "{} cannot be decoded from here on: invalid or compressed frames, or a message that is too long",
                    arrow(*direction)
                )
            }
            WireEvent::Closed { reason, .. } => format!("   {reason}"),
        };
        let line = format!("{seconds:>9.3} {:>10} {text}\n", client.label);
        if let WireEvent::Closed { .. } = event
            && let Some(client) = self.clients.remove(&number)
        {
            self.add_stats(&client);
        }
        Some(line)
    }

    fn add_stats(&mut self, client: &Client) {
        let stats = client.decoder.stats();
        self.ended[0] += stats.malformed;
        self.ended[1] += stats.not_kept;
    }

    /// Returns the totals, and what is missing in the lines. `unprinted` is the number of lines
    /// that were not printed.
    pub(super) fn summary(&mut self, proxy: &ProxyStats, unprinted: u64) -> String {
        for client in std::mem::take(&mut self.clients).into_values() {
            self.add_stats(&client);
        }
        let mut summary = format!("\n{}", self.totals.table());
        let _ = writeln!(summary, "{} clients", proxy.clients);
        let [malformed, not_kept] = self.ended;
        let notes = [
            (malformed, "packets with malformed parts"),
            (not_kept, "nodes whose names were not kept, because there are too many"),
            (proxy.rejected, "clients rejected, because there are too many"),
            (
                proxy.failed_handshakes,
                "connections failed to handshake, see \"Encrypted games\" of --help",
            ),
            (proxy.dropped, "packets dropped: unreliable, before the server accepted the client"),
            (unprinted, "lines not printed, because standard output was too slow"),
        ];
        for (count, what) in notes.iter().filter(|(count, _)| *count > 0) {
            let _ = writeln!(summary, "{count} {what}");
        }
        summary
    }
}

fn is_shown(filters: &[Filter], packet: &DecodedPacket) -> bool {
    let kind = packet.kind();
    filters.is_empty()
        || filters.iter().any(|filter| match filter {
            Filter::Kind(shown) => *shown == kind,
            Filter::Relayed => packet.relay.is_some(),
        })
}

fn packet_text(packet: &WirePacket, decoded: &DecodedPacket, has_colors: bool) -> String {
    let kind = decoded.kind();
    let mode = match packet.mode {
        TransferMode::Reliable => 'r',
        TransferMode::Unreliable => 'u',
        TransferMode::UnreliableOrdered => 'o',
    };
    let (arrow, channel, len) = (arrow(packet.direction), packet.channel, packet.payload.len());
    let label = kind.label();
    let (start, end) = match has_colors {
        true => (color(kind), "\x1b[0m"),
        false => ("", ""),
    };
    format!("{arrow} {start}{label:<9}{end} {len:>6} {mode}{channel:<3} {decoded}")
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "->",
        Direction::ToClient => "<-",
    }
}

/// Returns the escape sequence of a kind's color.
fn color(kind: WireKind) -> &'static str {
    match kind {
        WireKind::Malformed => "\x1b[1;31m",
        WireKind::Scene(kind) => match kind {
            PacketKind::Rpc => "\x1b[32m",
            PacketKind::Sync | PacketKind::Delta => "\x1b[36m",
            PacketKind::Spawn | PacketKind::Despawn => "\x1b[33m",
            PacketKind::Raw => "\x1b[34m",
            PacketKind::Auth | PacketKind::Sys => "\x1b[35m",
            _ => "\x1b[2m",
        },
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use mp_core::Channel;

    use super::*;

    fn packet(payload: &'static [u8]) -> WirePacket {
        WirePacket {
            client: ClientNumber(1),
            at: Instant::from_millis(5),
            direction: Direction::ToServer,
            mode: TransferMode::UnreliableOrdered,
            channel: Channel(3),
            payload: payload.into(),
        }
    }

    #[test]
    fn filters_apply_to_kinds_and_to_relayed_packets() {
        let mut decoder = WireDecoder::new(None);
        let mut decoded = |bytes: &'static [u8]| decoder.decode(Direction::ToServer, &bytes.into());
        let raw = decoded(&[3, b'a']);
        let relayed = decoded(&[7, 3, 0, 0, 0, 0, 3, b'a']);
        let filters = |text: &str| -> Vec<Filter> {
            text.split(',').map(|word| word.parse().unwrap()).collect()
        };
        for (shown, of_raw, of_relayed) in
            [("raw", true, true), ("relay", false, true), ("rpc,sys", false, false)]
        {
            let filters = filters(shown);
            let actual = (is_shown(&filters, &raw), is_shown(&filters, &relayed));
            assert_eq!(actual, (of_raw, of_relayed), "{shown}");
        }
        assert!(is_shown(&[], &raw));
        let error = "rcp".parse::<Filter>().unwrap_err();
        assert!(error.contains("unknown kind \"rcp\"; kinds are rpc, "), "{error}");
    }

    #[test]
    fn colors_surround_the_kind_only_if_they_are_wanted() {
        let packet = packet(&[3, b'a']);
        let decoded = WireDecoder::new(None).decode(packet.direction, &packet.payload);
        let text = packet_text(&packet, &decoded, false);
        assert_eq!(text, "-> raw            2 o3   \"a\"");
        let colored = packet_text(&packet, &decoded, true);
        assert_eq!(colored.replace("\x1b[34m", "").replace("\x1b[0m", ""), text);
        assert_ne!(colored, text);
    }
}
