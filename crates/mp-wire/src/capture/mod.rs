//! A capture file for Wireshark of what passes a proxy.

mod datagram;
mod mask;
mod packet;
mod pcapng;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mp_core::ConnectionOrigin;
use mp_transport_enet::proto::CompressionMode;

use self::datagram::{DatagramSession, Expander};
use self::mask::Masker;
use self::pcapng::{LinkType, PcapWriter};
use crate::limits::CLIENTS_MAX;
use crate::names::ProjectNames;
use crate::{ClientNumber, Direction, WireDatagram, WireEvent};

/// Writes the datagrams (ENet) or messages (WebSocket) of a proxy as a pcapng file, without
/// encryption and compression. The bytes of authentications are replaced by `*`, and so are the
/// arguments of calls whose names in the game's project say that they are secret.
///
/// Datagrams are UDP packets between the clients and the proxy. Messages are exported PDUs for the
/// dissectors `godot.id`, the server's first message with the client's peer id, and `godot`. A
/// [plugin](crate::wireshark_plugin) for Wireshark decodes both.
#[derive(Debug)]
pub struct Capture<W> {
    file: PcapWriter<W>,
    /// Address of the proxy, as the server of its clients.
    server: SocketAddr,
    names: Option<Rc<ProjectNames>>,
    content: Content,
    stats: CaptureStats,
    error: Option<io::Error>,
}

#[derive(Debug)]
enum Content {
    Datagrams {
        expander: Expander,
        /// Sessions with the number of their last datagram.
        sessions: HashMap<SocketAddr, (DatagramSession, u64)>,
    },
    Messages(HashMap<ClientNumber, (SocketAddr, Masker)>),
}

/// Counters of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureStats {
    /// Packets in the file.
    pub written: u64,
    /// Packets that are not in the file: it has its maximum size, or could not be written.
    pub omitted: u64,
}

impl<W: Write> Capture<W> {
    /// Begins a capture of datagrams with this compression. The file has at most `bytes_max` bytes
    /// besides its header. `names` are those of the game's project.
    ///
    /// # Errors
    ///
    /// The error of `out`.
    pub fn of_datagrams(
        out: W,
        server: SocketAddr,
        compression: CompressionMode,
        names: Option<Rc<ProjectNames>>,
        bytes_max: u64,
    ) -> io::Result<Self> {
        let expander = Expander::new(compression);
        let content = Content::Datagrams { expander, sessions: HashMap::new() };
        Ok(Self::new(PcapWriter::new(out, LinkType::Ip, bytes_max)?, server, names, content))
    }

    /// Begins a capture of messages, over WebSocket or of a recording, as
    /// [`of_datagrams`](Self::of_datagrams).
    ///
    /// # Errors
    ///
    /// The error of `out`.
    pub fn of_messages(
        out: W,
        server: SocketAddr,
        names: Option<Rc<ProjectNames>>,
        bytes_max: u64,
    ) -> io::Result<Self> {
        let content = Content::Messages(HashMap::new());
        Ok(Self::new(PcapWriter::new(out, LinkType::UpperPdu, bytes_max)?, server, names, content))
    }

    fn new(
        file: PcapWriter<W>,
        server: SocketAddr,
        names: Option<Rc<ProjectNames>>,
        content: Content,
    ) -> Self {
        let stats = CaptureStats::default();
        Self { file, server, names, content, stats, error: None }
    }

    /// Returns the counters.
    pub fn stats(&self) -> CaptureStats {
        self.stats
    }

    /// Returns the first error of writing, after which nothing is written.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Writes a datagram. `at`: time since 1970. Has no effect on a capture of messages.
    pub fn datagram(&mut self, at: Duration, datagram: &WireDatagram) {
        let Content::Datagrams { expander, sessions } = &mut self.content else { return };
        let mut plain = expander.expand(&datagram.bytes);
        let client = datagram.client;
        if sessions.len() >= usize::from(CLIENTS_MAX) && !sessions.contains_key(&client) {
            let oldest = sessions.iter().min_by_key(|(_, (_, used))| *used);
            let oldest = oldest.map(|(address, _)| *address);
            oldest.and_then(|address| sessions.remove(&address));
        }
        let new = || (DatagramSession::new(self.names.clone()), 0);
        let (session, used) = sessions.entry(client).or_insert_with(new);
        *used = self.stats.written + self.stats.omitted;
        session.mask(datagram.direction, &mut plain);
        let (from, to) = ends(client, self.server, datagram.direction);
        let packet = packet::udp(from, to, &plain.bytes, plain.len);
        let original_len = packet.len() + plain.len - plain.bytes.len();
        self.write(at, &packet, original_len);
    }

    /// Writes the messages of clients. `at`: time since 1970. Has no effect on a capture
    /// of datagrams.
    pub fn event(&mut self, at: Duration, event: &WireEvent) {
        let Content::Messages(clients) = &mut self.content else { return };
        let number = event.client();
        if let WireEvent::Connected { origin, .. } = event
            && let ConnectionOrigin::Url { address, .. } | ConnectionOrigin::Address(address) =
                origin
        {
            clients.insert(number, (*address, Masker::new(self.names.clone())));
        }
        let Some((address, masker)) = clients.get_mut(&number) else { return };
        let (dissector, direction, payload) = match event {
            WireEvent::PeerId { id, .. } => {
                ("godot.id", Direction::ToClient, id.get().to_le_bytes().to_vec())
            }
            WireEvent::Packet(packet) => {
                let mut payload = packet.payload.to_vec();
                masker.mask(packet.direction, &mut payload);
                ("godot", packet.direction, payload)
            }
            WireEvent::Closed { .. } => return drop(clients.remove(&number)),
            _ => return,
        };
        let (from, to) = ends(*address, self.server, direction);
        let packet = packet::upper_pdu(dissector, from, to, &payload);
        self.write(at, &packet, packet.len());
    }

    fn write(&mut self, at: Duration, packet: &[u8], original_len: usize) {
        let written = match self.error {
            None => self.file.packet(at, packet, original_len),
            Some(_) => Ok(false),
        };
        match written {
            Ok(true) => self.stats.written += 1,
            Ok(false) => self.stats.omitted += 1,
            Err(error) => {
                self.stats.omitted += 1;
                self.error = Some(error);
            }
        }
    }
}

/// Returns the addresses of the sender and of the receiver.
fn ends(client: SocketAddr, server: SocketAddr, direction: Direction) -> (SocketAddr, SocketAddr) {
    match direction {
        Direction::ToServer => (client, server),
        Direction::ToClient => (server, client),
    }
}
