//! `mp-server inspect FILE`: a line for each packet of a recording.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use mp_core::bytes::{Bytes, BytesMut};
use mp_core::{
    ConnectionId, ConnectionOrigin, DisconnectReason, EndpointId, ErrorChain, Instant, PeerEvent,
    PeerId, ToBranch, ToEndpoint,
};
use mp_record::{RecordingError, Replay};
use mp_scene::codec::Objects;
use mp_scene::{Branch, Codec, SceneMessage};
use mp_wire::{ClientNumber, Direction, ProxyStats, WireCloseReason, WireEvent, WirePacket};

use super::capture::SharedCapture;
use super::inspector::Inspector;
use super::{InspectArgs, has_colors};
use crate::{Failure, record};

/// Prints the packets of a recording. What the room sends is computed by a replay.
pub(super) fn run(args: &InspectArgs, path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let names = args.proxy.names()?;
    let file = File::open(path).map_err(|error| {
        let help = "pass a recording, or an address such as 127.0.0.1:9000 with --to";
        Failure::Refused(format!("cannot open {shown}: {error}; {help}"))
    })?;
    let replay = record::open(BufReader::new(file))
        .map_err(|error| Failure::Refused(format!("{shown}: {}", ErrorChain::new(&error))))?;
    let capture = args.capture.start_recording(names.clone())?;
    let began = Duration::from_secs(replay.header().began);
    let inspector = Inspector::new(names, args.filter.clone(), has_colors());
    let out = BufWriter::new(io::stdout().lock());
    let capture = capture.map(|file| (file, began));
    let mut view = RecordingView { inspector, capture, out, clients: BTreeMap::new(), last: 0 };
    let mut replay = replay;
    let unprinted = |error| Failure::Unprinted(format!("cannot print: {error}"));
    let read = view.show(&mut replay).map_err(unprinted)?;
    let mut stats = ProxyStats::default();
    stats.clients = view.last.into();
    let mut summary = view.inspector.summary(&stats, 0);
    summary.extend(view.capture.as_ref().map(|(capture, _)| capture.summary()));
    view.out.write_all(summary.as_bytes()).and_then(|()| view.out.flush()).map_err(unprinted)?;
    if let Some((capture, _)) = &view.capture {
        capture.result()?;
    }
    match (read, replay.difference()) {
        (Err(error), _) => Err(Failure::Unfit(format!("{shown}: {}", ErrorChain::new(&error)))),
        (Ok(()), Some(_)) => Err(Failure::Unfit(format!(
            "{shown}: the room sends other bytes than the recorded one; see mp-server replay"
        ))),
        (Ok(()), None) => Ok(()),
    }
}

/// The packets of a recording, and where they are shown.
struct RecordingView<W> {
    inspector: Inspector,
    /// The capture file, and the time since 1970 at which the recording begins.
    capture: Option<(SharedCapture, Duration)>,
    out: W,
    clients: BTreeMap<(EndpointId, ConnectionId), ClientNumber>,
    /// Number of clients so far.
    last: u32,
}

