//! mp's multiplayer peers as clients: ENet over DTLS, and WebRTC.

use std::error::Error;
use std::io;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};

use bytes::Bytes;
use mp_core::{Channel, TransferMode};
use mp_core::{ConnectionId, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Prefix};
use mp_tls::ClientTlsOptions;
use mp_transport_enet::{ClientOptions, DtlsClientOptions, EnetMultiplayerPeer};
use mp_transport_webrtc::{SdpKind, Signal, WebRtcMultiplayerPeer, WebRtcOptions};
use mp_udp::DatagramSocket;

use super::dialect::peer_id;
use super::transport::{Transport, TransportEvent};
use crate::clock::instant;

/// A multiplayer peer that connects to one server.
pub(super) struct PeerTransport {
    socket: UdpSocket,
    /// For WebRTC the TCP address of the signaling.
    address: SocketAddr,
    kind: PeerKind,
    peer: Option<Box<dyn MultiplayerPeer>>,
    server: Option<ConnectionId>,
}

/// Kind of multiplayer peer.
#[derive(Clone, Copy)]
pub(super) enum PeerKind {
    EnetDtls { channels: u8 },
    WebRtc { index: u16 },
}

impl PeerTransport {
    pub(super) fn new(socket: UdpSocket, address: SocketAddr, kind: PeerKind) -> Self {
        Self { socket, address, kind, peer: None, server: None }
    }

    fn start(&self) -> Result<Box<dyn MultiplayerPeer>, Box<dyn Error>> {
        let socket = ClientSocket(self.socket.try_clone()?);
        match self.kind {
            PeerKind::EnetDtls { channels } => {
                let tls = ClientTlsOptions::new_unsafe();
                let dtls = DtlsClientOptions { hostname: "localhost".to_owned(), tls };
                // Two of the channels are those of transfer channel 0.
                let options = ClientOptions::default().channels(channels - 2).dtls(dtls);
                Ok(Box::new(EnetMultiplayerPeer::client(socket, self.address, options)?))
            }
            PeerKind::WebRtc { index } => {
                let id = PeerId::new(peer_id(index)).ok_or("no id")?;
                let mut peer = WebRtcMultiplayerPeer::client(socket, id, WebRtcOptions::default())?;
                peer.add_peer(PeerId::SERVER, 1)?;
                peer.create_offer(PeerId::SERVER)?;
                let Some(Signal::SessionDescriptionCreated { sdp, .. }) = peer.next_signal() else {
                    return Err("no offer".into());
                };
                let answer = exchange(self.address, &sdp)?;
                peer.set_remote_description(PeerId::SERVER, SdpKind::Answer, &answer)?;
                Ok(Box::new(peer))
            }
        }
    }
}

impl Transport for PeerTransport {
    fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    fn connect(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        self.peer = Some(self.start()?);
        self.run_timers(now)
    }

    fn receive(&mut self, now: u64, _: usize) -> Result<(), Box<dyn Error>> {
        if let Some(peer) = &mut self.peer {
            peer.poll(instant(now));
        }
        Ok(())
    }

    fn next_event(&mut self) -> Option<TransportEvent> {
        loop {
            match self.peer.as_mut()?.next_event()? {
                PeerEvent::Connected { connection, .. } => {
                    self.server = Some(connection);
                    return Some(TransportEvent::Connected);
                }
                PeerEvent::Packet(packet) => return Some(TransportEvent::Packet(packet.payload)),
                lost @ PeerEvent::Disconnected { .. } => {
                    return Some(TransportEvent::Lost(format!("{lost:?}")));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, payload: Bytes, reliable: bool) {
        let to = self.server.expect("it is connected").into();
        let mode = if reliable { TransferMode::Reliable } else { TransferMode::Unreliable };
        let packet =
            OutgoingPacket { to, mode, channel: Channel(0), prefix: Prefix::EMPTY, payload };
        let peer = self.peer.as_mut().expect("it is connected");
        peer.send(packet).expect("the packet is small, and the channel exists");
    }

    fn flush(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        if let Some(peer) = &mut self.peer {
            peer.flush(instant(now));
        }
        Ok(())
    }

    fn run_timers(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        if let Some(peer) = &mut self.peer
            && peer.poll_timeout().is_some_and(|due| due <= instant(now))
        {
            peer.poll(instant(now));
            peer.flush(instant(now));
        }
        Ok(())
    }
}

/// Sends an offer to a server of mp-bench-webrtc, and returns the answer.
fn exchange(signaling: SocketAddr, offer: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(signaling)?;
    stream.write_all(offer.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A socket that is also used to wait for datagrams.
struct ClientSocket(UdpSocket);

impl DatagramSocket for ClientSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.send_to(datagram, to).map(drop)
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buf)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