impl<W: Write> RecordingView<W> {
    /// Shows all packets. The outer error is one of the output.
    fn show<R: Read>(
        &mut self,
        replay: &mut Replay<R, Branch>,
    ) -> io::Result<Result<(), RecordingError>> {
        self.show_present(replay)?;
        while let Some(time) = replay.next_time() {
            let at = Instant::ZERO + time;
            if let Some(input) = replay.next_input() {
                for event in self.events(at, input) {
                    self.event(&event)?;
                }
            }
            let (mut sent, clients) = (Vec::new(), &self.clients);
            let stepped = replay.step(&mut |endpoint, output| {
                let ToEndpoint::Send(packets) = output else { return };
                for packet in packets {
                    let payload = packet.joined();
                    let to = packet.to.as_slice().iter();
                    sent.extend(to.filter_map(|to| clients.get(&(endpoint, *to))).map(|client| {
                        WireEvent::Packet(WirePacket {
                            client: *client,
                            at,
                            direction: Direction::ToClient,
                            mode: packet.mode,
                            channel: packet.channel,
                            payload: payload.clone(),
                        })
                    }));
                }
            });
            for event in sent {
                self.event(&event)?;
            }
            if let Err(error) = stepped {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// Shows the clients that were connected at the start of a recording without its beginning.
    fn show_present<R: Read>(&mut self, replay: &mut Replay<R, Branch>) -> io::Result<()> {
        let multiplayer = replay.machine().scene().multiplayer();
        let present: Vec<_> = multiplayer
            .peers()
            .filter_map(|peer| Some((peer, multiplayer.connection(peer)?)))
            .collect();
        for (peer, (endpoint, connection)) in present {
            let events = self.connect(Instant::ZERO, endpoint, connection, Some(peer));
            for event in &events {
                self.event(event)?;
            }
            let Some(client) = events.first().map(WireEvent::client) else { continue };
            for (author, packet) in replay.start_packets(peer) {
                let (direction, packet) = as_sent(peer, author, packet);
                self.inspector.prepare(client, direction, &packet);
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &WireEvent) -> io::Result<()> {
        if let Some((capture, began)) = &self.capture {
            capture.event_at(*began + (event.at() - Instant::ZERO), event);
        }
        match self.inspector.observe(event) {
            Some(line) => self.out.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }

    /// Returns the events of a message to the room.
    fn events(&mut self, at: Instant, input: &ToBranch) -> Vec<WireEvent> {
        match input {
            ToBranch::Events(endpoint, events) => {
                events.iter().flat_map(|event| self.of_endpoint(at, *endpoint, event)).collect()
            }
            ToBranch::Closed(endpoint, reason) => {
                let mut closed = Vec::new();
                self.clients.retain(|(of, _), client| {
                    let is_closed = of == endpoint;
                    closed.extend(is_closed.then(|| close(at, *client, *reason)));
                    !is_closed
                });
                closed
            }
            _ => Vec::new(),
        }
    }

    fn of_endpoint(
        &mut self,
        at: Instant,
        endpoint: EndpointId,
        event: &PeerEvent,
    ) -> Vec<WireEvent> {
        match event {
            PeerEvent::Connected { connection, claimed_id, .. } => {
                self.connect(at, endpoint, *connection, *claimed_id)
            }
            PeerEvent::Packet(packet) => {
                let client = self.clients.get(&(endpoint, packet.from));
                let packet = client.map(|client| WirePacket {
                    client: *client,
                    at,
                    direction: Direction::ToServer,
                    mode: packet.mode,
                    channel: packet.channel,
                    payload: packet.payload.clone(),
                });
                packet.into_iter().map(WireEvent::Packet).collect()
            }
            PeerEvent::Disconnected { connection, reason } => {
                let client = self.clients.remove(&(endpoint, *connection));
                client.into_iter().map(|client| close(at, client, *reason)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn connect(
        &mut self,
        at: Instant,
        endpoint: EndpointId,
        connection: ConnectionId,
        id: Option<PeerId>,
    ) -> Vec<WireEvent> {
        self.last += 1;
        let client = ClientNumber(self.last);
        self.clients.insert((endpoint, connection), client);
        // Addresses are not recorded. The port distinguishes the clients in a capture file.
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.last as u16));
        let origin = ConnectionOrigin::Address(address);
        let connected = WireEvent::Connected { client, at, origin };
        let id = id.map(|id| WireEvent::PeerId { client, at, id });
        [Some(connected), id].into_iter().flatten().collect()
    }
}

fn close(at: Instant, client: ClientNumber, reason: DisconnectReason) -> WireEvent {
    WireEvent::Closed { client, at, reason: WireCloseReason::Client(reason) }
}

/// Returns a packet of `author` as `client` has sent or received it.
fn as_sent(client: PeerId, author: PeerId, packet: Bytes) -> (Direction, Bytes) {
    if author == client {
        return (Direction::ToServer, packet);
    }
    if author.is_server() {
        return (Direction::ToClient, packet);
    }
    let relay = SceneMessage::Relay { peer: author.get(), inner: packet.clone() };
    let mut bytes = BytesMut::new();
    let encoded = Codec::default().encode(&relay, Objects::Ids, &mut bytes);
    (Direction::ToClient, encoded.map_or(packet, |()| bytes.freeze()))
}
